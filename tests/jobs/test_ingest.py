"""Recordings on their way in: what is stored, under which name, and what is refused."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.core.files import File
from django.core.files.storage import default_storage

from jobs import files, ingest, outbound
from jobs.errors import JobError
from jobs.models import Media

pytestmark = pytest.mark.django_db


@pytest.fixture
def recording(recording, tmp_path) -> Path:
    """One that may be moved away."""
    return Path(shutil.copy(recording, tmp_path / "sent"))


def refused(owner, local: Path, name: str = "talk.wav") -> JobError:
    with pytest.raises(JobError) as error:
        ingest.take_upload(owner, local, name)
    assert not Media.objects.exists()
    return error.value


def stored_files() -> set[Path]:
    return {path for path in (live_settings.MEDIA_ROOT / "media").rglob("*") if path.is_file()}


def test_an_upload_is_measured_and_stored_under_a_name_of_ours(alice, recording):
    sent = recording.read_bytes()
    media = ingest.take_upload(alice, recording, "My talk.wav")
    assert (media.name, media.owner, media.source_url) == ("My talk.wav", alice, "")
    assert (media.seconds, media.sample_rate, media.channels) == (3.0, 16_000, 1)
    assert (media.container, media.codec, media.bytes) == ("wav", "pcm_s16le", len(sent))
    assert "talk" not in media.file
    assert Path(default_storage.path(media.file)).read_bytes() == sent


def test_a_recording_is_moved_to_where_it_stays_not_copied(alice, recording):
    inode = recording.stat().st_ino
    stored = Path(default_storage.path(ingest.take_upload(alice, recording, "talk.wav").file))
    assert (stored.stat().st_ino, stored.stat().st_mode & 0o777) == (inode, 0o600)
    assert not recording.exists()


def test_a_discarded_recording_leaves_nothing(alice, recording):
    media = ingest.take_upload(alice, recording, "talk.wav")
    ingest.discard(media)
    assert not Media.objects.exists()
    assert not default_storage.exists(media.file)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("talk.wav", "talk.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Alice\\talk.wav", "talk.wav"),
        ("/var/log/", "log"),
        ("ta\x00lk\r\n.wav", "talk.wav"),
        ("talk\u202evaw.exe", "talkvaw.exe"),
        ("\u2066talk\u2069\u200b\ufeff.wav", "talk.wav"),
        ("Gespräch 日本語 🎙.wav", "Gespräch 日本語 🎙.wav"),
        ("  talk.wav  ", "talk.wav"),
        ("a" * 300, "a" * 255),
        ("", "recording"),
        ("\u202e\n", "recording"),
    ],
)
def test_a_users_file_name_is_harmless_to_show(given, shown):
    assert ingest.display_name(given) == shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/My%20talk.wav?token=1#t", "My talk.wav"),
        ("https://example.org/a/", "a"),
        ("https://example.org/", "example.org"),
        ("https://example.org/%2e%2e%2fpasswd", "passwd"),
        ("https://example.org/%E2%80%AEx.wav", "x.wav"),
    ],
)
def test_the_recording_of_a_url_is_named_after_it(url, name):
    assert ingest.name_of(url) == name


def test_what_is_no_url_has_no_name():
    with pytest.raises(JobError) as refused:
        ingest.name_of("http://[::1/talk.wav")
    assert refused.value.code == "INVALID_URL"


@pytest.mark.parametrize("content", [b"", b"hello\n" * 100, b"RIFF\x24\x00\x00\x00WAVEfmt ", b"\x7fELF" + bytes(1000)])
def test_what_is_no_recording_is_refused(alice, tmp_path, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    assert refused(alice, file).code == "INVALID_AUDIO_FORMAT"


def test_a_playlist_that_names_other_files_is_refused(alice, tmp_path, recording):
    shutil.copy(recording, tmp_path / "inside.wav")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:3,\ninside.wav\n")
    error = refused(alice, playlist)
    assert (error.code, error.details) == ("INVALID_AUDIO_FORMAT", {"playlist": "M3U"})


def test_a_recording_that_is_too_long_is_refused_with_both_lengths(alice, recording, settings):
    settings.MAX_AUDIO_SECONDS = 2
    error = refused(alice, recording)
    assert (error.code, error.details) == ("AUDIO_TOO_LONG", {"seconds": 3.0, "limit": 2})
    assert "0:00:03" in error.message


def test_a_full_disk_is_told_and_leaves_no_part_behind(recording, monkeypatch):
    before = stored_files()

    def chunks_until_full(self: File, chunk_size: int | None = None) -> Iterator[bytes]:
        yield self.read(1000)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(File, "chunks", chunks_until_full)  # what the storage writes, one after another
    with pytest.raises(JobError) as error, files.disk_errors():
        files.store_media(recording)
    assert error.value.code == "DISK_FULL"
    assert stored_files() == before


def test_a_probe_that_takes_too_long_is_killed(alice, recording, monkeypatch):
    monkeypatch.setattr(ingest, "PROBE_SECONDS", 1)
    monkeypatch.setattr(ingest, "environment", lambda **_: {"PYTHONPATH": str(recording.parent)})
    (recording.parent / "sitecustomize.py").write_text("import time; time.sleep(60)")
    try:
        assert refused(alice, recording).code == "INVALID_AUDIO_FORMAT"
    finally:
        (recording.parent / "sitecustomize.py").unlink()


def test_a_probe_that_wants_too_much_memory_is_ended(alice, recording, monkeypatch):
    monkeypatch.setattr(ingest, "PROBE_MEMORY", 64 << 20)  # not enough to import anything
    assert refused(alice, recording).code in ("INVALID_AUDIO_FORMAT", "ENGINE_FAILED")


def test_processes_that_read_strangers_files_do_not_know_the_servers_secrets(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter2@host/db")
    monkeypatch.setenv("SOLOIST_S3_SECRET_KEY", "hunter2")
    assert "hunter2" not in str(ingest.environment(threads=1))


def test_a_recording_of_a_url_is_stored_with_where_it_came_from(alice, recording, monkeypatch):
    monkeypatch.setattr(outbound, "download", lambda _, target, **__: shutil.copy(recording, target))
    media = ingest.fetch(alice, "https://example.org/talk.wav", "talk.wav")
    assert (media.source_url, media.seconds) == ("https://example.org/talk.wav", 3.0)


def test_a_disk_that_fills_up_while_fetching_is_told(alice, monkeypatch):
    def fill(url: str, target: Path, **_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outbound, "download", fill)
    with pytest.raises(JobError) as error:
        ingest.fetch(alice, "https://example.org/talk.wav", "talk.wav")
    assert error.value.code == "DISK_FULL"


def test_scratch_is_gone_afterwards_whatever_happens():
    with pytest.raises(KeyError), files.scratch() as folder:
        (folder / "file").write_text("x")
        raise KeyError
    assert not folder.exists()

"""Signed links: whole files and parts of them, in a player or to the disk, until they expire."""

from __future__ import annotations

import time

import pytest
from asgiref.sync import sync_to_async
from django.core import signing
from django.core.files.storage import default_storage
from django.test import AsyncClient

from jobs import deleting, downloads
from jobs.models import Track


@pytest.fixture
def track(finished) -> Track:
    return finished.tracks.get(speaker=0)


@pytest.fixture
def content(recording) -> bytes:
    return recording.read_bytes()


@pytest.fixture
def link(api, finished) -> str:
    """Of the first speaker's track, as the API gives it."""
    return api.send("get", f"jobs/{finished.number}").json()["result"]["speakers"][0]["download_url"]


def test_a_link_needs_no_credentials(nobody, link, content):
    answer = nobody.get(link)
    assert (answer.status_code, answer.getvalue()) == (200, content)
    assert answer["Content-Type"] == "audio/wav"
    assert answer["Content-Length"] == str(len(content))
    assert answer["Content-Disposition"] == 'attachment; filename="speaker_0.wav"'
    assert link.endswith("/speaker_0.wav")


def test_what_is_sent_can_do_nothing_in_a_browser(nobody, link):
    answer = nobody.get(link)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=44-143", 44, 143), ("bytes=96000-", 96_000, 96_043), ("bytes=-10", 96_034, 96_043),
     ("bytes=96000-999999", 96_000, 96_043)],
)  # fmt: skip
def test_a_part_is_sent_as_such(nobody, link, content, wanted, first, last):
    answer = nobody.get(link, headers={"Range": wanted})
    assert (answer.status_code, answer.getvalue()) == (206, content[first : last + 1])
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
    assert answer["Content-Length"] == str(last - first + 1)
    assert answer["Accept-Ranges"] == "bytes"


def test_a_part_beyond_the_end_is_refused(nobody, link, content):
    answer = nobody.get(link, headers={"Range": "bytes=96044-"})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer["Content-Range"] == f"bytes */{len(content)}"


def test_several_parts_get_the_whole(nobody, link, content):
    answer = nobody.get(link, headers={"Range": "bytes=0-1,5-6"})
    assert (answer.status_code, answer.getvalue()) == (200, content)


def test_a_part_of_the_same_file_continues_a_download(nobody, link):
    etag = nobody.head(link)["ETag"]
    for version, status in ((etag, 206), ('"other"', 200), ("Sat, 21 Nov 2026 10:00:00 GMT", 200)):
        assert nobody.get(link, headers={"Range": "bytes=5-", "If-Range": version}).status_code == status


def test_a_file_that_is_there_already_is_not_sent_again(nobody, link):
    etag = nobody.head(link)["ETag"]
    answer = nobody.get(link, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert nobody.get(link, headers={"If-Match": '"other"'}).status_code == 412


def test_the_head_tells_the_length_and_sends_nothing(nobody, link, content):
    answer = nobody.head(link, headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Length"] == str(len(content))


def test_a_link_only_reads(nobody, link):
    assert nobody.post(link).status_code == 405
    assert nobody.delete(link).status_code == 405


def test_a_player_gets_the_file_inline(nobody, track):
    answer = nobody.get(downloads.track_url(track, inline=True))
    assert answer["Content-Disposition"] == 'inline; filename="speaker_0.wav"'


def test_the_recording_has_a_link_too(nobody, media, content):
    media.name = "Gespräch.wav"
    media.save()
    answer = nobody.get(downloads.media_url(media))
    assert answer.getvalue() == content
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "audio/wav",
        "attachment; filename*=utf-8''Gespr%C3%A4ch.wav",
    )


def test_links_carry_the_address_that_users_type(track, settings):
    settings.PUBLIC_URL = "https://soloist.example.org"
    assert downloads.track_url(track).startswith("https://soloist.example.org/files/")


# --- what is refused


def refusal(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/json"
    return answer.status_code, answer.json().get("error_code", answer.json().get("detail"))


def test_an_expired_link_says_so(nobody, link, settings, monkeypatch):
    now = time.time()
    for later, status in ((settings.LINK_SECONDS - 60, 200), (settings.LINK_SECONDS + 60, 403)):
        with monkeypatch.context() as clock:
            clock.setattr("django.core.signing.time.time", lambda later=later: now + later)
            assert nobody.get(link).status_code == status
    settings.LINK_SECONDS = -1
    assert refusal(nobody.get(link)) == (403, "LINK_EXPIRED")


def test_an_altered_link_is_refused(nobody, link, track):
    token = link.split("/")[-2]
    for altered in (token[:-1], token.swapcase(), token.replace(":", ";"), "x", "ü" * 20):
        assert refusal(nobody.get(f"/files/{altered}/speaker_0.wav")) == (403, "LINK_INVALID")
    elsewhere = signing.dumps(["track", track.pk, False], salt="another purpose")
    assert refusal(nobody.get(f"/files/{elsewhere}/speaker_0.wav")) == (403, "LINK_INVALID")


def test_a_link_ends_with_its_job(nobody, link, finished):
    deleting.delete(finished)
    assert refusal(nobody.get(link)) == (404, "This file has been deleted.")


def test_a_file_that_is_lost_is_not_found(nobody, link, track):
    default_storage.delete(track.file)
    assert refusal(nobody.get(link)) == (404, "This file has been deleted.")


# --- under ASGI


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_a_file_is_sent_piece_by_piece(link, content, monkeypatch):
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    answer = await AsyncClient().get(link)
    assert answer.is_async
    pieces = [piece async for piece in answer]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == 1000


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_a_client_that_leaves_closes_the_file(link, monkeypatch):
    opened = []
    real = default_storage.open
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    monkeypatch.setattr(default_storage._wrapped, "open", lambda *a: opened.append(real(*a)) or opened[-1])
    answer = await AsyncClient().get(link)
    await anext(aiter(answer))
    assert [file.closed for file in opened] == [False]
    await sync_to_async(answer.close)()  # as the server does
    assert [file.closed for file in opened] == [True]

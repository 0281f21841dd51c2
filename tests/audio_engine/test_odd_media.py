from __future__ import annotations

import csv
from pathlib import Path

import pytest

from audio_engine.errors import EngineError
from audio_engine.media import probe
from audio_engine.pipeline import run
from audio_engine.types import SpeakerRequest
from tests.audio_engine.conftest import EVAL

ODD = EVAL / "odd"
pytestmark = pytest.mark.skipif(not ODD.is_dir(), reason="needs the evaluation recordings, see SOLOIST_EVAL")

REFUSED = {
    "channels_0.wav": "INVALID_AUDIO_FORMAT",
    "channels_65535.wav": "INVALID_AUDIO_FORMAT",
    "ffconcat_renamed.wav": "INVALID_AUDIO_FORMAT",
    "header_only.wav": "AUDIO_TOO_SHORT",
    "html_error_page.mp3": "INVALID_AUDIO_FORMAT",
    "midi.mid": "INVALID_AUDIO_FORMAT",
    "nan_all.wav": "UNUSABLE_AUDIO",
    "one_sample.wav": "AUDIO_TOO_SHORT",
    "playlist_local_file.mp3": "INVALID_AUDIO_FORMAT",
    "random_after_riff.wav": "INVALID_AUDIO_FORMAT",
    "random_bytes.wav": "INVALID_AUDIO_FORMAT",
    "rate_100hz.wav": "UNUSABLE_AUDIO",
    "rate_4ghz.wav": "INVALID_AUDIO_FORMAT",
    "raw_no_header.wav": "INVALID_AUDIO_FORMAT",
    "text_renamed.mp3": "INVALID_AUDIO_FORMAT",
    "tiny_10ms.wav": "AUDIO_TOO_SHORT",
    "truncated_no_moov.mp4": "INVALID_AUDIO_FORMAT",
    "video_without_audio.webm": "NO_AUDIO_STREAM",
    "zero_bytes.mp3": "INVALID_AUDIO_FORMAT",
    "zero_bytes.wav": "INVALID_AUDIO_FORMAT",
}
# Exact lengths that a careless decoder gets wrong, in seconds.
SECONDS = {
    "chained.ogg": 22.0,
    "corrupt_frames.flac": 9.864,
    "corrupt_middle.mp3": 13.99,
    "fragmented.mp4": 12.432,
    "silence_6h.flac": 21_600.0,
    "truncated.mp3": 8.39,
    "truncated_faststart.mp4": 8.0,
    "two_tracks.mka": 14.02,
    "wrong_length_ffffffff.wav": 6.0,
    "wrong_length_half.wav": 3.0,
    "wrong_length_zero.wav": 6.0,
}
SILENT = ("digital_silence.wav", "voice_silent.amr")
SPOKEN = ("stereo_antiphase.flac", "surround51.flac", "very_quiet.wav", "float_over_full_scale.wav", "nan_some.wav")


def rows() -> list[dict[str, str]]:
    if not ODD.is_dir():
        return []
    with (ODD / "odd.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", [row["file"] for row in rows() if row["expected"] == "ok"])
def test_an_odd_recording_is_taken(name: str, tmp_path: Path, scripted: str) -> None:
    probed = probe(ODD / name)
    result = run(SpeakerRequest(ODD / name, tmp_path, task="diarization", engine=scripted))
    media = result.media
    assert (media.sample_rate, media.channels) == (probed.sample_rate, probed.channels)
    assert media.seconds == pytest.approx(probed.seconds, abs=0.1) or name == "corrupt_middle.mp3"
    assert media.seconds == pytest.approx(SECONDS.get(name, media.seconds), abs=0.02)
    for turn in result.turns:
        assert 0 <= turn.start < turn.end <= media.seconds


@pytest.mark.parametrize("name", [row["file"] for row in rows() if row["expected"] == "rejected"])
def test_a_bad_recording_is_refused_with_its_reason(name: str, tmp_path: Path, scripted: str) -> None:
    with pytest.raises(EngineError) as caught:
        run(SpeakerRequest(ODD / name, tmp_path, engine=scripted))
    assert caught.value.code == REFUSED[name]
    assert caught.value.permanent
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*SILENT, *SPOKEN])
def test_the_embedded_engine_hears_speech_and_only_speech(name: str, tmp_path: Path) -> None:
    result = run(SpeakerRequest(ODD / name, tmp_path, task="diarization", engine="embedded"))
    assert bool(result.speakers) == (name in SPOKEN)

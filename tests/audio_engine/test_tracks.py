from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine.decoding import Decoder
from audio_engine.masking import Masking
from audio_engine.media import probe
from audio_engine.progress import ignore_progress
from audio_engine.rendering import Rendering, render
from audio_engine.tracks import Gate, speaker_spans, subtract, union
from audio_engine.types import Diarization, MediaInfo, MediaLimits, OverlapPolicy, SpeakerRequest, Turn
from audio_engine.wav import WavWriter

Noise = Callable[..., np.ndarray]

HALF_FADE = 0.005
TURNS = (Turn(0.5, 1.25, 0), Turn(1.25, 2.1, 1), Turn(2.0, 3.3, 0), Turn(3.6, 5.0, 1))
ALONE = {0: [(0.5, 1.25), (2.1, 3.3)], 1: [(1.25, 2.0), (3.6, 5.0)]}


def cut(
    source: Path, folder: Path, turns: tuple[Turn, ...] = TURNS, overlap: OverlapPolicy = "keep", compact: bool = False
) -> Rendering:
    media = dataclasses.replace(probe(source), seconds=len(raw(source)) / probe(source).sample_rate)
    found = Diarization(turns, turns, 2, ())
    request = SpeakerRequest(source, folder, overlap=overlap, compact=compact)
    folder.mkdir(exist_ok=True)
    return render(request, media, found, Masking(media), folder, ignore_progress)


def raw(path: Path) -> np.ndarray:
    """The samples as decoded, integers in full."""
    return np.concatenate(list(Decoder(path, MediaLimits()).blocks()))


@pytest.mark.parametrize(
    ("subtype", "rate", "channels"),
    [
        ("PCM_U8", 8_000, 1),
        ("PCM_16", 44_100, 2),
        ("PCM_16", 48_000, 6),
        ("PCM_24", 16_000, 1),
        ("PCM_24", 96_000, 2),
        ("PCM_32", 11_025, 1),
        ("FLOAT", 48_000, 2),
    ],
)
def test_a_track_is_the_source_to_the_bit_where_its_speaker_speaks_and_silence_elsewhere(
    tmp_path: Path, noise: Noise, subtype: str, rate: int, channels: int
) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, noise(5, rate, channels), rate, subtype=subtype)
    cut(source, tmp_path / "tracks")
    original, half = raw(source), round(HALF_FADE * rate) + 1
    silent = 128 if original.dtype == np.uint8 else 0
    for speaker in (0, 1):
        path = tmp_path / "tracks" / f"speaker_{speaker}.wav"
        header = soundfile.info(path)
        assert (header.subtype, header.samplerate, header.channels) == (subtype, rate, channels)
        track = raw(path)
        assert track.shape == original.shape
        quiet = np.ones(len(track), bool)
        for turn in TURNS:
            if turn.speaker == speaker:
                start, end = round(turn.start * rate), round(turn.end * rate)
                assert np.array_equal(track[start + half : end - half], original[start + half : end - half])
                quiet[max(0, start - half) : end + half] = False
        assert (track[quiet] == silent).all()


def test_tracks_of_lossless_and_of_lossy_sources_have_their_depth_and_sixteen_bits(
    tmp_path: Path, noise: Noise
) -> None:
    for name, subtype, expected in (
        ("a.flac", "PCM_24", "PCM_24"),
        ("b.mp3", None, "PCM_16"),
        ("c.ogg", None, "PCM_16"),
    ):
        source = tmp_path / name
        soundfile.write(source, noise(5, 44_100, 2), 44_100, subtype=subtype)
        cut(source, tmp_path / "tracks")
        assert soundfile.info(tmp_path / "tracks" / "speaker_0.wav").subtype == expected


def test_speakers_who_follow_each_other_without_a_pause_add_up_to_the_source(tmp_path: Path, noise: Noise) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, noise(5), 16_000)
    turns = (Turn(0, 2.0, 0), Turn(2.0, 3.001, 1), Turn(3.001, 5.0, 0))
    cut(source, tmp_path / "tracks", turns)
    both = sum(raw(tmp_path / "tracks" / f"speaker_{speaker}.wav").astype(int) for speaker in (0, 1))
    assert np.abs(both - raw(source)).max() <= 1  # of 32768, by rounding in the fades


def test_nothing_clicks_where_a_turn_begins_or_ends(tmp_path: Path) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, np.full(80_000, 0.8), 16_000, subtype="FLOAT")
    turns = (Turn(1.0, 2.0, 0), Turn(3.0, 3.004, 0), Turn(0.0, 5.0, 1))
    cut(source, tmp_path / "tracks", turns)
    steps = np.abs(np.diff(raw(tmp_path / "tracks" / "speaker_0.wav")[:, 0]))
    assert steps.max() < 0.8 * np.pi / 2 / (2 * HALF_FADE * 16_000) * 1.01  # the steepest step of a raised cosine
    assert (raw(tmp_path / "tracks" / "speaker_1.wav") == np.float32(0.8)).all()  # no fade at the recording's own ends


def test_overlap_goes_to_both_or_to_nobody_as_asked(tmp_path: Path, noise: Noise) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, noise(5), 16_000)
    inside = slice(round(2.006 * 16_000), round(2.094 * 16_000))
    for policy, expected in (("keep", raw(source)[inside]), ("mute", np.zeros_like(raw(source)[inside]))):
        cut(source, tmp_path / policy, overlap=policy)  # type: ignore[arg-type]
        for speaker in (0, 1):
            assert np.array_equal(raw(tmp_path / policy / f"speaker_{speaker}.wav")[inside], expected)
    for speaker, stretches in ALONE.items():
        track = raw(tmp_path / "mute" / f"speaker_{speaker}.wav")
        for start, end in stretches:
            alone = slice(round((start + 0.006) * 16_000), round((end - 0.006) * 16_000))
            assert np.array_equal(track[alone], raw(source)[alone])


def test_a_compact_track_leaves_out_the_silence_and_maps_back_to_the_source(tmp_path: Path, noise: Noise) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, noise(5), 16_000)
    full, compact = cut(source, tmp_path / "full"), cut(source, tmp_path / "compact", compact=True)
    assert full.compact_maps == {}
    for speaker in (0, 1):
        whole, short = (raw(tmp_path / kind / f"speaker_{speaker}.wav") for kind in ("full", "compact"))
        spans = compact.compact_maps[speaker]
        assert len(short) == round(sum(span.seconds for span in spans) * 16_000)
        rebuilt = np.zeros_like(whole)
        for span in spans:
            at, to, length = (round(x * 16_000) for x in (span.track_start, span.source_start, span.seconds))
            rebuilt[to : to + length] = short[at : at + length]
        assert np.array_equal(rebuilt, whole)


def test_a_gate_cuts_the_same_whatever_the_blocks(noise: Noise) -> None:
    block = (noise(5) * 32767).astype(np.int16)
    for seed in range(20):
        random = np.random.default_rng(seed)
        borders = np.sort(random.choice(np.arange(81_000), 2 * int(random.integers(1, 30)), replace=False))
        spans = union((int(start), min(80_000, int(end))) for start, end in borders.reshape(-1, 2))
        gate = Gate(spans, 16_000, len(block))
        whole = gate.cut(block, 0)
        assert whole is not None
        parts = [gate.cut(block[start : start + 1_000], start) for start in range(0, 80_000, 1_000)]
        joined = [np.zeros((1_000, 1), np.int16) if part is None else part for part in parts]
        assert np.array_equal(np.concatenate(joined), whole)


def test_spans_are_joined_and_subtracted_frame_by_frame() -> None:
    for seed in range(50):
        random = np.random.default_rng(seed)
        sets = [[tuple(sorted(random.integers(0, 60, 2).tolist())) for _ in range(6)] for _ in range(2)]
        masks = [np.zeros(60, bool), np.zeros(60, bool)]
        for mask, spans in zip(masks, sets, strict=True):
            for start, end in spans:
                mask[start:end] = True
        left = np.zeros(60, bool)
        for start, end in subtract(union(sets[0]), union(sets[1])).tolist():
            assert start < end
            left[start:end] = True
        assert np.array_equal(left, masks[0] & ~masks[1])


def test_turns_beyond_the_recording_are_cut_to_it() -> None:
    (spans,) = speaker_spans([Turn(-1, 1, 0), Turn(4.5, 9, 0)], 1, "keep", 100, 500)
    assert spans.tolist() == [[0, 100], [450, 500]]


def test_a_track_of_more_than_four_gibibytes_is_rf64(tmp_path: Path, recording: Path) -> None:
    media = dataclasses.replace(probe(recording), sample_rate=48_000, channels=2, layout="stereo")
    frames = (1 << 32) // 4 + 1_000
    tail = np.arange(-1_000, 1_000, dtype=np.int16).reshape(-1, 2)
    path = tmp_path / "long.wav"
    with closing(WavWriter(path, media, frames)) as writer:
        writer.skip(frames - 1_000)
        writer.write(tail)
    with path.open("rb") as file:
        assert file.read(4) == b"RF64"
    assert path.stat().st_blocks * 512 < 1 << 20  # silence takes no space
    with soundfile.SoundFile(path) as sound:
        assert sound.frames == frames
        sound.seek(frames - 1_000)
        assert np.array_equal(sound.read(dtype="int16"), tail)
    path.unlink()


def test_a_writer_says_when_frames_are_missing(tmp_path: Path, recording: Path) -> None:
    writer = WavWriter(tmp_path / "short.wav", probe(recording), 10)
    writer.skip(9)
    with pytest.raises(ValueError, match="-2 bytes"):
        writer.close()


def test_lossy_sound_over_full_scale_is_clipped_and_not_wrapped(tmp_path: Path) -> None:
    media = MediaInfo("mp3", "mp3", 8_000, 1, None, False, 1.0, "mono")
    with closing(WavWriter(tmp_path / "loud.wav", media, 3)) as writer:
        writer.write(np.array([[1.5], [-1.5], [0.25]], np.float32))
    samples, _ = soundfile.read(tmp_path / "loud.wav", dtype="int16")
    assert samples.tolist() == [32767, -32768, 8192]

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audio_engine.exemplar_separation import ExemplarSeparator
from audio_engine.exemplars import GRID, PIECE
from audio_engine.masking import Masking
from audio_engine.media import probe
from audio_engine.overlaps import Overlaps
from audio_engine.pipeline import run
from audio_engine.progress import ignore_progress
from audio_engine.rendering import render
from audio_engine.separation import Separator, si_sdr
from audio_engine.spectra import Grid
from audio_engine.types import Diarization, SpeakerRequest, Turn
from benchmarks.separation import measure, overlapped
from benchmarks.simulated import conversations

from .conftest import EVAL
from .voices import HIGH, LOW, RATE, Signal, Speaker

# Both alone, then together, then both alone again.
TURNS = (Turn(0.0, 12.0, 0), Turn(6.0, 8.0, 1), Turn(12.4, 18.0, 1), Turn(16.0, 18.0, 0))
TOGETHER = (slice(6 * RATE, 8 * RATE), slice(16 * RATE, 18 * RATE))


@dataclass(frozen=True)
class Scene:
    """A recording with `TURNS` and what each speaker alone said in it, all 18 s at 16 kHz."""

    mix: Signal
    truths: tuple[Signal, Signal]


def scene(first: Speaker, second: Speaker) -> Scene:
    truths = np.zeros((2, 18 * RATE), dtype=np.float32)
    for take, turn in enumerate(TURNS):
        speech = (first, second)[turn.speaker].says(turn.duration, take)
        start = round(turn.start * RATE)
        truths[turn.speaker, start : start + len(speech)] = speech
    return Scene(truths.sum(axis=0), (truths[0], truths[1]))


@pytest.fixture(scope="module")
def two() -> Scene:
    return scene(LOW, HIGH)


def by_exemplars(mix: Signal, turns: tuple[Turn, ...] = TURNS) -> ExemplarSeparator:
    return ExemplarSeparator(mix, Overlaps(turns, len(mix)))


def rendered(path: Path, separator: Separator, turns: tuple[Turn, ...] = TURNS) -> list[np.ndarray]:
    """The tracks of a WAV, shape (frames, channels) each, full scale 1."""
    media, folder = probe(path), path.with_suffix("")
    folder.mkdir(exist_ok=True)
    request = SpeakerRequest(path, folder)
    render(request, media, Diarization(turns, turns, 2, ()), Masking(media, separator), folder, ignore_progress)
    return [soundfile.read(folder / f"speaker_{n}.wav", always_2d=True)[0] for n in (0, 1)]


def test_spectra_left_as_they_are_give_the_samples_back(noise: object) -> None:
    for rate in (8_000, 11_025, 44_100):
        grid = Grid(rate)
        samples = np.random.default_rng(1).uniform(-1, 1, (2, 12 * grid.hop)).astype(np.float32)
        back = grid.synthesise(grid.analyse(samples))
        assert np.abs(back - samples)[:, 3 * grid.hop : -3 * grid.hop].max() < 1e-5


def test_two_voices_at_once_are_split(tmp_path: Path, two: Scene) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, two.mix, RATE, subtype="FLOAT")
    tracks = rendered(path, by_exemplars(two.mix))
    for (track, truth), where in itertools.product(zip(tracks, two.truths, strict=True), TOGETHER):
        assert si_sdr(track[where, 0], truth[where]) > si_sdr(two.mix[where], truth[where]) + 3


def test_tracks_in_overlap_add_up_to_the_source_and_are_the_source_elsewhere(tmp_path: Path, two: Scene) -> None:
    path = tmp_path / "stereo.wav"
    source = soxr.resample(np.stack([two.mix, 0.5 * two.mix], axis=1), RATE, 44_100)
    soundfile.write(path, source, 44_100, subtype="PCM_16")
    source = soundfile.read(path)[0]
    first, second = rendered(path, by_exemplars(two.mix))
    for start, stop in ((5.9, 8.1), (15.9, 17.9)):
        span = slice(round(start * 44_100), round(stop * 44_100))
        assert np.abs(first[span] + second[span] - source[span]).max() < 2.5 / 32768
    alone = slice(9 * 44_100, 11 * 44_100)
    assert np.array_equal(first[alone], source[alone])
    assert not second[alone].any()


def test_a_speaker_who_rests_within_their_turn_is_hardly_heard(two: Scene) -> None:
    turns = (*TURNS, Turn(9.0, 11.0, 1))  # 1 says nothing in it
    separator = by_exemplars(two.mix, turns)
    resting = next(overlap for overlap in separator.overlaps.stretches if overlap.start == 9 * RATE)
    assert separator.separable(resting)
    mask = separator.masks(resting, *GRID.within(resting.start, resting.stop))[1]
    magnitudes = np.abs(GRID.analyse(two.mix[9 * RATE : 11 * RATE])).T
    let_through = ((mask * magnitudes) ** 2).sum() / (magnitudes**2).sum()
    assert 10 * np.log10(let_through) < -15


def test_one_voice_under_two_names_stays_a_copy(tmp_path: Path) -> None:
    same = scene(LOW, LOW)
    path = tmp_path / "same.wav"
    soundfile.write(path, same.mix, RATE, subtype="PCM_16")
    separator = by_exemplars(same.mix)
    tracks = rendered(path, separator)
    assert [span.separated for span in separator.spans()] == [False, False]
    source = soundfile.read(path)[0]
    middle = slice(round(6.1 * RATE), round(7.9 * RATE))
    assert all(np.array_equal(track[middle, 0], source[middle]) for track in tracks)


def test_a_speaker_hardly_heard_alone_stays_a_copy(two: Scene) -> None:
    turns = (Turn(0.0, 12.0, 0), Turn(6.0, 8.0, 1), Turn(16.0, 18.0, 0), Turn(15.5, 18.0, 1))
    spans = by_exemplars(two.mix, turns).spans()
    assert [(span.start, span.end, span.speakers, span.separated) for span in spans] == [
        (6.0, 8.0, (0, 1), False),
        (16.0, 18.0, (0, 1), False),
    ]


def test_a_long_overlap_is_solved_in_pieces_that_fit_together(two: Scene) -> None:
    long = np.concatenate([two.mix, np.tile(two.mix[6 * RATE : 8 * RATE], 10)])
    turns = (*TURNS, Turn(18.0, 38.0, 0), Turn(18.0, 38.0, 1))
    separator = by_exemplars(long, turns)
    overlap = separator.overlaps.stretches[-1]
    first, last = GRID.within(overlap.start, overlap.stop)
    assert first // PIECE < last // PIECE
    whole = separator.masks(overlap, first, last)
    assert np.allclose(sum(whole.values()), 1, atol=1e-5)
    parts = [separator.masks(overlap, frame, frame + 7)[0] for frame in range(first, first + 700, 7)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole[0][:, :700])


def test_two_runs_give_identical_tracks(tmp_path: Path, two: Scene) -> None:
    written = []
    for time in ("one", "two"):
        path = tmp_path / f"{time}.wav"
        soundfile.write(path, two.mix, RATE, subtype="PCM_16")
        rendered(path, by_exemplars(two.mix))
        written.append([(tmp_path / time / f"speaker_{n}.wav").read_bytes() for n in (0, 1)])
    assert written[0] == written[1]


def test_the_result_says_which_overlaps_are_separated(tmp_path: Path, scripted: str, recording: Path) -> None:
    result = run(SpeakerRequest(recording, tmp_path / "out", engine=scripted))
    assert (result.overlap, result.separator) == ("separate", "exemplars")
    assert [(span.start, span.speakers) for span in result.overlaps] == [(n, (0, 1)) for n in (1.0, 2.0, 3.0, 4.0)]
    assert not any(span.separated for span in result.overlaps)  # noise all of it
    for other in ("keep", "mute"):
        result = run(SpeakerRequest(recording, tmp_path / other, engine=scripted, overlap=other))  # type: ignore[arg-type]
        assert (result.overlaps, result.separator) == ((), "")


def test_separation_gains_on_simulated_conversations() -> None:
    if not EVAL.exists():
        pytest.skip(f"no recordings with references at {EVAL}")
    three = itertools.islice(filter(overlapped, conversations(EVAL)), 3)
    gains = [measure(conversation)[3] for conversation in three]
    assert min(gains) >= 3

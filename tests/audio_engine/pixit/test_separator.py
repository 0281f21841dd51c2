"""From a network's streams to tracks. Where its answer matters the network is scripted: its own weights are random."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audio_engine import registry
from audio_engine.backends.pixit import PixitSeparator, matching
from audio_engine.backends.pixit.estimates import EstimatedSeparator
from audio_engine.backends.pixit.matching import assign, scaled
from audio_engine.backends.pixit.windows import extent, windows_over
from audio_engine.errors import Canceled
from audio_engine.exemplars import GRID
from audio_engine.formats import result_from_json
from audio_engine.masking import Masking
from audio_engine.media import probe
from audio_engine.memory import Samples, release_pages
from audio_engine.overlaps import Overlap, Overlaps
from audio_engine.pipeline import run
from audio_engine.progress import ignore_progress
from audio_engine.rendering import render
from audio_engine.separation import MASK_FLOOR, si_sdr
from audio_engine.types import Diarization, SpeakerRequest, Stage, Turn
from tests.audio_engine.test_separation import TOGETHER, TURNS, Scene, scene
from tests.audio_engine.voices import HIGH, LOW, RATE, Signal, Speaker

SIZE = 2 * RATE  # of the tiny network's windows
Split = Callable[..., EstimatedSeparator]


class Script:
    """In place of the network's forward pass: gives `truths`, shape (streams, samples), for any window of their sum, in
    an order and at a level of its own for each.
    """

    def __init__(self, truths: Signal, leak: float = 0.0) -> None:
        self.truths, self.leak = truths, leak
        self.mix = truths.sum(axis=0)
        self.heard: list[int] = []

    def __call__(self, waveforms: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, torch.from_numpy(np.stack([self._streams(row) for row in waveforms[:, 0].numpy()]))

    def _streams(self, window: Signal) -> Signal:
        """Shape (samples, streams)."""
        start = self._start(window) if window.any() else -len(window)
        self.heard.append(start)
        if start < 0:
            return np.zeros((len(window), len(self.truths)), dtype=np.float32)
        random = np.random.default_rng(len(self.heard))
        streams = self.truths[:, start : start + len(window)]
        streams = streams + self.leak * (streams.sum(axis=0) - streams)
        return (np.float32(random.uniform(0.2, 5.0)) * streams)[random.permutation(len(streams))].T

    def _start(self, window: Signal) -> int:
        (starts,) = np.nonzero(np.isclose(self.mix[: len(self.mix) - len(window) + 1], window[0], atol=0))
        return next(int(s) for s in starts if np.array_equal(self.mix[s : s + len(window)], window))


@pytest.fixture
def split(loaded: PixitSeparator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Split:
    """What the engine makes of a script's mixture, by its turns."""

    def make(script: Script, turns: tuple[Turn, ...] = TURNS) -> EstimatedSeparator:
        assert loaded._network
        monkeypatch.setattr(loaded._network._network, "forward", script)
        return loaded.separator(script.mix, Overlaps(turns, len(script.mix)), tmp_path, ignore_progress)

    return make


@pytest.fixture(scope="module")
def two() -> Scene:
    return scene(LOW, HIGH)


def three_streams(*truths: Signal) -> Signal:
    """As the network gives them: what nobody says is left in the others."""
    streams = np.zeros((3, len(truths[0])), dtype=np.float32)
    streams[: len(truths)] = truths
    return streams


def rendered(source: Signal, rate: int, separator: EstimatedSeparator, folder: Path) -> list[Signal]:
    """The tracks, shape (frames, channels) each."""
    path = folder / "source.wav"
    soundfile.write(path, source, rate, subtype="FLOAT")
    media, request = probe(path), SpeakerRequest(path, folder)
    found = Diarization(TURNS, TURNS, 2, ())
    render(request, media, found, Masking(media, separator), folder, ignore_progress)
    return [soundfile.read(folder / f"speaker_{n}.wav", always_2d=True, dtype="float32")[0] for n in (0, 1)]


# --- whose is whose


def test_streams_go_to_their_speakers_in_whatever_order_and_at_whatever_level(two: Scene, split: Split, tmp_path: Path):
    script = Script(three_streams(*two.truths), leak=0.1)
    separator = split(script)
    assert [span.separated for span in separator.spans()] == [True, True]
    tracks = rendered(two.mix, RATE, separator, tmp_path)
    for (track, truth), where in itertools.product(zip(tracks, two.truths, strict=True), TOGETHER):
        assert si_sdr(track[where, 0], truth[where]) > si_sdr(two.mix[where], truth[where]) + 12


def test_only_what_is_around_overlaps_is_heard(two: Scene, split: Split):
    script = Script(three_streams(*two.truths))
    split(script)
    assert len(script.heard) == 4
    for start in script.heard:
        assert any(start < stop.stop and start + SIZE > stop.start for stop in TOGETHER)


def test_a_speaker_without_a_turn_there_gets_nothing_of_what_leaks(two: Scene, split: Split):
    turns = (Turn(0.0, 12.0, 0), Turn(6.0, 7.0, 1), Turn(7.08, 8.0, 2), *TURNS[2:], Turn(19.0, 21.0, 2))
    truths = [np.pad(truth, (0, 3 * RATE)) for truth in two.truths]
    third = np.zeros_like(truths[0])
    third[round(7.08 * RATE) : 8 * RATE] = truths[1][round(7.08 * RATE) : 8 * RATE]
    truths[1][round(7.08 * RATE) : 8 * RATE] = 0
    third[19 * RATE : 21 * RATE] = Speaker(pitch=150, tract=1.05, seed=3).says(2.0, 9)
    separator = split(Script(three_streams(*truths, third), leak=0.1), turns)
    overlap = separator.overlaps.stretches[0]
    assert overlap == Overlap(6 * RATE, 8 * RATE, (0, 1, 2))  # the pause is shorter than a frame
    assert separator.separable(overlap)
    first, last = GRID.touching(overlap.start, overlap.stop)
    masks = separator.masks(overlap, first, last)
    assert np.allclose(sum(masks.values()), 1, atol=1e-5)
    active = separator.overlaps.active(overlap.speakers, first, last)
    assert not active[1:].all(axis=1).any()
    for speaker, mask in masks.items():
        assert not mask[:, ~active[speaker]].any()
        assert mask[:, active[speaker]].min() >= MASK_FLOOR - 1e-6


def test_voices_that_cannot_be_told_apart_are_left_to_the_embedded_separation(split: Split):
    same = scene(LOW, LOW)
    muddled = Script(three_streams(0.5 * same.mix, 0.5 * same.mix))
    separator = split(muddled)
    assert not separator._solved
    assert [span.separated for span in separator.spans()] == [False, False]  # which cannot either


def test_a_window_with_more_speakers_than_streams_is_left_too(two: Scene, split: Split):
    others = tuple(Turn(5.4 + 0.1 * n, 5.5 + 0.1 * n, n) for n in (2, 3))
    separator = split(Script(three_streams(*two.truths)), (*TURNS, *others))
    solved = {(overlap.start, overlap.stop) for overlap in separator._solved}
    assert solved == {(16 * RATE, 18 * RATE)}


def test_a_speaker_hardly_heard_alone_is_left_too(two: Scene, split: Split):
    turns = (Turn(0.0, 12.0, 0), Turn(6.0, 8.0, 1), Turn(16.0, 18.0, 0), Turn(15.5, 18.0, 1))
    script = Script(three_streams(*two.truths))
    assert not split(script, turns)._solved
    assert not script.heard  # and costs nothing


@pytest.mark.parametrize(
    ("suiting", "wanted", "chosen"),
    [
        ([[1.2, 0.4, 0.1], [0.3, 1.4, 0.2]], 2, (0, 1)),
        ([[1.2, 1.1, 0.1], [0.3, 1.4, 0.2]], 2, (0, 1)),  # the first has but one choice, since the second takes one
        ([[1.0, 0.9, 0.1], [1.0, 1.0, 0.2]], 2, None),  # as good the other way round
        ([[1.2, 0.4, 0.1], [0.3, 0.4, 0.2]], 2, None),  # nothing suits the second
        ([[1.2, 0.4, 0.1], [0.3, 0.9, 0.8]], 1, (0,)),  # only where somebody else's is, is open
        ([[1.2], [1.1]], 2, None),  # too few streams
    ],
)
def test_streams_are_assigned_where_one_choice_is_the_best(
    suiting: list[list[float]], wanted: int, chosen: tuple[int, ...] | None
):
    assert assign(np.array(suiting), wanted) == chosen


def test_streams_are_brought_to_the_level_they_have_in_the_mixture(two: Scene):
    truths = np.stack(two.truths)[:, 5 * RATE : 9 * RATE]
    for level in (np.float32(0.01), np.float32(7)):
        assert np.allclose(scaled(level * truths, truths.sum(axis=0)), truths, atol=1e-4)
    assert not scaled(0 * truths, truths.sum(axis=0)).any()


# --- all of the band


def voice_with_highs(speaker: Speaker, seconds: float, take: int) -> Signal:
    """At 48 kHz: what the speaker says, and hiss from 9 to 20 kHz as loud as the voice is at each moment."""
    import soxr

    speech = soxr.resample(speaker.says(seconds, take), RATE, 48_000)
    level = np.sqrt(np.convolve(speech**2, np.ones(2400) / 2400, mode="same"))
    spectrum = np.fft.rfft(np.random.default_rng(take).standard_normal(len(speech)))
    frequencies = np.fft.rfftfreq(len(speech), 1 / 48_000)
    spectrum[(frequencies < 9_000) | (frequencies > 20_000)] = 0
    hiss = np.fft.irfft(spectrum, len(speech))
    return (speech + 0.3 * level * hiss / hiss.std()).astype(np.float32)


def highs(signal: Signal) -> Signal:
    spectrum = np.fft.rfft(signal)
    spectrum[np.fft.rfftfreq(len(signal), 1 / 48_000) < 9_000] = 0
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32)


def test_a_right_estimate_at_16_khz_keeps_each_persons_high_band(split: Split, tmp_path: Path):
    import soxr

    truths = np.zeros((2, 18 * 48_000), dtype=np.float32)
    for take, turn in enumerate(TURNS):
        speech = voice_with_highs((LOW, HIGH)[turn.speaker], turn.duration, take)
        start = round(turn.start * 48_000)
        truths[turn.speaker, start : start + len(speech)] = speech
    # Who speaks at once takes turns within, so that what is high is one person's at a time.
    pattern = (np.arange(truths.shape[1]) // 24_000) % 2
    for where in TOGETHER:
        inside = slice(where.start * 3, where.stop * 3)
        truths[0, inside] *= pattern[inside] == 0
        truths[1, inside] *= pattern[inside] == 1
    known = np.stack([soxr.resample(truth, 48_000, RATE) for truth in truths])
    assert np.abs(np.fft.rfftfreq(16, 1 / RATE)).max() < 9_000  # nothing of the highs is in what the network hears
    tracks = rendered(truths.sum(axis=0), 48_000, split(Script(three_streams(*known))), tmp_path)
    for (track, truth), where in itertools.product(zip(tracks, truths, strict=True), TOGETHER):
        inside = slice(where.start * 3 + 2_400, where.stop * 3 - 2_400)
        own, kept = highs(truth)[inside], highs(track[:, 0])[inside]
        mixed = highs(truths.sum(axis=0))[inside]
        assert si_sdr(kept, own) > si_sdr(mixed, own) + 7
        assert np.sum(kept**2) > 0.6 * np.sum(own**2)


def test_tracks_keep_rate_and_channels_and_are_the_source_outside_overlaps(two: Scene, split: Split, tmp_path: Path):
    import soxr

    source = soxr.resample(np.stack([two.mix, 0.5 * two.mix], axis=1), RATE, 44_100)
    first, second = rendered(source, 44_100, split(Script(three_streams(*two.truths))), tmp_path)
    assert first.shape == source.shape
    together = slice(round(5.9 * 44_100), round(8.1 * 44_100))
    assert np.abs(first[together] + second[together] - source[together]).max() < 1e-4
    alone = slice(9 * 44_100, 11 * 44_100)
    assert np.array_equal(first[alone], source[alone])
    assert not second[alone].any()


# --- long recordings


def test_batches_of_several_windows_give_the_same(
    two: Scene, split: Split, loaded: PixitSeparator, monkeypatch: pytest.MonkeyPatch
):
    one_by_one = split(Script(three_streams(*two.truths)))
    monkeypatch.setattr(loaded._network, "_most", 3)
    script = Script(three_streams(*two.truths))
    together = split(script)
    assert len(script.heard) == 6  # four windows, and two of silence so that both batches have one shape
    for overlap in together.overlaps.stretches:
        first, last = GRID.touching(overlap.start, overlap.stop)
        for speaker, mask in together.masks(overlap, first, last).items():
            assert np.allclose(mask, one_by_one.masks(overlap, first, last)[speaker], atol=1e-3)


@pytest.mark.parametrize(
    "overlap",
    [
        Overlap(0, 400, (0, 1)),
        Overlap(9_000, 10_000, (0, 1)),
        Overlap(100, 300_000, (0, 1)),
        Overlap(1, 320_000, (0, 1)),
    ],
)
def test_windows_cover_an_overlap_and_add_up_to_one(overlap: Overlap):
    low, high = extent(overlap)
    low, high = max(0, low), min(320_000, high)
    weights = np.zeros(320_000)
    for window in windows_over(overlap, SIZE, 320_000):
        weights[window.start : window.start + SIZE] += window.weights
    assert np.allclose(weights[low:high], 1, atol=1e-5)


def test_a_recording_shorter_than_a_window_is_heard_whole():
    (window,) = windows_over(Overlap(100, 5_000, (0, 1)), SIZE, 9_000)
    assert window.start == 0
    assert np.allclose(window.weights, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_memory_does_not_grow_with_the_overlaps(
    loaded: PixitSeparator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two: Scene
):
    """Half an hour in which two speak at once nearly all the time: 220 MiB of estimates, kept in a file."""
    seconds = 1_800
    pcm: Samples = np.memmap(tmp_path / "pcm", mode="w+", dtype=np.float32, shape=(seconds * RATE,))
    pcm[: 18 * RATE] = two.mix
    pcm[18 * RATE :] = np.tile(two.mix[6 * RATE : 8 * RATE], (seconds - 18) // 2)
    turns = (*TURNS, Turn(18.0, seconds, 0), Turn(18.0, seconds, 1))
    overlaps = Overlaps(turns, len(pcm))
    assert loaded._network
    monkeypatch.setattr(loaded._network._network, "forward", _halves)
    monkeypatch.setattr(matching.Voices, "suiting", lambda *_: np.eye(2, 3))
    loaded.separator(pcm[: 30 * RATE], Overlaps(turns, 30 * RATE), tmp_path, ignore_progress)
    release_pages(pcm)
    before = resident_since_now()
    separator = loaded.separator(pcm, overlaps, tmp_path, ignore_progress)
    longest = overlaps.stretches[-1]
    first, last = GRID.within(longest.start, longest.stop)
    for frame in range(first, last - 50, 10_000):
        found = separator._estimates.of(longest, frame, frame + 50)
        assert found.shape == (2, 53 * GRID.hop)
    assert (tmp_path / "estimates.f32").stat().st_size > 200 << 20
    assert most_resident() - before < 60 << 10  # KiB


def resident_since_now() -> int:
    """KiB that this process holds; the most it has held counts from now on."""
    Path("/proc/self/clear_refs").write_text("5")
    return most_resident()


def most_resident() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def _halves(waveforms: torch.Tensor) -> tuple[None, torch.Tensor]:
    return None, torch.stack([waveforms[:, 0] / 2] * 2 + [0 * waveforms[:, 0]], dim=2)


# --- as a whole


def test_a_named_separator_splits_and_the_result_says_which_models_did(
    models: Path, scripted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recording: Path
):
    monkeypatch.setitem(registry.ENGINES, "pixit", "audio_engine.backends.pixit:PixitSeparator")
    told: list[tuple[Stage, float]] = []
    request = SpeakerRequest(recording, tmp_path / "out", engine=scripted, separator="pixit")
    result = run(request, lambda *progress: told.append(progress))
    assert (result.separator, len(result.overlaps)) == ("pixit", 4)
    assert result.models[:2] == ("scripted 1", "separation-ami-1.0")
    assert result.models[2].startswith("pyannote.audio ")
    assert "overlaps" in [stage for stage, _ in told]
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    kept = result_from_json(json.loads((tmp_path / "out" / "result.json").read_text()))
    assert kept.separator == "pixit"  # type: ignore[attr-defined]
    again = run(SpeakerRequest(recording, tmp_path / "again", engine=scripted, separator="pixit"))
    assert again.overlaps == result.overlaps
    for name in ("speaker_0.wav", "speaker_1.wav"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_without_overlaps_no_separator_is_loaded(scripted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry.resolve("exemplars"), "load", lambda: pytest.fail("loaded"))
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    result = run(SpeakerRequest(tmp_path / "silence.wav", tmp_path / "out", engine=scripted))
    assert (result.separator, result.overlaps) == ("", ())


def test_separation_can_be_canceled_and_hands_back_what_is_kept_of_a_gpus_memory(
    loaded: PixitSeparator, two: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given_back: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))

    def cancel(stage: Stage, fraction: float) -> None:
        assert (stage, fraction) == ("overlaps", 0.25)
        raise Canceled

    with pytest.raises(Canceled):
        loaded.separator(two.mix, Overlaps(TURNS, len(two.mix)), tmp_path, cancel)
    assert given_back == [True]

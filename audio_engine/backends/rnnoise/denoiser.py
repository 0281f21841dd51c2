"""RNNoise's idea of the speech in a recording and the level of its noise, each of which misses what the other hears.

Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement" (IEEE MMSP 2018). What it makes
of the recording is not heard itself: it says what part of each bin is speech, so that phase, rate and channels stay.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soxr

from ...errors import EngineError
from ...noise import tracker
from ...sound import Quality
from ...spectra import Signal
from ...suppression import HOP_SECONDS, SpeechEstimate, Suppressor
from ...types import MediaInfo
from ..base import Denoiser
from .library import DELAY, FRAME, PACKAGE, RATE, Library, locate

HIGHEST = 20_000.0  # Hz; what lies above it leaves out
PASSED = 0.45  # of a sample rate, what resampling leaves as it is
# The least part of an amplitude that is taken for speech. Among other voices RNNoise may lose the one that is meant.
FLOOR, DEEPEST = 0.1, 0.01
HOW = f"pip install --no-deps {PACKAGE}==0.4.5"  # of another one it is not known how late it is


class RnnoiseDenoiser(Denoiser):
    """With `suppression.FLOOR`, what is no speech goes down by up to 20 dB, in quality `ultra` by up to 30 dB."""

    name = "rnnoise"
    hears_pauses = False  # what they sound like adds nothing to what RNNoise hears

    def missing(self) -> str | None:
        return None if locate() else f"The package {PACKAGE} is not installed: {HOW}"

    def load(self) -> None:
        self._library()

    def models(self) -> tuple[str, ...]:
        return (f"{PACKAGE} {version(PACKAGE)}",)

    def suppressor(self, media: MediaInfo, quality: Quality, strength: float) -> Suppressor:
        rate, channels = media.sample_rate, media.channels
        speech = RnnoiseEstimate(self._library(), rate, channels, DEEPEST if quality == "ultra" else FLOOR)
        return Suppressor(rate, channels, tracker(quality, HOP_SECONDS), strength, speech)

    def _library(self) -> Library:
        path = locate()
        if path is None:
            raise EngineError("ENGINE_UNAVAILABLE", str(self.missing()), details={"engine": self.name})
        try:
            return _opened(path)
        except OSError as error:
            raise EngineError(
                "ENGINE_UNAVAILABLE",
                f"The library of {PACKAGE} cannot be used here ({error}). Install it anew: {HOW} --force-reinstall",
                details={"engine": self.name},
            ) from error


@cache
def _opened(path: Path) -> Library:
    return Library(path)


class RnnoiseEstimate(SpeechEstimate):
    """Hears each channel by itself: a mix of them might cancel what they have in common."""

    def __init__(self, library: Library, rate: int, channels: int, floor: float = FLOOR) -> None:
        self.highest, self.floor = min(HIGHEST, PASSED * rate), floor
        self._channels = [library.channel() for _ in range(channels)]
        self._to, self._back = _Resampler(rate, RATE, channels), _Resampler(RATE, rate, channels)
        self._waiting = np.zeros((0, channels), np.float32)  # less than a frame
        self._skip, self._inside = DELAY, 0  # samples at 48 kHz: to leave out, and to come
        self._owed = 0

    def push(self, signal: Signal, *, last: bool = False) -> Signal:
        self._owed += len(signal)
        raised = self._to(signal, last=last)
        self._inside += len(raised)
        beyond = np.zeros((DELAY + FRAME if last else 0, len(self._channels)), np.float32)
        speech = self._back(self._heard(np.concatenate([self._waiting, raised, beyond])), last=last)[: self._owed]
        if last:  # resampling there and back may be short of a sample
            speech = np.pad(speech, ((0, self._owed - len(speech)), (0, 0)))
        self._owed -= len(speech)
        return speech

    def _heard(self, sound: Signal) -> Signal:
        whole = len(sound) // FRAME * FRAME
        self._waiting = sound[whole:]
        heard = np.stack([hear(sound[:whole, number]) for number, hear in enumerate(self._channels)], axis=1)
        done = heard[self._skip :][: self._inside]
        self._skip -= min(self._skip, whole)
        self._inside -= len(done)
        return done


class _Resampler:
    def __init__(self, rate: int, wanted: int, channels: int) -> None:
        self._stream = None if rate == wanted else soxr.ResampleStream(rate, wanted, channels, "float32")

    def __call__(self, signal: Signal, *, last: bool) -> Signal:
        if self._stream is None:
            return signal
        resampled: Signal = self._stream.resample_chunk(np.ascontiguousarray(signal), last)
        return resampled.reshape(-1, signal.shape[1])

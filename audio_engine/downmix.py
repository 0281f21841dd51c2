"""The signal that speech backends hear: one channel at 16 kHz, on disk, mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
import soxr

from .decoding import Decoder, to_float
from .parallel import ahead
from .types import MediaInfo, Progress, Request

RATE = 16_000  # Hz

# Dialogue sits in the centre of surround sound, effects behind; proportions as in ITU-R BS.775.
SURROUND_WEIGHTS = {"FC": 1.0, "FL": 0.7071, "FR": 0.7071, "LFE": 0.0, "LFE2": 0.0}
OTHER_CHANNELS = 0.5

CLEAR = 0.5  # correlation from which two channels count as the same signal, or as its inverse
FADE_FRAMES = 480
AUDIBLE = 1e-5  # RMS below which a second of a channel says nothing about its polarity

SCALED_AT_ONCE = 1 << 22  # bytes

Signal = npt.NDArray[np.float32]


class Downmixer:
    """Mixes blocks to mono, with channels of opposite polarity turned over so that they do not cancel each other.

    Polarity is judged anew in each block, by correlation with the loudest channel, and faded where it changes.
    """

    def __init__(self, layout: str, channels: int) -> None:
        weights = np.array(_layout_weights(layout, channels), dtype=np.float32)
        self._weights = weights / weights.sum()
        self._polarity = np.ones(channels, dtype=np.float32)

    def mono(self, block: Signal) -> Signal:
        """`block` has shape (frames, channels), the result (frames,)."""
        if block.shape[1] == 1:
            return block[:, 0]
        before = self._weights * self._polarity
        self._judge_polarity(block)
        after = self._weights * self._polarity
        mixed: Signal = block @ after
        if (before != after).any():
            fade = np.linspace(1, 0, min(len(block), FADE_FRAMES), dtype=np.float32)
            mixed[: len(fade)] += fade * (block[: len(fade)] @ (before - after))
        return mixed

    def _judge_polarity(self, block: Signal) -> None:
        products = block.T @ block
        levels = np.sqrt(np.diag(products))
        loudest = int(np.argmax(levels))
        heard = levels > AUDIBLE * np.sqrt(len(block))
        if not heard[loudest]:
            return
        correlation = products[loudest] / np.maximum(levels * levels[loudest], 1e-12)
        clear = heard & (np.abs(correlation) > CLEAR)
        self._polarity[clear] = (self._polarity[loudest] * np.sign(correlation))[clear]


def _layout_weights(layout: str, channels: int) -> list[float]:
    names = [channel.name for channel in av.AudioLayout(layout).channels] if layout else []
    if channels <= 2 or "FC" not in names:
        return [1.0] * channels
    return [SURROUND_WEIGHTS.get(name, OTHER_CHANNELS) for name in names]


def decode_mono(
    request: Request, media: MediaInfo, path: Path, progress: Progress
) -> tuple[Signal, MediaInfo, tuple[str, ...]]:
    """The signal of a request's source by `write_mono`, `media` with its exact length, and warnings of what is missing.

    Reports the stage `decode`. Raises as `write_mono` does.
    """
    decoder = Decoder(request.source, request.limits)
    pcm = write_mono(decoder, media.layout, path, lambda seconds: progress("decode", seconds / media.seconds))
    return pcm, replace(media, seconds=decoder.frames / decoder.rate), tuple(damage(decoder))


def damage(decoder: Decoder) -> Iterator[str]:
    """What a decoder that is done found missing or damaged, as warnings."""
    if decoder.missing_frames:
        seconds = decoder.missing_frames / decoder.rate
        yield f"{seconds:.2f} s of the recording are missing or damaged and count as silence."
    if decoder.invalid_samples:
        yield f"{decoder.invalid_samples} samples of the recording are no valid numbers and count as silence."


def write_mono(decoder: Decoder, layout: str, path: Path, progress: Callable[[float], None]) -> Signal:
    """Decode everything into `path` as raw float32 and map it: shape (samples,), 16 kHz, scaled down where it is over
    full scale. `progress` gets the seconds done. Raises what `Decoder.blocks` raises, and OSError.
    """
    mixer = resampler = None
    peak, frames = 0.0, 0
    with path.open("wb", buffering=1 << 20) as file:
        for block in ahead(decoder.blocks()):
            mixer = mixer or Downmixer(layout, block.shape[1])
            resampler = resampler or soxr.ResampleStream(decoder.rate, RATE, 1, dtype="float32")
            peak = max(peak, _append(file, resampler.resample_chunk(mixer.mono(to_float(block)))))
            frames += len(block)
            progress(frames / decoder.rate)
        if resampler is not None:
            peak = max(peak, _append(file, resampler.resample_chunk(np.zeros(0, np.float32), last=True)))
    if peak > 1:
        _scale(path, 1 / peak)
    return np.memmap(path, dtype=np.float32, mode="r")


def _append(file: BinaryIO, samples: Signal) -> float:
    """Write `samples` and return their peak."""
    file.write(samples.tobytes())
    return float(np.abs(samples).max(initial=0))


def _scale(path: Path, factor: float) -> None:
    with path.open("r+b") as file:
        while samples := file.read(SCALED_AT_ONCE):
            file.seek(-len(samples), os.SEEK_CUR)
            file.write((np.frombuffer(samples, np.float32) * np.float32(factor)).tobytes())

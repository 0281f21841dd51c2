"""Files of parts of a recording that are no speaker's, at a rate and depth of their own choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from .decoding import from_float
from .types import MediaInfo, OutputFile
from .wav import SampleFormat, WavWriter

Signal = npt.NDArray[np.float32]

STORED_AS = {8: np.uint8, 16: np.int16, 24: np.int32, 32: np.int32}


class Stem:
    """A WAV file `name`.wav in `folder` of a recording's `frames` frames, written block by block. There may be a
    fraction of one where the recording was resampled before: what counts are the file's own.

    `rate` in Hz and `bits` per sample (8 to 32; the file has the next of 8, 16, 24, 32) are the recording's own where
    they are None. Resampled by soxr at its high quality.
    """

    def __init__(
        self, folder: Path, name: str, media: MediaInfo, frames: float, rate: int | None = None, bits: int | None = None
    ) -> None:
        rate = rate or media.sample_rate
        wanted = replace(media, sample_rate=rate)
        if bits is not None:
            wanted = replace(wanted, bits=bits, floating=False)
        sample = SampleFormat.of_source(wanted)
        self._path = folder / f"{name}.wav"
        self._dtype = np.dtype(np.float32 if sample.floating else STORED_AS[sample.bits])
        self._left = round(frames * rate / media.sample_rate)
        self._writer = WavWriter(self._path, wanted, self._left)
        self._resampler = (
            soxr.ResampleStream(media.sample_rate, rate, media.channels, dtype="float32", quality="HQ")
            if rate != media.sample_rate
            else None
        )
        self._channels = media.channels

    def append(self, signal: Signal) -> None:
        """Append frames, shape (frames, channels), full scale 1.0."""
        if self._resampler:
            signal = self._resampler.resample_chunk(np.ascontiguousarray(signal))
        self._write(signal)

    def close(self) -> OutputFile:
        if self._resampler:
            self._write(self._resampler.resample_chunk(np.empty((0, self._channels), np.float32), last=True))
            self._write(np.zeros((self._left, self._channels), np.float32))  # what rounding left out
        self._writer.close()
        return OutputFile("audio", self._path.name, self._path.stat().st_size)

    def abandon(self) -> None:
        self._writer.abandon()

    def _write(self, signal: Signal) -> None:
        kept = signal[: self._left]
        self._left -= len(kept)
        self._writer.write(from_float(kept, self._dtype))

"""The voices of a recording out of its music, by htdemucs, where music plays; elsewhere the pauses say what to lower.

What the network makes of the recording is not heard itself: it says what part of each bin is voice, so that tracks keep
the recording's own rate, channels and band.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import soxr

from ...background import MASK_FLOOR, BackgroundMask
from ...cleaning import Cleaning, PauseCleaning
from ...decoding import Decoder
from ...exemplars import GRID, PIECE, RATE, Matrix, pieces
from ...hardware import accelerator
from ...masking import Mask, Masking, with_surroundings
from ...memory import Samples, release_pages
from ...mixing import Channels, Mix, Signal, write_mix
from ...music_detection import pieces_with_music
from ...tracks import Spans, union
from ...types import MediaInfo, Progress, Turn
from ..base import Cleaner
from .splitter import DemucsSplitter

SPAN = PIECE * GRID.hop  # samples of a piece
MARGIN = RATE  # samples around music that are heard with it
DETECTING, DECODING = 0.05, 0.1  # of the work, until both are done
POWER = 2.0  # of the magnitudes whose ratio is a mask
NOTHING = 1e-10  # power that is added to both, so that silence is left as it is


class VocalsCleaner(Cleaner):
    name = "htdemucs-vocals"
    ahead: ClassVar[float] = 20.0

    def __init__(self) -> None:
        self._splitter = DemucsSplitter("htdemucs", ("drums", "bass", "other", "vocals"))

    def missing(self) -> str | None:
        return self._splitter.missing()

    def suits(self) -> bool:
        return accelerator() is not None

    def load(self) -> None:
        self._splitter.load()

    def cleaning(self, pcm: Samples, decoder: Decoder, media: MediaInfo, scratch: Path, progress: Progress) -> Cleaning:
        music = pieces_with_music(pcm, lambda done: progress("separation", DETECTING * done))
        if not music:
            return PauseCleaning(pcm)
        channels = Channels.of(media.layout, media.channels)
        mix = write_mix(
            decoder,
            channels,
            self._splitter.rate,
            scratch / "music.f32",
            lambda seconds: progress("separation", DETECTING + (DECODING - DETECTING) * seconds / media.seconds),
        )
        estimates = Estimates(scratch / "voices.f32", len(pcm), channels)
        self._fill(estimates, mix, _with_margins(music, len(pcm)), progress)
        mix.path.unlink()
        return VocalsCleaning(pcm, music, estimates, scratch / "heard.f32", self._splitter.models())

    def _fill(self, estimates: Estimates, mix: Mix, spans: Spans, progress: Progress) -> None:
        done, whole = 0, int((spans[:, 1] - spans[:, 0]).sum())
        for start, stop in spans.tolist():
            for now in estimates.fill(start, self._vocals(mix, start, stop), mix.rate):
                progress("separation", min(1.0, DECODING + (1 - DECODING) * (done + now) / whole))
            done += stop - start

    def _vocals(self, mix: Mix, start: int, stop: int) -> Iterator[tuple[Signal, Signal]]:
        """Stretch by stretch what the network hears of the samples `start` to `stop`, counted at 16 kHz, and what of it
        are voices.
        """
        first, last = (min(mix.frames, round(sample * mix.rate / RATE)) for sample in (start, stop))
        part = mix.part(first, last)
        position = 0
        for stretch in self._splitter.split(part, frozenset({"vocals"})):
            vocals = stretch["vocals"]
            yield part.read(position, position + len(vocals)), vocals
            position += len(vocals)


def _with_margins(music: frozenset[int], samples: int) -> Spans:
    spans = ((piece * SPAN - MARGIN, (piece + 1) * SPAN + MARGIN) for piece in sorted(music))
    return union((max(0, start), min(samples, stop)) for start, stop in spans)


class Estimates:
    """Samples at 16 kHz of the voices and of everything else on each channel of a recording, kept in a file; zeros at
    first.
    """

    def __init__(self, path: Path, samples: int, channels: Channels) -> None:
        self._channels = channels
        self._samples: Samples = np.memmap(path, mode="w+", dtype=np.float32, shape=(samples, 2 * channels.count))
        self.pieces = -(-samples // SPAN)

    def fill(self, start: int, stretches: Iterator[tuple[Signal, Signal]], rate: int) -> Iterator[int]:
        """From sample `start` on with stretches at `rate` of the recording and of its voices, as pairs. Gives how many
        samples there are by now.
        """
        resampler = soxr.ResampleStream(rate, RATE, self._samples.shape[1], dtype="float32", quality="HQ")
        position = start
        for whole, vocals in stretches:
            voices, everything = self._channels.single(vocals), self._channels.single(whole)
            position = self._write(position, resampler.resample_chunk(np.hstack([voices, everything - voices])))
            yield position - start
        self._write(position, resampler.resample_chunk(np.empty((0, self._samples.shape[1]), np.float32), last=True))

    def _write(self, position: int, samples: Signal) -> int:
        stop = min(len(self._samples), position + len(samples))
        self._samples[position:stop] = samples[: stop - position]
        release_pages(self._samples)
        return stop

    def mask(self, first: int, last: int) -> Matrix:
        """What of each bin is voice in the frames `first` to `last`, shape (bins, frames)."""
        start, stop = GRID.extent(first, last)
        known = np.array(self._samples[max(0, start) : max(0, stop)])
        release_pages(self._samples)
        lead = max(0, -start)
        padded = np.pad(known, ((lead, stop - start - lead - len(known)), (0, 0)))
        powers = np.abs(GRID.analyse(np.ascontiguousarray(padded.T))) ** POWER
        voices, rest = (part.sum(axis=0).T + NOTHING for part in np.split(powers, 2))
        mask: Matrix = np.maximum(voices / (voices + rest), MASK_FLOOR).astype(np.float32)
        return mask


class VocalsMask:
    """By estimates in the pieces with `music`; elsewhere by `otherwise`, or nothing is taken away."""

    def __init__(self, music: frozenset[int], estimates: Estimates, otherwise: BackgroundMask | None) -> None:
        self._music, self._estimates, self._otherwise = music, estimates, otherwise

    @property
    def knows_background(self) -> bool:
        elsewhere = self._otherwise is None or self._otherwise.knows_background
        return elsewhere or self._music.issuperset(range(self._estimates.pieces))

    def mask(self, first: int, last: int) -> Matrix:
        masks = [
            self._estimates.mask(start, stop) if piece in self._music else self._elsewhere(start, stop)
            for piece, start, stop in pieces(first, last)
        ]
        return np.concatenate(masks, axis=1)

    def _elsewhere(self, first: int, last: int) -> Matrix:
        if self._otherwise is None:
            return np.ones((GRID.bins, last - first), np.float32)
        return self._otherwise.mask(first, last)


class VocalsCleaning(Cleaning):
    engine = VocalsCleaner.name

    def __init__(
        self, pcm: Samples, music: frozenset[int], estimates: Estimates, path: Path, models: tuple[str, ...]
    ) -> None:
        super().__init__(_masked(pcm, VocalsMask(music, estimates, None), path))
        self.models = models
        self._pcm, self._music, self._estimates = pcm, music, estimates

    def background(self, turns: Sequence[Turn]) -> VocalsMask:
        return VocalsMask(self._music, self._estimates, BackgroundMask(self._pcm, turns))


def _masked(pcm: Samples, mask: Mask, path: Path) -> Samples:
    """`pcm` by the mask, in a file at `path`."""
    masking = Masking(MediaInfo("", "pcm_f32le", RATE, 1, 32, True, len(pcm) / RATE), background=mask)
    seconds = (np.array(pcm[start : start + RATE, None]) for start in range(0, len(pcm), RATE))
    with path.open("wb") as file:
        for second, around in enumerate(with_surroundings(seconds, RATE)):
            file.write(masking.parts(around, second * RATE, 1)[0].tobytes())
            release_pages(pcm)
    return np.memmap(path, dtype=np.float32, mode="r")

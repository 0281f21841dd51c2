"""Telling music from other sounds in what is left of a recording without its speech.

Music is what sounds on and comes again. The first is the harmonic part of harmonic-percussive-residual separation by
median filters (Fitzgerald, "Harmonic/Percussive Separation using Median Filtering", DAFx 2010; Driedger, Müller &
Disch, "Extending Harmonic-Percussive Separation of Audio Signals", ISMIR 2014). The second is what there is of a frame
also in those frames around that are most like it (REPET-SIM: Rafii & Pardo, "Music/Voice Separation Using the
Similarity Matrix", ISMIR 2012). Everything else is other sound: noise, blows, steps, a ringing that comes once; but
drums too, unless they accompany a voice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from .exemplars import GRID, PIECE, RATE, Frames, Matrix, Memory, magnitudes_of, pieces, to_bands
from .masking import Mask
from .memory import Samples
from .parallel import MOST_WORKERS
from .tracks import union
from .types import Turn

AROUND = 2  # pieces on either side of one in which frames like its own are looked for, 29 s
ALONG_TIME, ALONG_FREQUENCY = 17, 17  # frames, 0.4 s, and bins, 177 Hz, of the median filters
CLEARLY = 2.0  # the separation factor: so many times as much harmonic as percussive
ALIKE = 12  # frames whose median is what comes again
LEAST_LIKENESS = 0.5  # cosine of two frames' magnitudes in bands
LOWEST_VOICE = 100.0  # Hz; what lies below accompanies it
MEDIANS = 6  # parts of a piece, one after another, since each value comes with those of ALIKE frames
APART = 21  # frames, half a second: so far at least from one another and from the frame itself


class MusicMask:
    """What music is of each bin of a recording's background: `pcm` (samples,) float32 at 16 kHz mono, without what
    `speech` keeps of it within `turns`.
    """

    def __init__(self, pcm: Samples, turns: Sequence[Turn], speech: Mask | None) -> None:
        self._pcm, self._speech = pcm, speech
        self._spoken = union((round(turn.start * RATE), round(turn.end * RATE)) for turn in turns)
        self._pieces = range(len(pcm) // (PIECE * GRID.hop) + 1)
        self._rest: Memory[Matrix] = Memory(most=2 * AROUND + 1 + MOST_WORKERS)
        self._solved: Memory[Matrix] = Memory(most=MOST_WORKERS)

    def mask(self, first: int, last: int) -> Matrix:
        """0 to 1 for the frames `first` to `last`, shape (bins, frames)."""
        solved = [
            (self._solved.recall(self._solve, piece), start - piece * PIECE, stop - piece * PIECE)
            for piece, start, stop in pieces(first, last)
        ]
        return np.concatenate([mask[:, start:stop] for mask, start, stop in solved], axis=1)

    def _solve(self, piece: int) -> Matrix:
        numbers = [number for number in range(piece - AROUND, piece + AROUND + 1) if number in self._pieces]
        around = np.concatenate([self._rest.recall(self._without_speech, number) for number in numbers], axis=1)
        first = numbers.index(piece) * PIECE
        return self._found(around, first, first + PIECE)

    def _found(self, around: Matrix, first: int, last: int) -> Matrix:
        """The mask of the frames `first` to `last` of magnitudes (bins, frames)."""
        again: Matrix = np.sqrt(repeating(around, first, last))
        return again * harmonic_and_percussive(around, first, last)[0]

    def _without_speech(self, piece: int) -> Matrix:
        """Magnitudes of a piece's frames, shape (bins, frames)."""
        first, last = piece * PIECE, (piece + 1) * PIECE
        magnitudes = magnitudes_of(self._pcm, first, last)
        if self._speech is None:
            return magnitudes
        spoken = self._within_speech(np.arange(first, last) * GRID.hop)
        return magnitudes * (1 - self._speech.mask(first, last) * spoken)

    def _within_speech(self, samples: Frames) -> Matrix:
        before = np.searchsorted(self._spoken[:, 0], samples, side="right") - 1
        inside = before >= 0
        inside[inside] = samples[inside] < self._spoken[before[inside], 1]
        return inside.astype(np.float32)


class AccompanimentMask(MusicMask):
    """What of each bin of a song is not its voice, `pcm` (samples,) float32 at 16 kHz mono: music as above, blows that
    come again, and everything too low for a voice.
    """

    def __init__(self, pcm: Samples) -> None:
        super().__init__(pcm, (), None)

    def _found(self, around: Matrix, first: int, last: int) -> Matrix:
        again = repeating(around, first, last)
        harmonic, percussive = harmonic_and_percussive(around, first, last)
        mask: Matrix = np.maximum(np.sqrt(again) * harmonic, again * percussive)
        mask[: round(LOWEST_VOICE * GRID.size / RATE)] = 1
        return mask


def harmonic_and_percussive(magnitudes: Matrix, first: int, last: int) -> tuple[Matrix, Matrix]:
    """How much of the frames `first` to `last` of magnitudes (bins, frames) clearly sounds on, 0 to 1, and how much is
    clearly sudden.
    """
    low, high = max(0, first - ALONG_TIME), min(magnitudes.shape[1], last + ALONG_TIME)
    inner = slice(first - low, last - low)
    sustained = np.square(median_filter(magnitudes[:, low:high], (1, ALONG_TIME))[:, inner]) + 1e-20
    sudden = np.square(median_filter(magnitudes[:, first:last], (ALONG_FREQUENCY, 1))) + 1e-20
    factor = np.float32(CLEARLY**2)
    return sustained / (sustained + factor * sudden), sudden / (sudden + factor * sustained)


def repeating(magnitudes: Matrix, first: int, last: int) -> Matrix:
    """How much of the frames `first` to `last` of magnitudes (bins, frames) is also in frames like them, 0 to 1."""
    bands = to_bands(magnitudes)
    bands /= np.linalg.norm(bands, axis=0) + 1e-12
    likeness = bands.T @ bands[:, first:last]
    distance = np.abs(np.arange(len(likeness))[:, None] - np.arange(first, last))
    likeness[distance < APART] = -1
    peaks = likeness == maximum_filter1d(likeness, APART, axis=0)
    likeness[~peaks] = -1
    likest = np.argsort(-likeness, axis=0)[:ALIKE]
    counts = (np.take_along_axis(likeness, likest, axis=0) >= LEAST_LIKENESS).sum(axis=0)
    turn_about = np.arange(len(likest))[:, None] % np.maximum(counts, 1)  # those there are, where they are too few
    alike = np.array_split(np.take_along_axis(likest, turn_about, axis=0), MEDIANS, axis=1)
    model = np.concatenate([np.median(magnitudes[:, some], axis=1) for some in alike], axis=1)
    found: Matrix = np.minimum(model * (counts > 0) / (magnitudes[:, first:last] + 1e-12), 1).astype(np.float32)
    return found

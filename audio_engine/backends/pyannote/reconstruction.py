"""From who is heard in each window to who speaks when: what pyannote.audio's pipeline does for each frame and window in
turn, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pyannote.core import Annotation, Segment, SlidingWindowFeature
from pyannote.core.utils.generators import string_generator

from .batching import batches

AT_ONCE = 256  # windows whose speakers are told apart in one go

Frames = npt.NDArray[np.float32]
"""How much each speaker of a window speaks, shape (windows, frames, speakers)."""
Clusters = npt.NDArray[np.int8]
"""Who each of a window's speakers is in the whole recording, shape (windows, speakers); below 0 is nobody."""


def activations(
    segmentations: SlidingWindowFeature, clusters: Clusters, count: SlidingWindowFeature
) -> SlidingWindowFeature:
    """By how many windows each speaker of the recording is heard in each frame of `count`, shape (frames, speakers)."""
    windows, frames = segmentations.sliding_window, count.sliding_window
    speakers = max(int(clusters.max()) + 1, int(count.data.max(initial=0)))
    heard = np.zeros((len(count.data), speakers), dtype=np.float32)
    for numbers in batches(np.arange(len(clusters)), AT_ONCE):
        firsts = [frames.closest_frame(windows[number].start + 0.5 * frames.duration) for number in numbers]
        for speaker, rows, strongest in _by_speaker(segmentations.data[numbers], clusters[numbers]):
            for row, activity in zip(rows, strongest, strict=True):
                heard[firsts[row] : firsts[row] + len(activity), speaker] += activity
    return SlidingWindowFeature(heard, frames)


def _by_speaker(activity: Frames, clusters: Clusters) -> Iterator[tuple[int, npt.NDArray[np.intp], Frames]]:
    """Each of the recording's speakers with the windows in which somebody is them, and how much they speak there, shape
    (windows, frames): as much as the most active of those who are.
    """
    for speaker in np.unique(clusters[clusters >= 0]):
        rows = np.flatnonzero((clusters == speaker).any(axis=1))
        strongest = np.full((len(rows), activity.shape[1]), -np.inf, dtype=np.float32)
        for number in range(clusters.shape[1]):  # for there are few, and NumPy is slow along short axes
            them = clusters[rows, number] == speaker
            strongest[them] = np.maximum(strongest[them], activity[rows[them], :, number])
        yield speaker, rows, np.nan_to_num(strongest)


def most_active(activations: SlidingWindowFeature, count: SlidingWindowFeature) -> SlidingWindowFeature:
    """The `count` most active speakers of each frame: 1 or 0, shape (frames, speakers)."""
    extent = activations.extent & count.extent
    activations, count = activations.crop(extent, return_data=False), count.crop(extent, return_data=False)
    ranked = np.argsort(-activations.data, axis=-1)
    active = np.zeros_like(activations.data)
    for rank in range(int(count.data.max(initial=0))):
        rows = np.flatnonzero(count.data[: len(active), 0] > rank)
        active[rows, ranked[rows, rank]] = 1.0
    return SlidingWindowFeature(active, activations.sliding_window)


def annotation(active: SlidingWindowFeature, longest_gap: float) -> Annotation:
    """The turns of speakers who are `active`, 1 or 0 of shape (frames, speakers), by their number. A turn goes from the
    middle of its first frame to that of the first one behind it; gaps of one speaker up to `longest_gap` seconds are
    closed.
    """
    frames, found, tracks = active.sliding_window, Annotation(), string_generator()
    for speaker, activity in enumerate(active.data.T > 0):
        track = next(tracks)
        changes = np.flatnonzero(np.diff(activity, prepend=False, append=False))
        for first, behind in changes.reshape(-1, 2).clip(max=len(activity) - 1):
            found[Segment(frames[first].middle, frames[behind].middle), track] = speaker
    return found.support(collar=longest_gap) if longest_gap > 0 else found

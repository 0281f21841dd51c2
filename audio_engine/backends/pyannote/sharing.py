"""The embedding network hears each part of a recording once, for all of the windows that lie over it.

pyannote.audio has it hear windows of ten seconds that start every second, and so ten times over. What changes: from the
log mels of a frame pyannote.audio subtracts the mean of each window that it is in, so that it has ten versions; here it
has one, from which the mean of these means is subtracted. That is most of what changes an embedding, and the fewer
windows share a version, the less. Near the edges of a window the network hears what lies beyond them, where
pyannote.audio's hears nothing, and where a window starts between two frames, it takes those that lie in it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from ..devices import Appetite, Outputs, WithinMemory, sent
from .batching import Batch, Windows, batches
from .blocks import Blocks
from .pipelines import Activity, FastSpeakerDiarization, within

MOST_WINDOWS = 10  # in a block, which is 19 s long then: the fewer, the nearer to pyannote.audio, and the more work
SUBSAMPLING = 8  # frames of log mels for each frame of the network, in all of WeSpeaker's ResNets


class SharedSpeakerDiarization(FastSpeakerDiarization):
    """Nearly the same results as those of `FastSpeakerDiarization` from a fraction of its work."""

    def try_networks(self) -> None:
        super().try_networks()
        if self._shares_frames and self.device.type != "cpu":  # whose memory nobody counts
            inference = self._segmentation
            seconds = inference.duration + (MOST_WINDOWS - 1) * inference.step
            silence = torch.zeros((1, 1, inference.model.audio.get_num_samples(seconds)))
            self._of_embedding = Appetite(self.device, lambda: self._heard(silence))

    def _embedded(
        self, windows: Windows, activity: Activity, heard: npt.NDArray[np.intp], exclude_overlap: bool
    ) -> Iterator[tuple[npt.NDArray[np.intp], Outputs]]:
        blocks = self._blocks(windows)
        waveforms = blocks.of(windows)
        size = within(self.embedding_batch_size, self._of_embedding)
        places = torch.from_numpy(blocks.places()).expand(size, -1, -1)
        for firsts in batches(blocks.firsts(heard, len(windows)), size):
            numbers = (firsts[:, None] + np.arange(blocks.count)).ravel()
            masks = np.zeros((size, blocks.count, *activity.shape[1:]), dtype=np.float32)
            masks[: len(firsts)] = self._masks(activity[numbers], exclude_overlap).reshape(-1, *masks.shape[1:])
            weights = torch.from_numpy(blocks.sampled(masks)).transpose(2, 3)
            found = self._shared_within_memory(waveforms.take(firsts, size), weights, places)[: len(firsts)]
            yield numbers, found.reshape(len(numbers), *found.shape[2:])

    def _blocks(self, windows: Windows) -> Blocks:
        model = self._embedding.model_
        frame = SUBSAMPLING * model.hparams.frame_shift / 1000
        return Blocks.over(windows, MOST_WINDOWS, frame, model.num_frames(windows.size))

    @functools.cached_property
    def _shared_within_memory(self) -> WithinMemory:
        return WithinMemory(self._shared)

    def _shared(self, waveforms: Batch, masks: torch.Tensor, places: torch.Tensor) -> Outputs:
        """Embeddings (blocks, windows, speakers, dimension) of `waveforms` (blocks, 1, samples), by the `masks`
        (blocks, windows, speakers, frames) and the `places` of their frames in the block, (blocks, windows, frames).
        """
        with torch.inference_mode():
            cut = functools.partial(_cut, self._heard(waveforms), places)
            found = self._pooled_where_heard(cut, masks.flatten(0, 1))
        return found.reshape(*masks.shape[:3], -1)

    def _heard(self, waveforms: torch.Tensor | Batch) -> torch.Tensor:
        """The backbone's frames of whole blocks, shape (blocks, channels, mels, frames)."""
        model = self._embedding.model_
        with torch.inference_mode():
            features = model.compute_fbank(waveforms.to(self._embedding.device))
            if model.hparams.fbank_centering_span is None:
                hop = round(1000 * self._segmentation.step / model.hparams.frame_shift)
                features = features - mean_of_means(features, self._mels_of_window, hop)
            return self._frames(features)

    @functools.cached_property
    def _mels_of_window(self) -> int:
        """How many frames of log mels a window has."""
        inference = self._segmentation
        return self._embedding.model_.compute_fbank(
            torch.zeros((1, 1, inference.model.audio.get_num_samples(inference.duration)))
        ).shape[1]


def _cut(blocks: torch.Tensor, places: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """The frames of `windows`, counted through all blocks, shape (windows, channels, mels, frames)."""
    rows, inside = windows // places.shape[1], places.flatten(0, 1)[windows].clamp(max=blocks.shape[-1] - 1)
    rows, inside = sent(rows[:, None], blocks.device), sent(inside, blocks.device)
    return blocks.movedim(-1, 1)[rows, inside].movedim(1, -1).contiguous()  # or pooling would copy it for each speaker


def mean_of_means(features: torch.Tensor, span: int, hop: int) -> torch.Tensor:
    """For each frame the mean of the means of the windows that it is in, `span` frames each, one every `hop`; zero for
    frames in none. `features` and the result have the shape (batch, frames, any).
    """
    means = features.unfold(1, span, hop).mean(dim=-1)
    starts = hop * torch.arange(means.shape[1], device=features.device)
    since = torch.arange(features.shape[1], device=features.device)[:, None] - starts
    inside = ((since >= 0) & (since < span)).to(features.dtype)
    return inside @ means / inside.sum(dim=1, keepdim=True).clamp(min=1)

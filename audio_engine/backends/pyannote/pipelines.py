"""pyannote.audio's speaker diarization, made to fit into memory; and the same with less work."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio import Inference
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput
from pyannote.audio.pipelines.speaker_verification import PyannoteAudioPretrainedSpeakerEmbedding
from pyannote.core import Annotation, SlidingWindow, SlidingWindowFeature

from ...memory import Samples, release_pages
from ...types import SpeakerBounds
from ..devices import Appetite, Outputs, WithinMemory, received, release_cache, sent
from ..precision import fast_bf16
from .batching import Batch, Windows, batches
from .clustering import MOST_EMBEDDINGS, RestrainedAgglomerative, RestrainedVBx
from .reconstruction import Clusters, activations, annotation, most_active

SEED = 0
Hook = Callable[..., None] | None
Activity = npt.NDArray[np.float32]
"""How much each speaker of a window speaks, shape (windows, frames, speakers)."""


class FrugalInference(Inference):
    """Segmentation that goes on with smaller batches where memory runs out."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._within_memory = WithinMemory(super().infer)

    def infer(self, chunks: torch.Tensor | Batch) -> Outputs:
        return self._within_memory(chunks)


class FrugalEmbedding(PyannoteAudioPretrainedSpeakerEmbedding):
    """Speaker embedding that goes on with smaller batches where memory runs out."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._within_memory = WithinMemory(super().__call__)

    def __call__(self, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> Outputs:
        return self._within_memory(waveforms) if masks is None else self._within_memory(waveforms, masks)


class ExactSpeakerDiarization(SpeakerDiarization):
    """pyannote.audio's own pipeline: it differs from it only where that would fail, for want of memory or because more
    speakers are asked for than there is speech of.
    """

    most_embeddings: int | None = None
    _segmentation: Inference
    _embedding: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        inference = self._segmentation
        self._segmentation = FrugalInference(
            inference.model,
            duration=inference.duration,
            step=inference.step,
            skip_aggregation=True,
            batch_size=inference.batch_size,
        )
        if isinstance(self._embedding, PyannoteAudioPretrainedSpeakerEmbedding):
            self._embedding = FrugalEmbedding(self._embedding.model_)
        if self.klustering == "VBxClustering":
            self.clustering = RestrainedVBx(self._plda, metric=self._embedding.metric)
        elif self.klustering == "AgglomerativeClustering":
            self.clustering = RestrainedAgglomerative(metric=self._embedding.metric)
        self.clustering.most = self.most_embeddings

    def run(self, pcm: Samples, sample_rate: int, bounds: SpeakerBounds, hook: Hook) -> DiarizeOutput:
        """Who spoke when in `pcm`, shape (samples,), which is not copied. The same each time."""

        def report(*args: Any, **options: Any) -> None:
            release_pages(pcm)
            if hook:
                hook(*args, **options)

        torch.manual_seed(SEED)
        np.random.seed(SEED)
        file = {"waveform": torch.from_numpy(pcm)[None], "sample_rate": sample_rate, "uri": "recording"}
        try:
            return self(
                file,
                num_speakers=bounds.exact,
                min_speakers=bounds.minimum,
                max_speakers=bounds.maximum,
                hook=report,
            )
        finally:
            release_cache()

    def try_networks(self) -> None:
        """Raises what the device raises that cannot run them."""
        inference = self._segmentation
        silence = torch.zeros((1, 1, inference.model.audio.get_num_samples(inference.duration)))
        frames = inference.infer(silence).shape[1]
        self._embedding(silence, masks=torch.ones((1, frames)))
        _ = self._embedding.min_num_samples  # found by trial, kept from now on


class FastSpeakerDiarization(ExactSpeakerDiarization):
    """The same results from less work: the embedding network hears each window once for all of its speakers, and no
    window in which nobody speaks; its convolutions compute in bfloat16 where the hardware does, everything else in
    float32; batches have one shape; memory does not grow with the number of speakers times the length.
    """

    most_embeddings = MOST_EMBEDDINGS
    _of_segmentation: Appetite | None = None
    _of_embedding: Appetite | None = None

    def to(self, device: torch.device) -> FastSpeakerDiarization:
        super().to(device)
        self._of_segmentation = self._of_embedding = None  # another device's memory
        if self._shares_frames:  # CPUs and the units that multiply bfloat16 on GPUs want the channels innermost
            innermost = device.type == "cpu" or fast_bf16(device.type)
            layout = torch.channels_last if innermost else torch.contiguous_format
            self._embedding.model_.resnet.to(memory_format=layout)
        return self

    def get_segmentations(self, file: Any, hook: Hook = None) -> SlidingWindowFeature:
        inference = self._segmentation
        windows = self._windows(file)
        outputs: list[Outputs] = []
        size = within(inference.batch_size, self._of_segmentation)
        for numbers in batches(np.arange(len(windows)), size):
            batch = windows.take(numbers, size)
            outputs.append(inference.infer(batch)[: len(numbers)])
            if hook:
                hook("segmentation", None, completed=int(numbers[-1]) + 1, total=len(windows))
        frames = SlidingWindow(start=0.0, duration=inference.duration, step=inference.step)
        return SlidingWindowFeature(np.vstack(outputs), frames)

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Hook = None,
    ) -> Outputs:
        """One embedding for each window and each of its speakers: shape (windows, speakers, dimension)."""
        if not self._shares_frames:
            embeddings: Outputs = super().get_embeddings(file, binary_segmentations, exclude_overlap, hook)
            return embeddings
        windows, activity = self._windows(file), binary_segmentations.data
        heard = np.flatnonzero(np.nansum(activity, axis=(1, 2)) > 0)
        found = np.empty((*activity.shape[::2], self._embedding.dimension), dtype=np.float32)
        if len(heard) < len(found):
            found[:] = self._nobody
        for numbers, embeddings in self._embedded(windows, activity, heard, exclude_overlap):
            found[numbers] = embeddings
            if hook:
                hook("embeddings", None, completed=int(np.searchsorted(heard, numbers[-1], "right")), total=len(heard))
        return found

    def _embedded(
        self, windows: Windows, activity: Activity, heard: npt.NDArray[np.intp], exclude_overlap: bool
    ) -> Iterator[tuple[npt.NDArray[np.intp], Outputs]]:
        """Rising numbers of windows and their embeddings, until those `heard` have had their turn."""
        size = within(self.embedding_batch_size, self._of_embedding)
        for numbers in batches(heard, size):
            masks = np.zeros((size, *activity.shape[1:]), dtype=np.float32)
            masks[: len(numbers)] = self._masks(activity[numbers], exclude_overlap)
            yield numbers, self._embed(windows.take(numbers, size), masks)[: len(numbers)]

    def reconstruct(
        self, segmentations: SlidingWindowFeature, hard_clusters: Clusters, count: SlidingWindowFeature
    ) -> SlidingWindowFeature:
        """The `count` most active speakers of each frame, where activity is the number of windows that hear one."""
        return most_active(activations(segmentations, hard_clusters, count), count)

    @staticmethod
    def to_annotation(
        discrete_diarization: SlidingWindowFeature, min_duration_on: float = 0.0, min_duration_off: float = 0.0
    ) -> Annotation:
        if min_duration_on > 0:  # which no pipeline asks for
            found: Annotation = SpeakerDiarization.to_annotation(
                discrete_diarization, min_duration_on, min_duration_off
            )
            return found
        return annotation(discrete_diarization, min_duration_off)

    def _windows(self, file: Any) -> Windows:
        inference = self._segmentation
        size = inference.model.audio.get_num_samples(inference.duration)
        return Windows(file["waveform"], file["sample_rate"], size, inference.step)

    def _masks(self, activity: Activity, exclude_overlap: bool) -> Activity:
        """In which frames each speaker is listened to: where alone, if that is enough to tell the voice."""
        masks = np.nan_to_num(activity, nan=0.0)
        if not exclude_overlap:
            return masks
        together = masks @ np.ones(masks.shape[2], dtype=masks.dtype)  # sum() takes far longer along a short axis
        alone = masks * (together < 2)[..., None]
        samples = self._segmentation.duration * self._embedding.sample_rate
        least = math.ceil(activity.shape[1] * self._embedding.min_num_samples / samples)
        return np.where(alone.sum(axis=1, keepdims=True) > least, alone, masks)

    def _embed(self, waveforms: torch.Tensor | Batch, masks: npt.NDArray[np.floating[Any]]) -> Outputs:
        """`waveforms` of shape (windows, 1, samples), `masks` (windows, frames, speakers)."""
        return self._pooled_within_memory(waveforms, torch.from_numpy(masks.astype(np.float32)).transpose(1, 2))

    def try_networks(self) -> None:
        super().try_networks()
        inference = self._segmentation
        silence = torch.zeros((1, 1, inference.model.audio.get_num_samples(inference.duration)))
        self._of_segmentation = Appetite(self.device, lambda: inference.infer(silence))
        if self._shares_frames:
            self._of_embedding = Appetite(self.device, lambda: self._embed(silence, np.ones((1, 1, 1))))

    @property
    def _shares_frames(self) -> bool:
        """Whether the embedding network comes in two halves, of which the first does not depend on the speaker."""
        return isinstance(getattr(self._embedding, "model_", None), BaseWeSpeakerResNet)

    @functools.cached_property
    def _nobody(self) -> Outputs:
        """What the embedding network makes of a speaker who says nothing, whatever the window: shape (dimension,)."""
        inference = self._segmentation
        silence = torch.zeros((1, 1, inference.model.audio.get_num_samples(inference.duration)))
        with torch.inference_mode():
            model = self._embedding.model_
            frames = self._frames(model.compute_fbank(silence.to(self._embedding.device)))
            nobody: Outputs = model.forward_embedding(frames, weights=torch.zeros_like(frames[:, 0, 0])).cpu().numpy()
        return nobody[0]

    @functools.cached_property
    def _pooled_within_memory(self) -> WithinMemory:
        return WithinMemory(self._pooled)

    def _pooled(self, waveforms: torch.Tensor | Batch, masks: torch.Tensor) -> Outputs:
        """One pass of the backbone, pooled once for each speaker."""
        with torch.inference_mode():
            frames = self._frames(self._embedding.model_.compute_fbank(waveforms.to(self._embedding.device)))
            return self._pooled_where_heard(lambda windows: frames[sent(windows, frames.device)], masks)

    def _pooled_where_heard(self, frames: Callable[[torch.Tensor], torch.Tensor], masks: torch.Tensor) -> Outputs:
        """Embeddings (windows, speakers, dimension) of what `frames` gives for windows, by the `masks` (windows,
        speakers, frames). Of a speaker who is silent in a window it is known without pooling.
        """
        found = np.empty((*masks.shape[:2], self._embedding.dimension), dtype=np.float32)
        found[:] = self._nobody
        active = masks.any(dim=-1)
        taken = active.any(dim=-1).nonzero()[:, 0]
        if not len(taken):
            return found
        heard = frames(taken)
        weights = sent(masks[taken], heard.device)
        speaking = [active[taken, speaker].nonzero()[:, 0] for speaker in range(masks.shape[1])]
        embeddings = []
        for speaker, rows in enumerate(speaking):
            if len(rows):
                there = sent(rows, heard.device)
                inside = heard if len(rows) == len(taken) else heard[there]
                embeddings.append(self._embedding.model_.forward_embedding(inside, weights=weights[there, speaker]))
        windows = torch.cat([taken[rows] for rows in speaking]).numpy()
        speakers = np.repeat(np.arange(len(speaking)), [len(rows) for rows in speaking])
        found[windows, speakers] = received(torch.cat(embeddings))  # in one go: the device is waited for each time
        return found

    def _frames(self, features: torch.Tensor) -> torch.Tensor:
        """What the backbone makes of log mels, in float32 whatever it computes in: statistics need the digits."""
        device = features.device.type
        with torch.autocast(device, torch.bfloat16, enabled=fast_bf16(device)):
            frames: torch.Tensor = self._embedding.model_.resnet.forward_frames(features)
        return frames.float()


def within(size: int, appetite: Appetite | None) -> int:
    """So many windows at once, or as many as there is memory for, where that is known."""
    return appetite.within(size) if appetite else size

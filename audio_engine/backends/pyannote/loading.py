"""From a model's folder to a pipeline on the best device, without the network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from pyannote.audio import Pipeline
from pyannote.audio.core.plda import PLDA

from ...models import MODELS, Model, locate
from ...models.needs import unusable
from ..devices import place_best
from .pipelines import ExactSpeakerDiarization, FastSpeakerDiarization
from .sharing import SharedSpeakerDiarization

if TYPE_CHECKING:
    from .diarizer import Mode

SUBFOLDER = "$model/"
PIPELINES: dict[Mode, type[ExactSpeakerDiarization]] = {
    "exact": ExactSpeakerDiarization,
    "fast": FastSpeakerDiarization,
    "shared": SharedSpeakerDiarization,
}
# Windows at once, in segmentation and in embedding, there blocks of windows where they share what is heard. On a GPU a
# step of a recurrent layer takes much the same time for few windows and for many, so segmentation has many, of 11 MB
# each; of convolutions more at once are no faster and take memory. On a CPU embedding is fastest one by one: its layers
# stay in the cache.
GPU_BATCHES: dict[Mode, tuple[int, int]] = {"fast": (128, 32), "shared": (128, 16)}
CPU_BATCHES = 8, 1


def load_pipeline(model: Model, mode: Mode) -> ExactSpeakerDiarization:
    """The pipeline whose configuration is in the folder of `model`, on a GPU if one works.

    Raises EngineError ENGINE_UNAVAILABLE where files are missing, damaged or not what they should be.
    """
    stored = locate(model)
    assert stored is not None
    try:
        pipeline: ExactSpeakerDiarization = Pipeline.from_pretrained(configuration(stored.folder, PIPELINES[mode]))
    except Exception as error:  # each library that reads a part of it raises what it likes
        raise unusable(model, error) from error
    place_best(partial(_on, pipeline))
    if mode != "exact":
        sizes = CPU_BATCHES if pipeline.device.type == "cpu" else GPU_BATCHES[mode]
        pipeline.segmentation_batch_size, pipeline.embedding_batch_size = sizes
    return pipeline


def configuration(folder: Path, kind: type[ExactSpeakerDiarization]) -> dict[str, Any]:
    """`config.yaml` of `folder`, with `kind` in place of its class and folders in place of the hub's names."""
    written: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    pipeline = written["pipeline"]
    pipeline["name"] = f"{kind.__module__}.{kind.__qualname__}"
    pipeline["params"] = {name: _local(value, folder) for name, value in pipeline["params"].items()}
    # Versions before 4 have none and their clustering uses none; pyannote.audio 4 would fetch community-1's.
    pipeline["params"].setdefault("plda", PLDA.__new__(PLDA))
    return written


def _local(value: Any, folder: Path) -> Any:
    """A part of the pipeline as a local checkpoint, where `value` names one; else `value` itself."""
    if not isinstance(value, str):
        return value
    if value.startswith(SUBFOLDER):
        subfolder, _, _ = value.removeprefix(SUBFOLDER).partition("@")
        return {"checkpoint": str(folder), "subfolder": subfolder}
    for model in MODELS.values():
        if model.repository == value.partition("@")[0]:
            stored = locate(model)
            if stored is None:
                raise FileNotFoundError(f"{model.repository}, a part of it, is not here")
            return {"checkpoint": str(stored.folder)}
    return value


def _on(pipeline: ExactSpeakerDiarization, device: torch.device) -> None:
    pipeline.to(device)
    pipeline.try_networks()

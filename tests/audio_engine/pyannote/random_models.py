"""Models of the true architectures with random weights, in the layouts their authors use, small or at full size.

The last layers are set by `heard`, a recording, so that what they tell apart in it is something rather than nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet, WeSpeakerResNet34
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from pyannote.audio.models.segmentation import PyanNet

from audio_engine.memory import Samples

RATE = 16_000


class TinyWeSpeakerResNet(BaseWeSpeakerResNet):
    """The family's network with one thin block a layer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.resnet = ResNet(BasicBlock, [1, 1, 1, 1], 4, 80, 32, pooling_func="TSTP", two_emb_layer=False)


@dataclass(frozen=True)
class Sizes:
    window_seconds: float
    lstm: dict[str, int]
    linear: dict[str, int]
    embedding: Callable[[], Model]
    dimension: int
    lda_dimension: int


TINY = Sizes(2.0, {"hidden_size": 8, "num_layers": 1}, {"hidden_size": 8, "num_layers": 1}, TinyWeSpeakerResNet, 32, 16)
COMMUNITY_1 = Sizes(
    10.0, {"hidden_size": 128, "num_layers": 4}, {"hidden_size": 128, "num_layers": 2}, WeSpeakerResNet34, 256, 128
)


def segmentation(path: Path, heard: Samples, sizes: Sizes = TINY, *, deaf: bool = False) -> None:
    """`deaf` never hears anybody."""
    torch.manual_seed(1)
    model = PyanNet(lstm=dict(sizes.lstm), linear=dict(sizes.linear))
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=sizes.window_seconds,
        min_duration=None,
        warm_up=(0.0, 0.0),
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    model.build()
    model.eval()
    reached = _features(model.classifier, lambda: model(_windows(heard, sizes)))
    with torch.no_grad():  # so that what it hears decides, and each class occurs
        model.classifier.weight.div_(reached.std(0))
        model.classifier.bias.copy_(-model.classifier.weight @ reached.mean(0))
        model.classifier.weight.mul_(40)
        model.classifier.bias.mul_(40)
        model.classifier.bias[0] += 1e6 if deaf else 0
    save(model, path)


def embedding(path: Path, heard: Samples, sizes: Sizes = TINY) -> None:
    torch.manual_seed(2)
    model = sizes.embedding().eval()
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=sizes.window_seconds
    )
    layer = model.resnet.seg_1
    windows = _windows(heard, sizes)
    masks = torch.from_numpy(np.random.default_rng(5).integers(0, 2, (len(windows), 12)).repeat(10, axis=1)).float()
    reached = _features(layer, lambda: model(windows, weights=masks))
    with torch.no_grad():  # so that windows differ in more than what all have in common
        layer.weight.div_(layer(reached).std())
        layer.bias.copy_(-layer.weight @ reached.mean(0))
    save(model, path)


def _windows(heard: Samples, sizes: Sizes) -> torch.Tensor:
    """`heard` in windows, shape (windows, 1, samples)."""
    size = round(sizes.window_seconds * RATE)
    return torch.from_numpy(heard[: len(heard) // size * size].reshape(-1, 1, size))


def _features(layer: torch.nn.Linear, run: Callable[[], object]) -> torch.Tensor:
    """What reaches `layer` while `run` runs, shape (frames or windows, features)."""
    inputs: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.inference_mode():
        run()
    handle.remove()
    return inputs[0].reshape(-1, layer.in_features).clone()


def plda(folder: Path, sizes: Sizes = TINY) -> None:
    dimension, lda_dimension = sizes.dimension, sizes.lda_dimension
    folder.mkdir()
    random = np.random.default_rng(3)
    np.savez(
        folder / "xvec_transform.npz",
        mean1=random.normal(size=dimension) * 0.01,
        mean2=random.normal(size=lda_dimension) * 0.01,
        lda=random.normal(size=(dimension, lda_dimension)),
    )
    np.savez(
        folder / "plda.npz",
        mu=random.normal(size=lda_dimension) * 0.01,
        tr=np.eye(lda_dimension) + 0.1 * random.normal(size=(lda_dimension, lda_dimension)),
        psi=np.linspace(4, 0.5, lda_dimension),
    )


def community(folder: Path, heard: Samples, sizes: Sizes = TINY) -> Path:
    """As speaker-diarization-community-1 is laid out."""
    folder.mkdir(parents=True)
    segmentation(folder / "segmentation" / "pytorch_model.bin", heard, sizes)
    embedding(folder / "embedding" / "pytorch_model.bin", heard, sizes)
    plda(folder / "plda", sizes)
    community_configuration(folder)
    return folder


def community_configuration(folder: Path) -> None:
    configuration = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {
                "clustering": "VBxClustering",
                "segmentation": "$model/segmentation",
                "segmentation_batch_size": 32,
                "embedding": "$model/embedding",
                "embedding_batch_size": 32,
                "embedding_exclude_overlap": True,
                "plda": "$model/plda",
            },
        },
        "params": {
            "clustering": {"threshold": 0.6, "Fa": 0.3, "Fb": 0.3},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))


def version_3_1(models: Path, heard: Samples) -> None:
    """As speaker-diarization-3.1 and its two parts are laid out, each a folder in `models`."""
    segmentation(models / "segmentation-3.0" / "pytorch_model.bin", heard)
    embedding(models / "wespeaker-voxceleb-resnet34-LM" / "pytorch_model.bin", heard)
    configuration = {
        "version": "3.1.0",
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {
                "clustering": "AgglomerativeClustering",
                "segmentation": "pyannote/segmentation-3.0",
                "segmentation_batch_size": 32,
                "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
                "embedding_batch_size": 32,
                "embedding_exclude_overlap": True,
            },
        },
        "params": {
            "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (models / "speaker-diarization-3.1").mkdir()
    (models / "speaker-diarization-3.1" / "config.yaml").write_text(yaml.safe_dump(configuration))


def save(model: Model, path: Path) -> None:
    """As Lightning writes checkpoints, with what pyannote.audio adds to them."""
    checkpoint: dict[str, Any] = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.6.0",
    }
    model.on_save_checkpoint(checkpoint)
    path.parent.mkdir(parents=True)
    torch.save(checkpoint, path)

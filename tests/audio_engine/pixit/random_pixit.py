"""A ToTaToNet of the true architecture with random weights, in the layout its authors use, small or at full size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.separation import ToTaToNet
from transformers import AutoConfig, AutoModel

from audio_engine.backends.pixit.loading import wavlm_shaped_as
from tests.audio_engine.pyannote.random_models import save


@dataclass(frozen=True)
class Sizes:
    window_seconds: float
    wavlm: dict[str, Any]
    dprnn: dict[str, Any]


TINY = Sizes(
    2.0,
    {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "conv_dim": [8] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    },
    {"n_repeats": 1, "bn_chan": 8, "hid_size": 8, "chunk_size": 50},
)
FULL = Sizes(
    5.0,
    {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    {},
)
LARGE_WAVLM = {"model_type": "wavlm", "do_stable_layer_norm": True, "feat_extract_norm": "layer"}


def pixit(models: Path, sizes: Sizes = TINY) -> None:
    """The two folders that the engine needs, in `models`."""
    shape = models / "wavlm-large"
    shape.mkdir(parents=True)
    (shape / "config.json").write_text(json.dumps(LARGE_WAVLM | sizes.wavlm))
    torch.manual_seed(4)
    with wavlm_shaped_as(shape):
        network = ToTaToNet(dprnn=dict(sizes.dprnn))
    network.wavlm = AutoModel.from_config(AutoConfig.from_pretrained(shape))
    network.specifications = tuple(
        Specifications(
            problem=problem,
            resolution=Resolution.FRAME,
            duration=sizes.window_seconds,
            classes=["speaker#1", "speaker#2", "speaker#3"],
            permutation_invariant=True,
        )
        for problem in (Problem.MULTI_LABEL_CLASSIFICATION, Problem.MONO_LABEL_CLASSIFICATION)
    )
    network.build()
    save(network, models / "separation-ami-1.0" / "pytorch_model.bin")

"""A ToTaToNet of the true architecture with random weights, small, in the layout its authors use."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.separation import ToTaToNet

from audio_engine.backends.pixit.loading import wavlm_shaped_as
from tests.audio_engine.pyannote.random_models import save

SECONDS = 2.0  # of a window
WAVLM = {
    "model_type": "wavlm",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
}
DPRNN = {"n_repeats": 1, "bn_chan": 8, "hid_size": 8, "chunk_size": 50}


def pixit(models: Path) -> Path:
    """The two folders that the engine needs, in `models`; returns that of the network."""
    shape = models / "wavlm-large"
    shape.mkdir(parents=True)
    (shape / "config.json").write_text(json.dumps(WAVLM))
    torch.manual_seed(4)
    with wavlm_shaped_as(shape):
        network = ToTaToNet(dprnn=DPRNN)
    network.specifications = tuple(
        Specifications(
            problem=problem,
            resolution=Resolution.FRAME,
            duration=SECONDS,
            classes=["speaker#1", "speaker#2", "speaker#3"],
            permutation_invariant=True,
        )
        for problem in (Problem.MULTI_LABEL_CLASSIFICATION, Problem.MONO_LABEL_CLASSIFICATION)
    )
    network.build()
    folder = models / "separation-ami-1.0"
    save(network, folder / "pytorch_model.bin")
    return folder

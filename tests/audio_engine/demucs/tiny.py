"""Demucs models of the true architecture, small or at full size, with random weights, in the layout in which the hub
has the published ones: a description and, for each network, its weights with class and arguments beside them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import yaml
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from audio_engine.models import MODELS

FOUR = ["drums", "bass", "other", "vocals"]
SOURCES = {"htdemucs": FOUR, "htdemucs_ft": FOUR, "htdemucs_6s": [*FOUR, "guitar", "piano"]}
TINY: dict[str, Any] = {
    "channels": 8,
    "bottom_channels": 16,
    "t_layers": 1,
    "t_heads": 2,
    "t_hidden_scale": 1.0,
    "samplerate": 8_000,
    "segment": Fraction(6, 5),
}
# By the number of weights, htdemucs and htdemucs_6s.
FULL: dict[str, Any] = {"channels": 48, "bottom_channels": 512, "t_layers": 5, "segment": Fraction(39, 5)}


def write(folder: Path, name: str, size: dict[str, Any] = TINY, seed: int = 3) -> Path:
    """The files of the model `name` in `folder`, which is made."""
    folder.mkdir(parents=True)
    files = [Path(file) for file in MODELS[name].files]
    signatures = [file.stem for file in files if file.suffix == ".safetensors"]
    described: dict[str, Any] = {"models": signatures}
    if len(signatures) > 1:  # each is tuned to one source
        described["weights"] = [[float(row == column) for column in range(4)] for row in range(4)]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(described))
    for number, signature in enumerate(signatures):
        network(folder / f"{signature}.safetensors", SOURCES[name], size, seed + number)
    return folder


def network(path: Path, sources: Sequence[str], size: dict[str, Any], seed: int) -> None:
    torch.manual_seed(seed)
    options = {"dconv_mode": 3, **size}
    if size is FULL and len(sources) == 6:
        options["bottom_channels"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = HTDemucs(sources=list(sources), **options)
    metadata = {
        "klass": f"{HTDemucs.__module__}.{HTDemucs.__qualname__}",
        "args": "[]",
        "kwargs": json.dumps({"sources": list(sources), **options}, default=_fraction),
    }
    save_file({key: value.half().contiguous() for key, value in made.state_dict().items()}, path, metadata)


def _fraction(value: Fraction) -> dict[str, Any]:
    return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}

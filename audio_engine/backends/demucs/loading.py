"""From a model's folder to Demucs's networks on the best device, without the network."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import cast

import yaml
from demucs.apply import BagOfModels
from demucs.hf import load_safetensors_model
from demucs.htdemucs import HTDemucs
from safetensors import safe_open

from ...models import Model, locate
from ...models.needs import unusable
from ..devices import place_best
from .networks import Networks

ARCHITECTURE = "demucs.htdemucs.HTDemucs"
GPU_BATCH, CPU_BATCH = 8, 1  # segments at once; on a CPU one already keeps it busy


def load_networks(model: Model, sources: tuple[str, ...]) -> Networks:
    """The networks in the folder of `model`, which tell `sources` apart, on a GPU if one works.

    Raises EngineError ENGINE_UNAVAILABLE where files are missing, damaged or not what they should be.
    """
    stored = locate(model)
    assert stored is not None
    try:
        networks = Networks(bag_of(model, stored.folder), CPU_BATCH)
        if networks.sources != sources:
            raise ValueError(f"it tells {networks.sources} apart, not {sources}")
    except Exception as error:  # each library that reads a part of it raises what it likes
        raise unusable(model, error) from error
    place_best(lambda device: networks.place(device, CPU_BATCH if device.type == "cpu" else GPU_BATCH))
    return networks


def bag_of(model: Model, folder: Path) -> BagOfModels:
    """As demucs.hf makes it of a repository of the hub. Never from pickles, which could run anything."""
    described = yaml.safe_load((folder / f"{model.name}.yaml").read_text(encoding="utf-8"))
    files = [f"{signature}.safetensors" for signature in described["models"]]
    if unknown := [file for file in files if file not in model.files]:
        raise ValueError(f"its description names {', '.join(unknown)}")
    with warnings.catch_warnings():  # of options for training that it was saved with
        warnings.simplefilter("ignore")
        bag = BagOfModels(
            [_network(folder / file) for file in files], described.get("weights"), described.get("segment")
        )
    return bag.eval()


def _network(path: Path) -> HTDemucs:
    with safe_open(str(path), framework="pt") as file:  # the class is looked up by its name in there
        metadata = file.metadata() or {}
    if metadata.get("klass") != ARCHITECTURE or "structure" in metadata:
        raise ValueError(f"{path.name} holds no {ARCHITECTURE}")
    return cast(HTDemucs, load_safetensors_model(path))

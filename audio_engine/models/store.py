"""Where models are on this machine: the models folder first, the Hugging Face cache second.

A fetched model is a folder named after it, with a manifest that says what the hub said of each file; copied to another
machine it is complete. A folder put there by hand, without a manifest, serves as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .catalogue import Model

MODELS_DIR_VARIABLE = "SOLOIST_MODELS_DIR"
DEFAULT_MODELS_DIR = "data/models"
MANIFEST = "manifest.json"
REFUSAL = "refused.txt"  # why the hub did not give the model, beside the files it would have


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model whose files are all here. `revision` is the hub's commit, empty where nobody knows."""

    folder: Path
    revision: str

    def size(self, model: Model) -> int:
        """Bytes of the files that are needed."""
        return sum((self.folder / file).stat().st_size for file in model.files)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the hub said of a file. `digest` is "sha256:…" of its content or "git:…", the id of git's blob."""

    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    revision: str
    files: dict[str, FileRecord]


def models_dir() -> Path:
    return Path(os.environ.get(MODELS_DIR_VARIABLE) or DEFAULT_MODELS_DIR).absolute()


def own_folder(model: Model) -> Path:
    return models_dir() / model.name


def locate(model: Model) -> StoredModel | None:
    """The model, where each of its files is here; that they are whole is for `checking` to say."""
    folder = own_folder(model)
    if _complete(folder, model):
        manifest = read_manifest(folder)
        return StoredModel(folder, manifest.revision if manifest else "")
    return _in_cache(model)


def absent(models: Iterable[Model]) -> list[Model]:
    return [model for model in models if locate(model) is None]


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none, or none that can be read."""
    try:
        written = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(written["revision"], {name: FileRecord(**file) for name, file in written["files"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")


def refusal(model: Model) -> str | None:
    """Why the hub refused the model when it was last asked; None where it was not asked or gave it."""
    try:
        return (own_folder(model) / REFUSAL).read_text(encoding="utf-8")
    except OSError:
        return None


def keep_refusal(model: Model, reason: str) -> None:
    """So that nobody has to ask the hub again to know, where the folder can be written."""
    with suppress(OSError):
        own_folder(model).mkdir(parents=True, exist_ok=True)
        (own_folder(model) / REFUSAL).write_text(reason, encoding="utf-8")


def forget_refusal(model: Model) -> None:
    (own_folder(model) / REFUSAL).unlink(missing_ok=True)


def fetchable() -> bool:
    """Whether this process may ask the hub: there is a token, in HF_TOKEN or from `hf auth login`, and no
    HF_HUB_OFFLINE.
    """
    from huggingface_hub import get_token

    return bool(get_token()) and os.environ.get("HF_HUB_OFFLINE", "").upper() not in ("1", "ON", "YES", "TRUE")


def _complete(folder: Path, model: Model) -> bool:
    return all((folder / file).is_file() for file in model.files)


def _in_cache(model: Model) -> StoredModel | None:
    from huggingface_hub import try_to_load_from_cache

    first = try_to_load_from_cache(model.repository, model.files[0])
    if not isinstance(first, str):
        return None
    folder = Path(first.removesuffix(model.files[0]))
    return StoredModel(folder, folder.name) if _complete(folder, model) else None

"""Whether a model on this machine is whole: its files against what the hub said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from .catalogue import Model
from .store import FileRecord, StoredModel, read_manifest

BLOCK = 1 << 20


def faults(model: Model, stored: StoredModel) -> Iterator[str]:
    """What is wrong with the model's files. Nothing can be said of one without a manifest; see `verifiable`."""
    manifest = read_manifest(stored.folder)
    for file in model.files if manifest else ():
        assert manifest is not None
        record = manifest.files.get(file)
        if record and (found := fault(stored.folder / file, record)):
            yield f"{file} {found}"


def verifiable(stored: StoredModel) -> bool:
    """Whether it came with sizes and hashes, as one does that `fetch` brought."""
    return read_manifest(stored.folder) is not None


def fault(path: Path, record: FileRecord) -> str | None:
    """What is wrong with one file; None where it is as the hub has it."""
    size = path.stat().st_size
    if size != record.bytes:
        return f"has {size:,} bytes instead of {record.bytes:,}"
    if digest(path, record.digest.partition(":")[0]) != record.digest:
        return "is damaged: its hash is not the hub's"
    return None


def digest(path: Path, kind: str) -> str:
    """Of a file's content, as a manifest has it: `kind` is "sha256" or "git"."""
    found = hashlib.sha256() if kind == "sha256" else hashlib.sha1(usedforsecurity=False)
    if kind == "git":
        found.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return f"{kind}:{found.hexdigest()}"

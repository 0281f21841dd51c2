"""Which engines there are and which can run here. Imports a backend only when it is asked for."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from functools import cache
from importlib import import_module

from .backends.base import Diarizer
from .errors import EngineError

log = logging.getLogger(__name__)

AUTO = "auto"

# Dotted path of what makes each backend; `auto` takes the first that can run and suits the machine.
ENGINES: dict[str, str] = {
    "pyannote": "audio_engine.backends.pyannote:fast",
    "pyannote-exact": "audio_engine.backends.pyannote:exact",
    "pyannote-3.1": "audio_engine.backends.pyannote:version_3_1",
    "embedded": "audio_engine.backends.embedded:EmbeddedDiarizer",
}

_loaded: list[Diarizer] = []
_prepared: set[str] = set()


def resolve(name: str = AUTO) -> Diarizer:
    """The backend `name`, not yet loaded. Raises EngineError INVALID_OPTION or ENGINE_UNAVAILABLE."""
    if name == AUTO:
        return _first_available()
    if name not in ENGINES:
        raise EngineError(
            "INVALID_OPTION",
            f"There is no engine {name!r}; the engines are {', '.join([AUTO, *ENGINES])}.",
            details={"field": "engine", "allowed": [AUTO, *ENGINES]},
        )
    backend = _instance(ENGINES[name])
    if missing := backend.missing():
        raise EngineError(
            "ENGINE_UNAVAILABLE",
            f"The engine {name} cannot run here: {missing}",
            details={"field": "engine", "engine": name, "missing": missing},
        )
    return backend


def prepare(name: str = AUTO) -> None:
    """Have here what the backend `name` needs, by the network if need be: for the process that may use it, before one
    that may not loads the backend.

    Raises what `resolve` and `Diarizer.prepare` raise; nothing for `auto`, which can do without, and tries but once
    in each process.
    """
    if name == AUTO and AUTO in _prepared:
        return
    _prepared.add(name)
    try:
        resolve(name).prepare()
    except EngineError as error:
        if name != AUTO:
            raise
        log.warning("%s", error.message)


def load(name: str = AUTO) -> Diarizer:
    """The backend `name`, loaded; once for each process. Raises what `resolve` and `Diarizer.load` raise."""
    backend = resolve(name)
    if backend not in _loaded:
        backend.load()
        _loaded.append(backend)
    return backend


def unload() -> None:
    """Forget all loaded backends and give their memory back, as far as Python, PyTorch and the C library can."""
    _loaded.clear()
    _instance.cache_clear()
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def available() -> dict[str, str | None]:
    """Each engine and what keeps it from running here, None where nothing does."""
    return {name: _instance(path).missing() for name, path in ENGINES.items()}


def _first_available() -> Diarizer:
    lacking = available()
    for name, missing in lacking.items():
        if missing is None and (backend := _instance(ENGINES[name])).suits():
            return backend
    reasons = "; ".join(f"{name}: {missing or 'asked for by name only'}" for name, missing in lacking.items())
    raise EngineError("ENGINE_UNAVAILABLE", f"No engine can run here. {reasons}")


@cache
def _instance(path: str) -> Diarizer:
    module, _, name = path.partition(":")
    backend: Diarizer = getattr(import_module(module), name)()
    return backend

"""Which engines there are and which can run here. Imports a backend only when it is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from .backends.base import Diarizer
from .errors import EngineError

AUTO = "auto"

# Dotted path of each backend's class; `auto` takes the first that can run.
ENGINES: dict[str, str] = {
    "embedded": "audio_engine.backends.embedded:EmbeddedDiarizer",
}

_loaded: list[Diarizer] = []


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
            "ENGINE_UNAVAILABLE", f"The engine {name} cannot run here: {missing}", details={"engine": name}
        )
    return backend


def load(name: str = AUTO) -> Diarizer:
    """The backend `name`, loaded; once for each process. Raises what `resolve` and `Diarizer.load` raise."""
    backend = resolve(name)
    if backend not in _loaded:
        backend.load()
        _loaded.append(backend)
    return backend


def available() -> dict[str, str | None]:
    """Each engine and what keeps it from running here, None where nothing does."""
    return {name: _instance(path).missing() for name, path in ENGINES.items()}


def _first_available() -> Diarizer:
    lacking = available()
    for name, missing in lacking.items():
        if missing is None:
            return _instance(ENGINES[name])
    reasons = "; ".join(f"{name}: {missing}" for name, missing in lacking.items())
    raise EngineError("ENGINE_UNAVAILABLE", f"No engine can run here. {reasons}")


@cache
def _instance(path: str) -> Diarizer:
    module, _, name = path.partition(":")
    backend: Diarizer = getattr(import_module(module), name)()
    return backend

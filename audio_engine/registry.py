"""Which engines there are and which can run here. Imports a backend only when it is asked for."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from .backends.base import Backend
from .errors import EngineError
from .nvidia import number_gpus_by_bus
from .types import Work

log = logging.getLogger(__name__)
Placed = TypeVar("Placed")

AUTO = "auto"

# Dotted path of what makes each backend; `auto` takes the first that does the task, can run and suits the machine.
ENGINES: dict[str, str] = {
    "pyannote": "audio_engine.backends.pyannote:fast",
    "pyannote-shared": "audio_engine.backends.pyannote:shared",
    "pyannote-exact": "audio_engine.backends.pyannote:exact",
    "pyannote-3.1": "audio_engine.backends.pyannote:version_3_1",
    "embedded": "audio_engine.backends.embedded:EmbeddedDiarizer",
    "pixit": "audio_engine.backends.pixit:PixitSeparator",
    "exemplars": "audio_engine.backends.exemplars:ExemplarSeparation",
    "htdemucs-vocals": "audio_engine.backends.demucs:VocalsCleaner",
    "pauses": "audio_engine.backends.pauses:PauseCleaner",
    "whisper-large-v3-turbo": "audio_engine.backends.whisper:large_v3_turbo",
    "whisper-large-v3": "audio_engine.backends.whisper:large_v3",
    "whisper-small": "audio_engine.backends.whisper:small",
    "whisper-base": "audio_engine.backends.whisper:base",
    "rnnoise": "audio_engine.backends.rnnoise:RnnoiseDenoiser",
    "spectral": "audio_engine.backends.spectral:SpectralDenoiser",
    "htdemucs": "audio_engine.backends.demucs:htdemucs",
    "htdemucs_ft": "audio_engine.backends.demucs:htdemucs_ft",
    "htdemucs_6s": "audio_engine.backends.demucs:htdemucs_6s",
    "basic": "audio_engine.backends.basic:BasicSplitter",
}

_instances: dict[str, Backend] = {}  # by path
_loaded: list[Backend] = []
_wanted: list[Backend] = []  # those loaded ones that the request at hand has asked for
_prepared: set[tuple[str, Work | None]] = set()


def resolve(name: str = AUTO, task: Work | None = None) -> Backend:
    """The backend `name` for a task, whichever it does if None, not yet loaded.

    Raises EngineError INVALID_OPTION or ENGINE_UNAVAILABLE.
    """
    names = engines_for(task)
    if name == AUTO:
        return _first_available(names, task)
    if name not in names:
        wanted = f"engine {name!r} for {task}" if task else f"engine {name!r}"
        raise EngineError(
            "INVALID_OPTION",
            f"There is no {wanted}; the engines are {', '.join([AUTO, *names])}.",
            details={"field": "engine", "allowed": [AUTO, *names]},
        )
    backend = _instance(ENGINES[name])
    if missing := backend.missing():
        raise EngineError(
            "ENGINE_UNAVAILABLE",
            f"The engine {name} cannot run here: {missing}",
            details={"field": "engine", "engine": name, "missing": missing},
        )
    return backend


def prepare(name: str = AUTO, task: Work | None = None) -> None:
    """Have here what the backend `name` needs, by the network if need be: for the process that may use it, before one
    that may not loads the backend.

    Raises what `resolve` and `Backend.prepare` raise; nothing for `auto`, which can do without, and tries but once
    for each task in each process.
    """
    if name == AUTO and (AUTO, task) in _prepared:
        return
    _prepared.add((name, task))
    try:
        backend = resolve(name, task)
    except EngineError:
        if name != AUTO:
            raise
        return  # which is told where it is loaded
    try:
        backend.prepare()
    except EngineError as error:
        if name != AUTO:
            raise
        log.warning("%s", error.message)


def load(name: str = AUTO, task: Work | None = None) -> Backend:
    """The backend `name` for a task, loaded once for each process. Raises what `resolve` and `Backend.load` raise."""
    backend = resolve(name, task)
    if backend not in _wanted:
        _wanted.append(backend)
    if backend not in _loaded:
        number_gpus_by_bus()  # before what it loads starts CUDA
        backend.load()
        _loaded.append(backend)
    return backend


def begin_request() -> None:
    """From now on, what was loaded for the requests before may go where memory is short."""
    _wanted.clear()


def with_room(place: Callable[[], Placed], short: Callable[[Exception], bool]) -> Placed:
    """What `place` gives, which puts networks on a GPU. Where it raises what tells that memory is `short`, it is tried
    once more without the networks that are only kept for later requests.
    """
    try:
        return place()
    except Exception as error:
        idle = [backend for backend in _loaded if backend not in _wanted]
        if not idle or not short(error):
            raise
        log.info("Unloading %s, which leaves no room on the GPU.", ", ".join(backend.name for backend in idle))
    _loaded[:] = [backend for backend in _loaded if backend in _wanted]
    for path in [path for path, backend in _instances.items() if backend in idle]:
        del _instances[path]
    idle.clear()
    _give_back_memory()
    return place()


def unload() -> None:
    """Forget all loaded backends and give their memory back, as far as Python, PyTorch and the C library can."""
    _loaded.clear()
    _wanted.clear()
    _instances.clear()
    _give_back_memory()


def _give_back_memory() -> None:
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def engines_for(task: Work | None) -> list[str]:
    """The names of the engines that do a task, of all if None, the one that `auto` likes best first."""
    return [name for name, path in ENGINES.items() if task is None or task in _instance(path).tasks]


def backend(name: str) -> Backend:
    """The backend of that name, whether it can run here or not."""
    return _instance(ENGINES[name])


def available(task: Work | None = None) -> dict[str, str | None]:
    """Each engine that does a task, any if None, and what keeps it from running here, None where nothing does."""
    return {name: _instance(ENGINES[name]).missing() for name in engines_for(task)}


def _first_available(names: list[str], task: Work | None) -> Backend:
    lacking = {name: _instance(ENGINES[name]).missing() for name in names}
    for name, missing in lacking.items():
        if missing is None and (backend := _instance(ENGINES[name])).suits():
            return backend
    reasons = {name: missing or "It is taken only where it is asked for by name." for name, missing in lacking.items()}
    first, *others = reasons
    wanted = f"No engine for {task}" if task else "No engine"
    told = f"{wanted} is installed on this server. {first}: {reasons[first]}"
    raise EngineError(
        "ENGINE_UNAVAILABLE",
        f"{told} Or take one of {', '.join(others)}." if others else told,
        details={"field": "engine", "missing": reasons},
    )


def _instance(path: str) -> Backend:
    if path not in _instances:
        module, _, name = path.partition(":")
        _instances[path] = getattr(import_module(module), name)()
    return _instances[path]

"""`models list | fetch | check`, for every command line that offers them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

from .. import registry
from ..errors import EngineError
from .catalogue import MODELS, Model, needed_by
from .checking import faults, verifiable
from .fetching import fetch
from .store import StoredModel, locate, models_dir

DEFAULT = "pyannote"  # the engine whose models are fetched where none is named
MEGABYTE = 1_000_000

Write = Callable[[str], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(action="list", names=[])
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | fetch | check")
    actions.add_parser("list", help="which models there are, which of them are here, and their licences")
    fetching = actions.add_parser("fetch", help="download models into the models folder")
    fetching.add_argument(
        "names", nargs="*", metavar="NAME", help=f"models, or engines for all that they need; {DEFAULT} if left out"
    )
    checking = actions.add_parser("check", help="whether the models that are here are whole and can be loaded")
    checking.add_argument("names", nargs="*", metavar="NAME", help="models or engines; all that are here if left out")


def run(action: str, names: Sequence[str], write: Write) -> None:
    """Raises EngineError: what `fetch` raises, INVALID_OPTION for an unknown name, ENGINE_UNAVAILABLE for faults."""
    {"list": _list, "fetch": _fetch, "check": _check}[action](names, write)


def _list(_: Sequence[str], write: Write) -> None:
    write(f"Models folder: {models_dir()}")
    for model in MODELS.values():
        conditions = f"{model.licence}, conditions to accept at {model.page}" if model.gated else model.licence
        write(f"{model.name}: {_state(model)}; for {', '.join(model.engines)}; {conditions}")


def _state(model: Model) -> str:
    stored = locate(model)
    if stored is None:
        return f"not here, {model.download} to fetch"
    place = "" if stored.folder.is_relative_to(models_dir()) else ", in Hugging Face's cache"
    revision = f", revision {stored.revision[:8]}" if stored.revision else ""
    return f"here, {stored.size(model) / MEGABYTE:.1f} MB{revision}{place}"


def _fetch(names: Sequence[str], write: Write) -> None:
    for model in _named(names or [DEFAULT]):
        write(f"{model.name}: fetching {model.download} from {model.page} ({model.licence})")
        folder = fetch(model)
        write(f"{model.name}: {_state(model)}, in {folder}")


def _check(names: Sequence[str], write: Write) -> None:
    chosen = _named(names) if names else [model for model in MODELS.values() if locate(model)]
    if not chosen:
        write(f"There are no models here. Fetch some with: models fetch ({', '.join(MODELS)})")
    failures = [line for model in chosen for line in _faults(model, write)]
    failures += [line for engine in _engines(chosen) for line in _trial(engine, write)]
    if failures:
        raise EngineError("ENGINE_UNAVAILABLE", "\n".join(failures))


def _faults(model: Model, write: Write) -> Iterator[str]:
    stored = locate(model)
    if stored is None:
        yield f"{model.name} is not here; fetch it with: models fetch {model.name}"
        return
    found = [f"{model.name}: {fault}; fetch it anew with: models fetch {model.name}" for fault in faults(model, stored)]
    yield from found
    if not found:
        write(f"{model.name}: {_verdict(stored)}")


def _verdict(stored: StoredModel) -> str:
    return "sizes and hashes are the hub's" if verifiable(stored) else "all files are here; no hashes to compare with"


def _engines(models: Sequence[Model]) -> list[str]:
    """Those that use some of `models` and have all that they need."""
    using = dict.fromkeys(engine for model in models for engine in model.engines)
    return [engine for engine in using if all(locate(model) for model in needed_by(engine))]


def _trial(engine: str, write: Write) -> Iterator[str]:
    try:
        registry.load(engine)
    except EngineError as error:
        yield f"{engine}: {error.message}"
    else:
        write(f"{engine}: loads")


def _named(names: Sequence[str]) -> list[Model]:
    chosen: dict[str, Model] = {}
    for name in names:
        found = [MODELS[name]] if name in MODELS else list(needed_by(name))
        if not found:
            known = f"The engine {name} needs none" if name in registry.ENGINES else f"There is no model {name!r}"
            raise EngineError(
                "INVALID_OPTION",
                f"{known}; the models are {', '.join(MODELS)}.",
                details={"field": "names", "allowed": list(MODELS)},
            )
        chosen |= {model.name: model for model in found}
    return list(chosen.values())

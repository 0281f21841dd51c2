"""What an engine's models lack on this machine, in words that say how to get it."""

from __future__ import annotations

import logging

from ..errors import EngineError
from .catalogue import Model, needed_by
from .store import absent, fetchable, refusal

log = logging.getLogger(__name__)


def lacking(engine: str) -> str | None:
    """Why an engine whose models the hub gives to who accepts their conditions cannot have them here; None where they
    are here or can be fetched.
    """
    for model in absent(needed_by(engine)):
        if refused := refusal(model):
            return f"{refused} Then: python manage.py models fetch {engine}"
        if not fetchable():
            accept = f"Accept the conditions at {model.page}, set" if model.gated else "Set"
            return (
                f"The weights of {model.repository} are not on this machine. {accept} HF_TOKEN and run: "
                f"python manage.py models fetch {engine}. Or copy the folder {model.name} of another installation's "
                "models folder into this one's."
            )
    return None


def not_here(model: Model, engine: str) -> str:
    """Of a model that anybody may fetch, for the engine of that name."""
    return (
        f"The weights of {model.repository} ({model.megabytes:,} MB) are not on this machine. "
        f"Fetch them with: python manage.py models fetch {engine}. Or copy the folder {model.name} of "
        "another installation's models folder into this one's."
    )


def unusable(model: Model, error: Exception) -> EngineError:
    """ENGINE_UNAVAILABLE for a model whose files are here and could not be loaded."""
    log.error("%s cannot be loaded", model.name, exc_info=error)
    return EngineError(
        "ENGINE_UNAVAILABLE",
        f"The files of {model.name} on this machine cannot be loaded ({type(error).__name__}). Look at them with: "
        f"python manage.py models check {model.name}. Fetch them anew with: python manage.py models fetch {model.name}",
        details={"model": model.repository},
    )

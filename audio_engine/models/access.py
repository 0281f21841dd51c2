"""Whether the Hugging Face hub gives models that are not here, asked before somebody wants them."""

from __future__ import annotations

import logging

from .catalogue import MODELS, Model
from .fetching import FORBIDDEN, no_connection, refused
from .store import absent, fetchable, forget_refusal

log = logging.getLogger(__name__)


def ask() -> None:
    """Find out which models with conditions the token may not fetch, so that who names their engine is refused with
    the reason, not disappointed by a job. Does nothing without a token; a hub that cannot be reached tells nothing.
    """
    if not fetchable():
        return
    for model in absent(model for model in MODELS.values() if model.gated):
        _ask(model)


def _ask(model: Model) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().auth_check(model.repository)
    except HfHubHTTPError as error:
        if error.response.status_code in FORBIDDEN:  # not 404: a mirror of the hub may not know the question
            log.warning("%s", refused(model, error.response.status_code).message)
    except no_connection() as error:
        log.info("Whether %s can be had is not known: %s", model.repository, error)
    else:
        forget_refusal(model)

"""What a job costs."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from .models import Job


def price(task: str, seconds: float, surface: str = "", *, gives_turns: bool = False) -> int:
    """Whole credits for so many seconds of audio, rounded up. Milliseconds count, so float noise does not.

    `surface` is the other vendor's API that the work is asked for by, which may have one price for whatever it does.
    Where `gives_turns`, nobody has to be told apart, which is most of the work of most tasks.
    """
    rate = settings.SURFACE_CREDITS_PER_SECOND.get(surface, settings.CREDITS_PER_SECOND[task])
    if gives_turns:
        rate = min(rate, settings.GIVEN_TURNS_CREDITS_PER_SECOND)
    exact = rate * Decimal(str(round(seconds, 3)))
    return int(exact.to_integral_value(ROUND_CEILING))


def of(job: Job, seconds: float) -> int:
    """The price of a job whose recording is so many seconds long."""
    return price(job.task, seconds, job.surface, gives_turns=bool(job.options.get("turns")))

"""What a job costs."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from django.conf import settings


def price(task: str, seconds: float, surface: str = "") -> int:
    """Whole credits for so many seconds of audio, rounded up. Milliseconds count, so float noise does not.

    `surface` is the other vendor's API that the work is asked for by, which may have one price for whatever it does.
    """
    rate = settings.SURFACE_CREDITS_PER_SECOND.get(surface, settings.CREDITS_PER_SECOND[task])
    exact = rate * Decimal(str(round(seconds, 3)))
    return int(exact.to_integral_value(ROUND_CEILING))

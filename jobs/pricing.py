"""What a job costs."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from django.conf import settings


def price(task: str, seconds: float) -> int:
    """Whole credits for so many seconds of audio, rounded up. Milliseconds count, so float noise does not."""
    exact = settings.CREDITS_PER_SECOND[task] * Decimal(str(round(seconds, 3)))
    return int(exact.to_integral_value(ROUND_CEILING))

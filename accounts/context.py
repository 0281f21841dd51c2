from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from . import ledger


def account(request: HttpRequest) -> dict[str, Any]:
    """What every page shows of the account: whether one can be made, and what it may spend."""
    user = getattr(request, "user", None)
    credits = cache(lambda: ledger.available(user)) if user and user.is_authenticated else None
    return {"signup_open": settings.SIGNUP_OPEN, "available_credits": credits}

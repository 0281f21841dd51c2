"""How an account comes to be, whichever door it came through."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from . import ledger
from .models import User


@transaction.atomic
def register(email: str, password: str | None, *, staff: bool = False, credits: int | None = None) -> User:
    """A new account with its first credits (the configured grant unless a number is given)."""
    create = User.objects.create_superuser if staff else User.objects.create_user
    user = create(email, password)
    welcome(user, credits)
    return user


def welcome(user: User, credits: int | None = None, *, actor: User | None = None) -> None:
    """The first credits of a new account."""
    first = settings.SIGNUP_CREDITS if credits is None else credits
    if first > 0:
        ledger.grant(user, first, reason="Welcome credits", actor=actor)

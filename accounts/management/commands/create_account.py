"""manage.py create_account: an account, its credits and its first API key, for scripts and for the first admin."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts import ledger
from accounts.models import APIKey, User
from accounts.registration import register


class Command(BaseCommand):
    help = "Make an account. With --api-key, its secret alone is written to standard output, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--staff", action="store_true", help="let the account into /admin/ with every permission")
        parser.add_argument("--credits", type=int, help="first credits instead of SOLOIST_SIGNUP_CREDITS")
        parser.add_argument("--api-key", metavar="NAME", help="issue an API key of this name")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(
        self,
        *,
        email: str,
        staff: bool,
        credits: int | None,
        api_key: str | None,
        password_stdin: bool,
        **_: Any,
    ) -> None:
        check_email(email)
        check_numbers_and_names(credits, api_key)
        password = read_password(email) if password_stdin else None
        try:
            user, secret = create(email, password, staff, credits, api_key)
        except IntegrityError:
            raise CommandError(f"There is already an account of {email}.") from None
        self.stderr.write(f"Made the {'staff ' if staff else ''}account {user} with {ledger.available(user)} credits.")
        if password is None:
            self.stderr.write(f"It has no password: manage.py changepassword {user} sets one.")
        if secret:
            self.stderr.write("Its API key, which is not shown again:")
            self.stdout.write(secret)


@transaction.atomic
def create(
    email: str, password: str | None, staff: bool, credits: int | None, api_key: str | None
) -> tuple[User, str | None]:
    user = register(email, password, staff=staff, credits=credits)
    return user, APIKey.issue(user, api_key)[1] if api_key else None


def check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise CommandError(f"{email!r} is not an e-mail address.") from None
    if User.objects.filter(email=email.lower()).exists():
        raise CommandError(f"There is already an account of {email}.")


def check_numbers_and_names(credits: int | None, api_key: str | None) -> None:
    if credits is not None and credits < 0:
        raise CommandError("--credits must be 0 or more.")
    longest = APIKey._meta.get_field("name").max_length
    if api_key is not None and not 1 <= len(api_key) <= longest:
        raise CommandError(f"The name of an API key has 1 to {longest} characters.")


def read_password(email: str) -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    return password

"""Signed addresses that a recording is sent to as the whole body of a PUT, which needs no key and expires."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from accounts.models import User
from jobs import files, ingest
from jobs.errors import JobError
from jobs.models import Media

SALT = "jobs.compat.uploads"


class PutView:
    """Of a view: the address is the credential, as at a storage's presigned one."""

    takes_bare_file = True  # for gate.py
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


def address(request: Request, view: str, owner: User, **said: Any) -> str:
    """The signed address of `view`, a PutView's name, with what it is to know when somebody sends a recording there."""
    path = reverse(view, args=[signing.dumps({"owner": str(owner.pk), **said}, salt=f"{SALT}.{view}")])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else str(request.build_absolute_uri(path))


def read(token: str, view: str, *, seconds: int) -> tuple[User, dict[str, Any]]:
    """Who asked for an address in the last so many seconds, and what was said. Raises JobError LINK_EXPIRED,
    LINK_INVALID.
    """
    try:
        said = signing.loads(token, salt=f"{SALT}.{view}", max_age=seconds)
        return User.objects.get(pk=said.pop("owner"), is_active=True), said
    except signing.SignatureExpired as error:
        raise JobError("LINK_EXPIRED", "This address has expired; ask for a fresh one.") from error
    except (signing.BadSignature, User.DoesNotExist) as error:
        raise JobError("LINK_INVALID") from error


def take(request: Request, owner: User, name: str, **columns: Any) -> Media:
    """Store the body of a request as a recording. Raises JobError."""
    with received(request, owner) as local:
        return ingest.take_upload(owner, local, name, **columns)


@contextmanager
def received(request: Request, owner: User) -> Iterator[Path]:
    """The body of a request as a file, gone afterwards. Raises JobError."""
    ingest.check_room(owner, int(request.META.get("CONTENT_LENGTH") or 0))
    with files.scratch() as folder, files.disk_errors():
        local = folder / "upload"
        with local.open("wb") as out:
            copyfileobj(request._request, out, files.CHUNK)
        yield local

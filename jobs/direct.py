"""Recordings that are sent straight to the bucket, where files are kept in one, by a presigned address for a PUT.

Nobody says when something has arrived there. So a recording is taken when it is first asked for: fetched once, within
bounds, looked at, and stored under a name of its own. What comes to the address later changes nothing; it goes with
the upload's row, a day later.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import User

from . import files, ingest, uploads
from .errors import JobError
from .models import Media, Upload

NOTHING_SENT = "Nothing has been sent to this address yet, or it was no recording."


def possible() -> bool:
    return not files.local()


def offer(owner: User, name: str, *, bytes: int | None = None, key: str = "") -> tuple[Upload, str]:
    """Expect a recording; returns the address for it, which takes no other number of `bytes` where that is given.

    Raises JobError FILE_TOO_LARGE, UPLOADS_FULL.
    """
    length = settings.MAX_UPLOAD_BYTES if bytes is None else bytes
    files.check_size(length)
    try:
        upload = _expect(owner, length, name, key)
    except JobError:
        _measure(owner)
        upload = _expect(owner, length, name, key)
    return upload, files.address(_place(upload), settings.LINK_SECONDS, bytes)


def take(owner: User, uuid: UUID) -> Media:
    """The recording that was sent to the address of this upload.

    Raises JobError MEDIA_NOT_FOUND where there is none, and what it is refused for.
    """
    upload = _offered(owner).filter(uuid=uuid).first()
    media = Media.objects.filter(owner=owner, uuid=uuid).first()
    if media is None and upload and not upload.complete:
        media = _take(upload)
    if media is None:
        raise JobError("MEDIA_NOT_FOUND", NOTHING_SENT)
    return media


def take_newest(owner: User, key: str) -> None:
    """If something has been sent to an address of this key: take the newest. Raises JobError where that is refused."""
    waiting = _offered(owner).filter(key=key, offset__lt=F("length")).order_by("-pk")
    for upload in waiting:
        if media := _take(upload):
            ingest.forget_older(media)
            for older in waiting.filter(pk__lt=upload.pk):
                uploads.remove(older)
            return


def _offered(owner: User) -> QuerySet[Upload]:
    return Upload.objects.filter(owner=owner, direct=True, created_at__gt=timezone.now() - uploads.LIFE)


def _expect(owner: User, length: int, name: str, key: str) -> Upload:
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # no two at once into the same room
        ingest.check_room(owner, length)
        return Upload.objects.create(owner=owner, length=length, name=ingest.display_name(name), key=key, direct=True)


def _measure(owner: User) -> None:
    """Count what has been sent as what it is, and forget addresses that expired with nothing sent."""
    expired = timezone.now() - timedelta(seconds=settings.LINK_SECONDS)
    for upload in _offered(owner).filter(offset__lt=F("length")):
        if size := files.size(_place(upload)):
            Upload.objects.filter(pk=upload.pk).update(length=size)
        elif upload.created_at < expired:
            uploads.remove(upload)


def _take(upload: Upload) -> Media | None:
    """None where nothing has been sent. What is refused is removed, with its address."""
    with files.scratch() as folder, files.disk_errors():
        local = folder / "upload"
        try:
            if not files.fetch(_place(upload), local, settings.MAX_UPLOAD_BYTES):
                return None
            media = ingest.take_upload(upload.owner, local, upload.name, uuid=upload.uuid, key=upload.key)
        except IntegrityError:  # another request was faster
            return Media.objects.get(uuid=upload.uuid)
        except JobError as error:
            if error.status < 500:
                uploads.remove(upload)
            raise
    Upload.objects.filter(pk=upload.pk).update(offset=F("length"))
    files.delete(_place(upload))
    return media


def _place(upload: Upload) -> str:
    return str(PurePosixPath("uploads", str(upload.uuid), "whole"))

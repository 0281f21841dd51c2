"""Recordings that come in by parts, over as many connections and server's lives as it takes.

Each part is a file of its own in the storage, and counts once the row has moved over it: an UPDATE guarded by the
offset, so that of two parts for one place the second gets UPLOAD_MOVED. With the last part the whole is put together,
looked at and stored as a recording with the upload's uuid, which the database gives only once. Wherever a process dies
in between, sending the same part again goes on from there.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User

from . import files, ingest
from .errors import JobError
from .models import Media, Upload, UploadPart

MOST_PART_BYTES = 8 << 20  # a web server such as daphne holds a request's whole body in memory
MOST_PARTS = 10_000
LIFE = ingest.UNUSED_LIFE


def create(owner: User, length: int, name: str, metadata: str) -> Upload:
    """Raises JobError FILE_TOO_LARGE, INVALID_AUDIO_FORMAT for an empty file, UPLOADS_FULL."""
    limit = settings.MAX_RESUMABLE_BYTES
    if length > limit:
        raise JobError(
            "FILE_TOO_LARGE", f"The file is larger than {limit // 1_000_000} MB.", details={"limit_bytes": limit}
        )
    if length == 0:
        raise JobError("INVALID_AUDIO_FORMAT", "The file is empty.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # no two at once into the same room
        ingest.check_room(owner, length)
        return Upload.objects.create(owner=owner, length=length, name=ingest.display_name(name), metadata=metadata)


def find(owner: Any, uuid: UUID) -> Upload:
    """Raises JobError UPLOAD_NOT_FOUND, for others' and expired ones too."""
    upload = Upload.objects.filter(owner=owner, uuid=uuid, direct=False, created_at__gt=timezone.now() - LIFE).first()
    if upload is None:
        raise JobError("UPLOAD_NOT_FOUND")
    return upload


def expiry(upload: Upload) -> datetime:
    return upload.created_at + LIFE


def append(upload: Upload, offset: int, part: Path) -> Upload:
    """Add the bytes in `part`, which go to `offset`. Raises JobError, also for what turns out to be no recording."""
    size = part.stat().st_size
    if offset != upload.offset:
        raise _moved(upload)
    if offset + size > upload.length:
        raise JobError("INVALID_INPUT", "There is more than Upload-Length said.")
    if size == 0:
        return upload
    with files.disk_errors():
        if offset + size == upload.length:
            _finish(upload, part)
        else:
            _keep(upload, part, size)
    upload.refresh_from_db()
    return upload


def remove(upload: Upload) -> None:
    """Forget an upload and the parts of one that is not finished; the recording it became is another matter."""
    files.delete_folder(_folder(upload))
    upload.delete()


def _keep(upload: Upload, part: Path, size: int) -> None:
    if upload.parts.count() >= MOST_PARTS:
        raise JobError("INVALID_INPUT", f"The upload is in more than {MOST_PARTS} parts; send larger ones.")
    stored = files.store(part, _folder(upload) / f"{upload.offset}-{secrets.token_hex(4)}")
    try:
        with transaction.atomic():
            _advance(upload, upload.offset + size)
            UploadPart.objects.create(upload=upload, offset=upload.offset, file=stored)
    except BaseException:  # whatever it was: no row leads to the part, so nobody would remove it
        files.delete(stored)
        raise


def _finish(upload: Upload, last: Path) -> None:
    if not Media.objects.filter(uuid=upload.uuid).exists():  # else its process died just before the next line
        _take(upload, last)
    with transaction.atomic():
        _advance(upload, upload.length)
        upload.parts.all().delete()
    files.delete_folder(_folder(upload))


def _take(upload: Upload, last: Path) -> None:
    with files.scratch() as folder:
        whole = folder / "upload"
        with whole.open("wb") as out:
            for part in upload.parts.all():
                with default_storage.open(part.file, "rb") as source:
                    copyfileobj(source, out, files.CHUNK)
            with last.open("rb") as source:
                copyfileobj(source, out, files.CHUNK)
        try:
            ingest.take_upload(upload.owner, whole, upload.name, uuid=upload.uuid)
        except IntegrityError as error:  # another request finished it meanwhile
            raise _moved(upload) from error
        except JobError as error:
            if error.status < 500:  # it is no recording and will be none
                remove(upload)
            raise


def _advance(upload: Upload, offset: int) -> None:
    if not Upload.objects.filter(pk=upload.pk, offset=upload.offset).update(offset=offset):
        raise _moved(upload)


def _moved(upload: Upload) -> JobError:
    here = Upload.objects.filter(pk=upload.pk).values_list("offset", flat=True).first()
    return JobError("UPLOAD_MOVED", details={"offset": here})


def _folder(upload: Upload) -> PurePosixPath:
    return PurePosixPath("uploads", str(upload.uuid))

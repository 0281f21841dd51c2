"""Stored files: recordings in, tracks out, through Django's default storage. Never called inside a transaction."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from shutil import copyfileobj, rmtree
from tempfile import mkdtemp
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, default_storage

from .errors import JobError

CHUNK = 1 << 20


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of one's own on the local disk, gone afterwards."""
    settings.SCRATCH_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=settings.SCRATCH_DIR))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def folders(name: PurePosixPath) -> list[PurePosixPath]:
    """The folders in a folder of the storage."""
    try:
        return [name / folder for folder in default_storage.listdir(str(name))[0]]
    except FileNotFoundError:
        return []


def last_change(name: PurePosixPath) -> datetime:
    """When anything in a folder was last written."""
    below, names = default_storage.listdir(str(name))
    changes = [default_storage.get_modified_time(str(name / file)) for file in names]
    changes += [last_change(name / folder) for folder in below]
    return max(changes) if changes else default_storage.get_modified_time(str(name))


@contextmanager
def disk_errors() -> Iterator[None]:
    """A full disk is told as what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise JobError("DISK_FULL") from error
        raise


class _Moved(File):  # type: ignore[type-arg]  # at run time it takes none
    """Which a storage on the same disk takes by renaming it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def store(local: Path, name: PurePosixPath, *, move: bool = False) -> str:
    """Copy a local file into the storage; returns the name it got. Leaves nothing behind where that fails.

    `move` where it is not needed afterwards, and may be gone.
    """
    try:
        with local.open("rb") as source:
            return default_storage.save(str(name), (_Moved if move else File)(source))
    except OSError:
        default_storage.delete(str(name))
        raise


def store_media(local: Path, *, move: bool = False) -> str:
    """Store a recording under a name of the server's own, as `store` does."""
    return store(local, PurePosixPath("media", str(uuid.uuid4()), "recording"), move=move)


@contextmanager
def local_copy(name: str, folder: Path) -> Iterator[Path]:
    """The stored file as a path on this machine: itself on a local disk, else a copy in `folder`."""
    if local():
        yield Path(default_storage.path(name))
        return
    copy = folder / "recording"
    with default_storage.open(name, "rb") as source, copy.open("wb") as out:
        copyfileobj(source, out, CHUNK)
    yield copy


# --- what is sent straight to the bucket, where there is one


def local() -> bool:
    """Whether files are kept on a disk of this machine's; else they are in a bucket of S3's."""
    return isinstance(default_storage, FileSystemStorage)


def address(name: str, seconds: int, bytes: int | None) -> str:
    """Where anybody can PUT an object of the bucket for so long, and only one of so many bytes where that is given."""
    wanted = {"Bucket": _bucket().name, "Key": name} | ({} if bytes is None else {"ContentLength": bytes})
    client = _bucket().meta.client
    return str(client.generate_presigned_url("put_object", Params=wanted, ExpiresIn=seconds))


def size(name: str) -> int | None:
    """Bytes of an object of the bucket; None where there is none."""
    return default_storage.size(name) if default_storage.exists(name) else None


def fetch(name: str, local: Path, most: int) -> bool:
    """Copy an object of the bucket, one version throughout; False where there is none. Raises JobError FILE_TOO_LARGE
    before any of it is read.
    """
    from botocore.exceptions import ClientError

    try:
        found = _bucket().Object(name).get()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    with closing(found["Body"]) as source, local.open("wb") as out:
        if found["ContentLength"] > most:
            raise too_large()
        copyfileobj(source, out, CHUNK)
    return True


def _bucket() -> Any:
    return default_storage.bucket  # type: ignore[attr-defined]  # S3's


def check_size(bytes: int) -> None:
    """Raises JobError FILE_TOO_LARGE for more than one request may bring."""
    if bytes > settings.MAX_UPLOAD_BYTES:
        raise too_large()


def too_large() -> JobError:
    limit = settings.MAX_UPLOAD_BYTES
    message = f"The file is larger than {limit // 1_000_000} MB."
    return JobError("FILE_TOO_LARGE", message, details={"limit_bytes": limit})


# --- and gone


def delete(name: str) -> None:
    default_storage.delete(name)


def delete_folder(name: PurePosixPath) -> None:
    """Delete everything below a folder of the storage, and the folder; nothing there is no error."""
    try:
        folders, names = default_storage.listdir(str(name))
    except FileNotFoundError:
        return
    for file in names:
        default_storage.delete(str(name / file))
    for folder in folders:
        delete_folder(name / folder)
    default_storage.delete(str(name))

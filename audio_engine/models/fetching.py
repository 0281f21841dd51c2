"""Bringing a model from the Hugging Face hub into the models folder. Beside `access` what goes online."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FULL_DISK, EngineError
from .catalogue import Model
from .checking import fault
from .store import FileRecord, Manifest, forget_refusal, keep_refusal, own_folder, write_manifest

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

FORBIDDEN = (401, 403)
METADATA_TIMEOUT = 20.0  # seconds for the hub's answer about a repository
MEGABYTE = 1_000_000


def fetch(model: Model) -> Path:
    """Download what is needed of `model` into its folder and write its manifest; returns the folder.

    Files that are whole already are not fetched again. A connection that breaks is taken up where it broke, a few
    times, and by the next call; what came is compared with the hub's hashes. Progress goes to a terminal's stderr. The
    token is HF_TOKEN's or that of `hf auth login`. A second call for the same model waits for the first.

    Raises EngineError ENGINE_UNAVAILABLE: no network (not permanent), no or a wrong token, consent not given, nothing
    there, a folder that cannot be written; DISK_FULL, before anything is downloaded where that can be told.
    """
    from huggingface_hub import HfApi

    folder = own_folder(model)
    with _hub_errors(model, folder):
        info = HfApi().model_info(model.repository, files_metadata=True, timeout=METADATA_TIMEOUT)
        revision = info.sha or ""
        files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        if lacking := [file for file in model.files if file not in files]:
            raise _unavailable(model, f"its page does not offer {', '.join(lacking)} (any more)")
        records = {file: _record(files[file]) for file in model.files}
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            wanted = {file: record for file, record in records.items() if not _whole(folder / file, record)}
            _check_space(model, folder, wanted)
            for file, record in wanted.items():
                _download(model, revision, file, record)
            write_manifest(folder, Manifest(revision, records))
    forget_refusal(model)
    return folder


def _whole(path: Path, record: FileRecord) -> bool:
    return path.is_file() and fault(path, record) is None


def _download(model: Model, revision: str, file: str, record: FileRecord) -> None:
    """Go on with what an earlier call has left of it, if any."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    target = own_folder(model) / file
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(target, record)
    with partial.open("ab") as part:
        if part.tell() > record.bytes:
            part.truncate(0)
        if (done := part.tell()) < record.bytes:
            address = hf_hub_url(model.repository, file, revision=revision)
            http_get(address, part, resume_size=done, headers=build_hf_headers(), displayed_filename=file)
    if found := fault(partial, record):
        partial.unlink()  # or it would be damaged for ever
        raise _unavailable(model, f"{file} {found}; try again", permanent=False)
    partial.replace(target)


def _partial(target: Path, record: FileRecord) -> Path:
    """What there is of a file that is not whole yet, by its content: the hub may have another one next time."""
    return target.with_name(f"{target.name}.{record.digest.partition(':')[2][:8]}.partial")


def _check_space(model: Model, folder: Path, wanted: Mapping[str, FileRecord]) -> None:
    partials = {_partial(folder / file, record): record.bytes for file, record in wanted.items()}
    needed = sum(size - (path.stat().st_size if path.is_file() else 0) for path, size in partials.items())
    free = shutil.disk_usage(folder).free
    if needed > free:
        has = f"{needed / MEGABYTE:,.0f} MB are still to come, and {free / MEGABYTE:,.0f} MB are free"
        raise _disk_full(model, f"{has} in {folder}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else fetches the same model on this machine."""
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system that has no locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _record(file: RepoSibling) -> FileRecord:
    if file.lfs:
        return FileRecord(file.lfs.size, f"sha256:{file.lfs.sha256}")
    return FileRecord(file.size or 0, f"git:{file.blob_id}")


@contextmanager
def _hub_errors(model: Model, folder: Path) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (*FORBIDDEN, 404):
            raise refused(model, status) from error
        raise _unavailable(model, f"the hub answered with status {status}", permanent=False) from error
    except errors.OfflineModeIsEnabled as error:
        raise _unavailable(model, "HF_HUB_OFFLINE forbids it; unset it to fetch models") from error
    except no_connection() as error:
        reason = f"{_hub()} cannot be reached; is this machine online? Another fetch goes on from there"
        raise _unavailable(model, reason, permanent=False) from error
    except OSError as error:
        if error.errno in FULL_DISK:
            raise _disk_full(model, f"What came is kept in {folder}") from error
        if error.errno is None:  # by the hub's library, where less came than was announced
            raise _unavailable(
                model, "the connection broke; another fetch goes on from there", permanent=False
            ) from error
        reason = f"{error.filename or folder} cannot be used ({error.strerror})"
        raise _unavailable(model, reason) from error


def no_connection() -> tuple[type[Exception], ...]:
    """With what the hub's HTTP library raises, which is not the same one in all of its versions."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    transport = [kind for kind in HfHubHTTPError.__mro__[1:] if kind.__module__ != "builtins"]
    return (LocalEntryNotFoundError, ConnectionError, TimeoutError, *transport)


def refused(model: Model, status: int) -> EngineError:
    """Of the hub's answer, with what to do, which is kept for those who ask later."""
    from huggingface_hub import get_token

    if status == 404:
        reason = "there is nothing at its page, or the token may not see it"
    elif not get_token():
        reason = (
            f"it asks for a token: accept its conditions at {model.page}, make a token with read access at "
            "https://huggingface.co/settings/tokens and set HF_TOKEN to it"
        )
    elif status == 401:
        reason = (
            "the hub does not know the token in HF_TOKEN: make one at https://huggingface.co/settings/tokens, with "
            f"read access, from an account that has accepted the conditions at {model.page}"
        )
    else:
        reason = (
            f"its licence is not accepted yet: open {model.page} with the token's account and accept the conditions; "
            "a fine-grained token also has to allow reading gated repositories"
        )
    error = _unavailable(model, reason)
    keep_refusal(model, error.message)
    return error


def _disk_full(model: Model, more: str) -> EngineError:
    return EngineError(
        "DISK_FULL",
        f"{model.repository} could not be fetched: the disk is full. {more}.",
        permanent=False,
        details={"model": model.repository},
    )


def _unavailable(model: Model, reason: str, *, permanent: bool = True) -> EngineError:
    return EngineError(
        "ENGINE_UNAVAILABLE",
        f"{model.repository} could not be fetched: {reason}.",
        permanent=permanent,
        details={"model": model.repository, "page": model.page},
    )


def _hub() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT

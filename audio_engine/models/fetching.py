"""Bringing a model from the Hugging Face hub into the models folder. The only part of the engine that goes online."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EngineError
from .catalogue import Model
from .checking import fault
from .store import REFUSAL, FileRecord, Manifest, own_folder, write_manifest

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

REFUSALS = (401, 403, 404)
METADATA_TIMEOUT = 20.0  # seconds for the hub's answer about a repository


def fetch(model: Model) -> Path:
    """Download what is needed of `model` into its folder and write its manifest; returns the folder.

    Files that are whole already are not fetched again. A connection that breaks is taken up where it broke, a few
    times. Progress goes to a terminal's stderr. The token is HF_TOKEN's or that of `hf auth login`.

    Raises EngineError ENGINE_UNAVAILABLE: no network (not permanent), no or a wrong token, consent not given, nothing
    there; DISK_FULL and others of the file system as OSError.
    """
    from huggingface_hub import HfApi, hf_hub_download

    folder = own_folder(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REFUSAL).unlink(missing_ok=True)
    with _hub_errors(model, folder):
        info = HfApi().model_info(model.repository, files_metadata=True, timeout=METADATA_TIMEOUT)
        revision = info.sha or ""
        files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        if lacking := [file for file in model.files if file not in files]:
            raise _unavailable(model, f"its page does not offer {', '.join(lacking)} (any more)")
        records = {file: _record(files[file]) for file in model.files}
        for file, record in records.items():
            damaged = (folder / file).is_file() and fault(folder / file, record)
            if damaged or not (folder / file).is_file():
                hf_hub_download(
                    model.repository, file, revision=revision, local_dir=folder, force_download=bool(damaged)
                )
    write_manifest(folder, Manifest(revision, records))
    return folder


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
        if status in REFUSALS:
            raise _refused(model, folder, status) from error
        raise _unavailable(model, f"the hub answered with status {status}", permanent=False) from error
    except errors.OfflineModeIsEnabled as error:
        raise _unavailable(model, "HF_HUB_OFFLINE forbids it; unset it to fetch models") from error
    except _no_connection() as error:
        reason = f"{_hub()} cannot be reached; is this machine online?"
        raise _unavailable(model, reason, permanent=False) from error


def _no_connection() -> tuple[type[Exception], ...]:
    """With what the hub's HTTP library raises, which is not the same one in all of its versions."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    transport = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception) and base is not OSError]
    return (LocalEntryNotFoundError, ConnectionError, TimeoutError, *transport)


def _refused(model: Model, folder: Path, status: int) -> EngineError:
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
    (folder / REFUSAL).write_text(error.message, encoding="utf-8")  # so that nobody has to ask again to know
    return error


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

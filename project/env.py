"""Every setting an operator can change: name, type, default, meaning. docs/configuration.md is held to this table."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

import environ
from django.core.exceptions import ImproperlyConfigured

from audio_engine.hardware import DEVICES

BASE_DIR = Path(__file__).resolve().parent.parent
Kind = Literal["str", "bool", "int", "list", "json"]
BOOLEANS = {"true", "false", "yes", "no", "on", "off", "1", "0"}


@dataclass(frozen=True, slots=True)
class Variable:
    kind: Kind
    default: Any
    meaning: str


VARIABLES: dict[str, Variable] = {
    "SOLOIST_DATA_DIR": Variable("str", "data", "Folder for the database, media and the secret key."),
    "PORT": Variable("int", 8000, "Port that `make run` listens on, on 127.0.0.1."),
    "SOLOIST_SECRET_KEY": Variable("str", "", "Django's secret key; made in the data folder on first start if empty."),
    "SOLOIST_DEBUG": Variable("bool", False, "Django's debug mode. Never on a server that others reach."),
    "SOLOIST_ALLOWED_HOSTS": Variable("list", ["127.0.0.1", "localhost", "[::1]"], "Host names the server answers to."),
    "SOLOIST_PUBLIC_URL": Variable("str", "", "Address users type, as https://soloist.example.org; used in links."),
    "SOLOIST_BEHIND_PROXY": Variable("bool", False, "Trust X-Forwarded-For and -Proto of the proxy in front."),
    "DATABASE_URL": Variable("str", "", "postgres://user:password@host/name; SQLite in the data folder if empty."),
    "REDIS_URL": Variable("str", "", "redis://host:6379/0 shortens the delay of live progress; not needed."),
    "SOLOIST_S3_BUCKET": Variable("str", "", "Keep media in this S3 bucket instead of the data folder."),
    "SOLOIST_S3_ENDPOINT": Variable("str", "", "Address of an S3 server other than Amazon's."),
    "SOLOIST_S3_REGION": Variable("str", "", "Region of the bucket."),
    "SOLOIST_S3_ACCESS_KEY": Variable("str", "", "Access key; boto3's own search if empty."),
    "SOLOIST_S3_SECRET_KEY": Variable("str", "", "Secret key; boto3's own search if empty."),
    "EMAIL_URL": Variable("str", "", "smtp://user:password@host:587/?tls=True; mails go to the log if empty."),
    "SOLOIST_EMAIL_FROM": Variable("str", "soloist@localhost", "Sender of mails."),
    "SOLOIST_SIGNUP_OPEN": Variable("bool", True, "Whether strangers can make accounts."),
    "SOLOIST_SIGNUP_CREDITS": Variable("int", 20_000, "Credits granted to a new account."),
    "SOLOIST_CREDITS_PER_SECOND": Variable(
        "json",
        {
            "extraction": "5.5",
            "diarization": "5.5",
            "identification": "5.5",
            "voiceprint": "5.5",
            "dialogue": "5.5",
            "transcription": "5.5",
            "denoising": "1.1",
            "stems": "3.3",
        },
        "Price of one second of audio for each task, as JSON.",
    ),
    "SOLOIST_CREDITS_PER_USD": Variable(
        "int", 7500, "Credits that stand for one US dollar where AudioPod's clients ask for dollars."
    ),
    "SOLOIST_TIMBR_CREDITS_PER_SECOND": Variable(
        "json", 1, "Price of one second of audio for jobs from the Timbr address, whatever their task."
    ),
    "SOLOIST_GIVEN_TURNS_CREDITS_PER_SECOND": Variable(
        "json", "1.1", "Price of one second of audio where it is given who spoke when; never more than the task's."
    ),
    "SOLOIST_RATE_LIMIT": Variable("int", 100, "Requests a minute for each key and endpoint."),
    "SOLOIST_STREAMS_PER_ACCOUNT": Variable(
        "int", 20, "Event streams and long waits of one account that a web process keeps open."
    ),
    "SOLOIST_MAX_UPLOAD_MB": Variable("int", 200, "Largest file that one plain upload may carry, in MB."),
    "SOLOIST_MAX_RESUMABLE_MB": Variable("int", 1074, "Largest file that may be uploaded in parts, in MB."),
    "SOLOIST_MAX_AUDIO_SECONDS": Variable("int", 24 * 3600, "Longest recording, in seconds."),
    "SOLOIST_MAX_DOWNLOAD_MB": Variable("int", 1024, "Largest file fetched from a URL, in MB."),
    "SOLOIST_FETCH_TIMEOUT": Variable("int", 1800, "Seconds after which fetching a URL is given up."),
    "SOLOIST_FETCH_ALLOW": Variable("list", [], "Private networks that URLs may point into, as CIDR (192.168.7.0/24)."),
    "SOLOIST_EXTRACTORS": Variable(
        "list", [], "Sites that recordings may come from, by yt-dlp's names (youtube,vimeo); none if empty."
    ),
    "SOLOIST_LINK_SECONDS": Variable("int", 3600, "Life of a signed download link, in seconds."),
    "SOLOIST_DEVICE": Variable(
        "str",
        "auto",
        "Where networks compute that can use a GPU: `gpu` and nowhere else, `cpu`, or by `auto` on a GPU if one works.",
    ),
    "SOLOIST_ENGINE_THREADS": Variable("int", 0, "CPU threads of the engine; all cores if 0."),
    "SOLOIST_ENGINE_TIMEOUT": Variable("int", 6 * 3600, "Seconds after which one run of the engine is given up."),
    "SOLOIST_MODELS_DIR": Variable("str", "", "Folder for fetched models; `models` in the data folder if empty."),
    "SOLOIST_MODEL_IDLE_SECONDS": Variable("int", 1800, "Seconds after which unused models are unloaded; never if 0."),
    "HF_TOKEN": Variable("str", "", "Hugging Face token, for models whose conditions its account has accepted."),
    "SOLOIST_LEASE_SECONDS": Variable("int", 60, "A worker silent for so long has lost its job to the next one."),
    "SOLOIST_MAX_ATTEMPTS": Variable("int", 3, "Times a job is started before it fails as worker_lost."),
    "SOLOIST_WEBHOOK_LOG_DAYS": Variable(
        "int", 30, "Days for which what webhooks sent can be looked up and sent again."
    ),
    "SOLOIST_PYANNOTEAI_OUTPUT_HOURS": Variable(
        "int", 24, "Hours for which jobs from the pyannoteAI address keep recording and output; for ever if 0."
    ),
    "SOLOIST_RETENTION_DAYS": Variable(
        "int", 0, "Delete finished jobs with their files after so many days; never if 0."
    ),
}

environ.Env.read_env(BASE_DIR / ".env")
_env = environ.Env()


def read(name: str) -> Any:
    """The value of a variable of the table, from the environment or `.env`, in its type; its default if empty.

    Raises ImproperlyConfigured.
    """
    variable = VARIABLES[name]
    written = os.environ.get(name)
    if not written:
        return variable.default
    if variable.kind == "bool" and written.lower() not in BOOLEANS:
        raise ImproperlyConfigured(f"{name} is {written!r}; it has to be true or false.")
    try:
        return getattr(_env, variable.kind)(name)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {written!r}, which cannot be read as {variable.kind}.") from error


def device() -> str:
    """Raises ImproperlyConfigured."""
    written = str(read("SOLOIST_DEVICE"))
    if written not in DEVICES:
        raise ImproperlyConfigured(f"SOLOIST_DEVICE is {written!r}; it has to be one of {', '.join(DEVICES)}.")
    return written


def prices() -> dict[str, Decimal]:
    """Of a second of audio for each task; one that the operator does not name keeps its default."""
    name = "SOLOIST_CREDITS_PER_SECOND"
    return {task: Decimal(str(rate)) for task, rate in (VARIABLES[name].default | read(name)).items()}


def surface_prices() -> dict[str, Decimal]:
    """Of a second of audio, whatever is done with it, on those of other vendors' surfaces that have one price."""
    return {"timbr": Decimal(str(read("SOLOIST_TIMBR_CREDITS_PER_SECOND")))}


def given_turns_price() -> Decimal:
    """Of a second of audio in which no engine has to tell who speaks."""
    return Decimal(str(read("SOLOIST_GIVEN_TURNS_CREDITS_PER_SECOND")))


def data_dir() -> Path:
    folder = (BASE_DIR / read("SOLOIST_DATA_DIR")).resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def secret_key(folder: Path) -> str:
    """The configured key, or one made once and kept in the data folder, readable by its owner only."""
    if configured := read("SOLOIST_SECRET_KEY"):
        return str(configured)
    file = folder / "secret_key"
    if not file.exists():
        _write_once(file, secrets.token_urlsafe(50))
    return file.read_text()


def _write_once(file: Path, text: str) -> None:
    """Whole or not at all, readable by its owner only, and the first of several processes wins."""
    with NamedTemporaryFile("w", dir=file.parent) as draft:  # mode 0600
        draft.write(text)
        draft.flush()
        with suppress(FileExistsError):
            os.link(draft.name, file)

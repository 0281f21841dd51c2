"""Who and what the tests share. Settings are read only after the tests' own data folder and database are chosen."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import wave
from collections.abc import Generator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.postgres import Postgres
from tests.receiving import Receiver
from tests.serving import Soloist

if TYPE_CHECKING:
    from accounts.models import User
    from jobs.models import Media

DATA_DIR = pytest.StashKey[Path]()
POSTGRES = pytest.StashKey[Postgres]()
RATE = 16_000
SECONDS = 3.0
LOG_LINES = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite", help="what the tests run on")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("SOLOIST_") and name != "SOLOIST_EVAL"]:
        del os.environ[name]
    if "PYTEST_XDIST_WORKER" not in os.environ:  # they inherit which database
        os.environ["DATABASE_URL"] = database_url(config)
    if not config.getoption("numprocesses", None):  # else it is the workers who test
        choose_settings(config)


def choose_settings(config: pytest.Config) -> None:
    config.stash[DATA_DIR] = Path(tempfile.mkdtemp(prefix="soloist-tests-"))
    os.environ["SOLOIST_DATA_DIR"] = str(config.stash[DATA_DIR])
    os.environ["HF_HOME"] = str(config.stash[DATA_DIR] / "huggingface")  # whoever runs the tests may have models
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.pop("HF_TOKEN", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others are slow on purpose
    if not os.environ["DATABASE_URL"]:  # a file, as users have it: one in memory would know no races
        settings.DATABASES["default"]["TEST"] = {"NAME": str(config.stash[DATA_DIR] / "test.sqlite3")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Beside why a test failed, what the server that it used wrote last."""
    report = yield
    used = getattr(item, "funcargs", {}).values() if report.failed else ()
    for server in {value for value in used if isinstance(value, Soloist) and value.log.exists()}:
        written = server.log.read_text(errors="replace").splitlines()
        report.sections.append(("log of Soloist", "\n".join(written[-LOG_LINES:])))
    return report


def database_url(config: pytest.Config) -> str:
    if config.getoption("--database") == "sqlite":
        return ""
    config.stash[POSTGRES] = Postgres()
    return config.stash[POSTGRES].url


def pytest_unconfigure(config: pytest.Config) -> None:
    if postgres := config.stash.get(POSTGRES, None):
        postgres.stop()
    if folder := config.stash.get(DATA_DIR, None):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_server() -> str:
    """Address of the PostgreSQL server the tests run on, empty on SQLite."""
    return os.environ["DATABASE_URL"]


# --- people


def make_user(name: str, **options: Any) -> User:
    from accounts.registration import register

    return register(f"{name}@example.org", "correct horse battery", credits=1_000_000, **options)


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def charlie(db: None) -> User:
    """Staff."""
    return make_user("charlie", staff=True)


# --- recordings


@pytest.fixture(scope="session")
def sample() -> Path:
    """Thirty seconds of two people on the telephone, as pyannote.audio's package carries them."""
    package = importlib.util.find_spec("pyannote.audio")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "sample" / "sample.wav"


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of tones, 16 kHz mono: quick to handle, and nobody speaks in it."""
    path = tmp_path_factory.mktemp("recording") / "tones.wav"
    time = np.arange(int(RATE * SECONDS)) / RATE
    tones = 0.2 * np.sin(2 * np.pi * 220 * time) + 0.1 * np.sin(2 * np.pi * 1250 * time)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((tones * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def media(alice: User, recording: Path) -> Media:
    """`recording`, as Alice uploaded it."""
    from jobs import files
    from jobs.models import Media

    return Media.objects.create(
        owner=alice,
        file=files.store_media(recording),
        name="tones.wav",
        bytes=recording.stat().st_size,
        seconds=SECONDS,
        container="wav",
        codec="pcm_s16le",
        sample_rate=RATE,
        channels=1,
    )


# --- where files are kept


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Of a local S3 server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, settings: Any) -> Iterator[Any]:
    """Files are kept there."""
    import boto3
    from django.core.files.storage import storages

    options = {
        "bucket_name": "soloist",
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "access_key": "tests",
        "secret_key": "tests",
        "default_acl": None,
        "file_overwrite": False,
        "querystring_auth": True,
        "signature_version": "s3v4",
    }
    s3 = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": s3}
    credentials = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}
    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", **credentials).Bucket("soloist")
    bucket.create()
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()
    storages["default"].connection.meta.client.close()


# --- where webhooks go


@pytest.fixture
def loopback_allowed(settings: Any) -> None:
    settings.FETCH_ALLOW = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver(loopback_allowed: None) -> Iterator[Receiver]:
    """A program of a user's that takes webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


# --- the whole product


@pytest.fixture(scope="session")
def soloist(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Soloist]:
    """A running server with its workers."""
    database = create_database(database_server) if database_server else ""
    server = Soloist(tmp_path_factory.mktemp("soloist"), database_url=database)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def create_database(server: str) -> str:
    """A new database on the server; returns its address."""
    import psycopg

    name = f"soloist_{os.urandom(4).hex()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.rsplit("/", 1)[0] + "/" + name

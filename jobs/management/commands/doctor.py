"""manage.py doctor: what this installation is made of and what is wrong with it, for whoever has to help."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from audio_engine import registry
from jobs import health
from jobs.lifecycle import CLAIMS

PACKAGES = ("django", "django-q2", "torch", "pyannote.audio", "av", "numpy")
COLUMN = 10  # where what was found begins
LEAST_FREE = 5 * 10**9  # bytes; tracks of an hour in stereo at 48 kHz are 0.7 GB for each speaker


class Wrong(Exception):
    """What is wrong, in words for an operator."""


class Command(BaseCommand):
    help = "Tell what this installation is made of and what is wrong with it. Ends with 1 where something is."

    def handle(self, **_: Any) -> None:
        wrong = [name for name, examine in EXAMINATIONS.items() if not self.passes(name, examine)]
        if wrong:
            raise CommandError(f"Look at: {', '.join(wrong)}.")

    def passes(self, name: str, examine: Callable[[], str]) -> bool:
        try:
            found, good = examine(), True
        except Wrong as problem:
            found, good = f"WRONG: {problem}", False
        self.stdout.write(f"{name:<{COLUMN}}{found}")
        return good


def versions() -> str:
    try:
        return ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in PACKAGES)])
    except PackageNotFoundError as missing:
        raise Wrong(f"The package {missing.name} is not installed.") from missing


def database() -> str:
    if problems := health.alive() or health.unmigrated():
        raise Wrong(" ".join(problems))
    return str(connection.display_name)


def storage() -> str:
    try:
        name = default_storage.save("doctor", ContentFile(b"written by manage.py doctor"))
        default_storage.delete(name)
    except Exception as error:  # each storage raises what its own library raises
        raise Wrong(f"Nothing can be written: {error}") from error
    return settings.S3_BUCKET or str(settings.MEDIA_ROOT)


def disk() -> str:
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < LEAST_FREE:
        raise Wrong(f"Only {free / 1e9:.1f} GB are free in {settings.DATA_DIR}.")
    return f"{free / 1e9:.0f} GB free in {settings.DATA_DIR}"


def engines() -> str:
    found = registry.available()
    said = f"\n{' ' * COLUMN}".join(f"{name}: {missing or 'can run'}" for name, missing in found.items())
    if all(found.values()):
        raise Wrong(f"No engine can run here. {said}")
    return said


def work() -> str:
    if problems := [problem for lane in CLAIMS for problem in health.stuck(lane)]:
        raise Wrong(" ".join(problems))
    return "nothing has waited for long"


EXAMINATIONS: dict[str, Callable[[], str]] = {
    "versions": versions,
    "database": database,
    "storage": storage,
    "disk": disk,
    "engines": engines,
    "work": work,
}

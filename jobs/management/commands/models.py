"""manage.py models: what `python -m audio_engine models` does, with this installation's folder and token."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audio_engine.errors import EngineError
from audio_engine.models import commands


class Command(BaseCommand):
    help = "List the models that no package ships, fetch them from the Hugging Face hub, or check those that are here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands.add_arguments(parser)

    def handle(self, *, action: str, names: Sequence[str] = (), **_: Any) -> None:
        try:
            commands.run(action, names, self.stdout.write)
        except EngineError as error:
            raise CommandError(error.message) from error

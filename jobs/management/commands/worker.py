"""manage.py worker: the processes that fetch recordings and run the engine, kept at work until SIGTERM."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs.queue import LANES
from jobs.supervision import Supervisor


class Command(BaseCommand):
    help = "Work on jobs until SIGTERM. On as many hosts as you like, over the same database and storage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--lane", choices=LANES, help="fetch recordings (io) or run the engine (engine); both if left out"
        )

    def handle(self, *, lane: Any, **_: Any) -> None:
        Supervisor([lane] if lane else LANES).run()

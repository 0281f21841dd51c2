"""manage.py run: the whole product on this machine. Web server and workers, started, watched and stopped together."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.urls import reverse

from accounts import first_admin

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 30  # a worker gives its job back meanwhile
SHORT_LIFE = 10  # seconds; what lives no longer is started again ever more slowly
SLOWEST_RESTART = 30
MIGRATION_LOCK = 0x50_10_15  # one number of our own among PostgreSQL's advisory locks
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the environment may name a proxy


class Child:
    """A process that is to run until it is told to stop."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self.command = [sys.executable, *arguments]
        self.delay = 0
        self.restart_at: float | None = None
        self.start()

    def start(self) -> None:
        self.started_at, self.restart_at = time.monotonic(), None
        self.process = subprocess.Popen(
            self.command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in good order
            preexec_fn=die_with_parent,
        )

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    def plan_restart(self) -> None:
        short = time.monotonic() - self.started_at < SHORT_LIFE
        self.delay = min(max(1, self.delay * 2), SLOWEST_RESTART) if short else 0
        self.restart_at = time.monotonic() + self.delay

    def terminate(self) -> None:
        """Ask its leader alone: it stops its own processes in order."""
        if not self.dead:
            self.process.terminate()

    def kill(self) -> None:
        """End what is left of its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Command(BaseCommand):
    help = "Start web server and workers on this machine, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="port on 127.0.0.1 instead of PORT's")

    def handle(self, *, port: int, **_: Any) -> None:
        refuse_taken_port(port)
        self.signals, self.last_signal = 0, float("-inf")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.count_signal)
        with migration_lock():
            call_command("migrate", verbosity=0)
        children: list[Child] = []
        try:
            web = ["-m", "daphne", "-v", "0", "-b", HOST, "-p", str(port), "project.asgi:application"]
            children.append(Child("web server", *web))
            children.append(Child("worker", "manage.py", "worker"))
            self.wait_until_up(children[0], port)
            self.announce(port)
            self.tend(children)
        finally:
            self.stop(children)

    def count_signal(self, *_: Any) -> None:
        if time.monotonic() - self.last_signal > 1:  # one stop may reach us twice, directly and through make
            self.signals += 1
        self.last_signal = time.monotonic()

    def wait_until_up(self, web: Child, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.signals and not answers(port):
            if web.dead:
                raise CommandError(f"The web server ended with code {web.process.returncode} while it started.")
            if time.monotonic() > deadline:
                raise CommandError(f"The web server did not answer within {START_SECONDS} seconds.")
            time.sleep(0.2)

    def announce(self, port: int) -> None:
        if self.signals:
            return
        address = settings.PUBLIC_URL or f"http://{HOST}:{port}"
        self.stdout.write(f"\nSoloist is at {address}\n")
        if first_admin.needed():
            link = address + reverse("welcome", args=[first_admin.token()])
            self.stdout.write(f"Make the first admin, with this link for you alone: {link}\n")
        self.stdout.write("Ctrl-C stops it.\n\n")
        self.stdout.flush()
        connection.close()

    def tend(self, children: list[Child]) -> None:
        """Start again what died, until somebody wants an end."""
        while not self.signals:
            for child in children:
                if child.dead:
                    self.revive(child)
            time.sleep(0.5)

    def revive(self, child: Child) -> None:
        if child.restart_at is None:
            child.plan_restart()
            self.stderr.write(f"The {child.name} ended with code {child.process.returncode}; it is started again.")
        elif time.monotonic() >= child.restart_at:
            child.kill()
            child.start()

    def stop(self, children: list[Child]) -> None:
        """In good order, or at once where asked twice."""
        if self.signals:
            self.stdout.write("Stopping …")
            self.stdout.flush()
        for child in children:
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while not all(child.dead for child in children) and self.signals < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        for child in children:
            child.kill()


def die_with_parent() -> None:
    """In the child: be terminated should our parent be killed."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def refuse_taken_port(port: int) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise CommandError(f"Port {port} cannot be used: {reason}. Choose another, as in: PORT=8001 make run") from None


def answers(port: int) -> bool:
    try:
        with direct.open(f"http://{HOST}:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def migration_lock() -> Iterator[None]:
    """Two starts at once, also on two hosts with one PostgreSQL, migrate one after the other."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            yield
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
        return
    with (settings.DATA_DIR / "migrate.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

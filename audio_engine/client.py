"""A warm engine process and how to talk to it. Standard library only, so that any process can hold one."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .errors import EngineError
from .formats import request_to_json, result_from_json
from .types import Request, Result, Stage

OnProgress = Callable[[Stage | None, float], None]
"""Called with the stage (None before the first) and the fraction done, on every report and at least once a second."""

TICK_SECONDS = 1.0
SERVER = (sys.executable, "-m", "audio_engine.server")


class EngineDied(Exception):
    """The process ended without an answer: killed, out of memory, or crashed. `returncode` is as in subprocess."""

    def __init__(self, returncode: int | None) -> None:
        super().__init__(f"the engine process ended unexpectedly (exit status {returncode})")
        self.returncode = returncode


class EngineProcess:
    """One engine process, doing one request at a time.

    It leads a session of its own, so that signals to the caller's process group do not reach it, and dies with the
    thread that started it: start it from one that lives as long as it is needed. Its log goes to the caller's stderr.
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        command: Sequence[str] = SERVER,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`arguments` are those of `python -m audio_engine.server`; `command` replaces what starts it; `environment`
        the caller's own, whose secrets a process that reads strangers' files should not have.
        """
        self._command = [*command, *arguments]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._selector: selectors.BaseSelector | None = None
        self._unread = b""
        self._requests = 0
        self.versions: dict[str, str] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 120.0) -> None:
        """Start it and wait until it is ready. Raises EngineDied, TimeoutError."""
        self._process = subprocess.Popen(
            [*self._command, "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=self._environment,
        )
        assert self._process.stdout is not None
        self._unread = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            message = self._receive(TICK_SECONDS)
            if message and message.get("event") == "ready":
                self.versions = message["versions"]
                return
        self.terminate()
        raise TimeoutError(f"the engine process was not ready within {timeout:.0f} s")

    def run(self, request: Request, on_progress: OnProgress | None = None) -> Result:
        """Have `request` done. An exception out of `on_progress` ends the process and passes through: that is how to
        cancel, since work in progress cannot be interrupted otherwise.

        Raises EngineError as `pipeline.run` does, EngineDied.
        """
        self._requests += 1
        self._send({"op": "run", "id": self._requests, "request": request_to_json(request)})
        stage: Stage | None = None
        fraction = 0.0
        try:
            while True:
                message = self._receive(TICK_SECONDS)
                if message and message.get("id") == self._requests:
                    if message["event"] == "result":
                        return result_from_json(message["result"])
                    if message["event"] == "error":
                        raise _error(message)
                    stage, fraction = message["stage"], message["fraction"]
                if on_progress:
                    on_progress(stage, fraction)
        except EngineError:
            raise
        except BaseException:
            self.terminate()
            raise

    def ping(self, timeout: float = 10.0) -> bool:
        """Whether an idle process answers."""
        self._requests += 1
        self._send({"op": "ping", "id": self._requests})
        message = self._receive(timeout)
        return message is not None and message.get("id") == self._requests

    def terminate(self, grace: float = 3.0) -> None:
        """End the process and everything it started: SIGTERM, and SIGKILL after `grace` seconds. May be repeated."""
        if self.running:
            self._end_group(grace)
        self._close_pipes()

    def _end_group(self, grace: float) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> EngineProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.terminate()

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            raise EngineDied(self._process.poll() if self._process else None)
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None if none came in time. Raises EngineDied."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._selector is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                return None
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise self._death()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _death(self) -> EngineDied:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):  # its pipe may close before it has quite ended
            self._process.wait(TICK_SECONDS)
        self.terminate()
        return EngineDied(self._process.returncode)

    def _close_pipes(self) -> None:
        if self._selector:
            self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout) if self._process else ():
            with contextlib.suppress(OSError):  # what was not sent to a dead process
                if pipe:
                    pipe.close()


def _error(message: dict[str, Any]) -> EngineError:
    return EngineError(
        message["code"], message["message"], permanent=message["permanent"], details=message.get("details")
    )

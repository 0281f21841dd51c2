"""The engine as a process of its own: `python -m audio_engine.server`, JSON lines over stdin and stdout.

In:  {"op": "run", "id": 1, "request": {...}} and {"op": "ping", "id": 2}.
Out: {"event": "ready", "pid": ..., "versions": {...}} once; then for each request, at most four times a second,
     {"id": 1, "event": "progress", "stage": ..., "fraction": ...}, and one of {"id": 1, "event": "result", "result":
     {...}} and {"id": 1, "event": "error", "code": ..., "message": ..., "permanent": ..., "details": {...}}.

The process is disposable: it ends at SIGTERM, when stdin closes and when its parent dies, whatever it is doing. It
uses no network. Models that nobody needed for the time of --idle are unloaded; the next request loads them anew.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import logging
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from . import registry
from .errors import EngineError
from .formats import request_from_json
from .models.offline import go_offline
from .types import Stage

log = logging.getLogger("audio_engine.server")

REPORT_SECONDS = 0.25
OPEN_FILES = 1024
LARGEST_FILE = 256 << 30  # bytes; a day of eight channels of 32 bits at 48 kHz is 133 GB
OOM_SCORE = 500  # the kernel should take this process before the ones that keep the books
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> None:
    options = _parser().parse_args()
    events = protect_stdout()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s engine %(levelname)s %(message)s")
    die_with_parent(options.parent)
    limit_resources(options.memory)
    go_offline()
    send = _sender(events)
    requests = read_requests()
    for name in options.preload:
        try:
            registry.load(name)
        except EngineError as error:
            log.warning("%s is not preloaded: %s", name, error)
    send({"event": "ready", "pid": os.getpid(), "versions": versions()})
    while True:
        send(answer(next_request(requests, options.idle), send))


def next_request(requests: queue.SimpleQueue[dict[str, Any]], idle: float | None) -> dict[str, Any]:
    """Wait for the next request, with unloaded models after `idle` seconds."""
    try:
        return requests.get(timeout=idle)
    except queue.Empty:
        registry.unload()
        log.info("Nobody needed the models for %.0f s; they are unloaded.", idle)
        return requests.get()


def answer(message: Mapping[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do what `message` asks and return the last message about it; earlier ones go to `send`."""
    number = message.get("id")
    try:
        if message.get("op") == "ping":
            return {"id": number, "event": "pong"}
        return {"id": number, "event": "result", "result": _run(message, send)}
    except EngineError as error:
        return {"id": number, "event": "error", **error.to_json()}
    except Exception:  # a defect of ours must cost one request, not the warm process
        log.exception("request %s failed", number)
        failure = EngineError("ENGINE_FAILED", "The engine failed; its log says more.", permanent=False)
        return {"id": number, "event": "error", **failure.to_json()}


def _run(message: Mapping[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    from .pipeline import run

    if message.get("op") != "run":
        raise EngineError("INVALID_OPTION", f"There is no operation {message.get('op')!r}.", details={"field": "op"})
    last: tuple[Stage | None, float] = (None, 0.0)

    def progress(stage: Stage, fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= REPORT_SECONDS:
            last = (stage, now)
            send({"id": message.get("id"), "event": "progress", "stage": stage, "fraction": fraction})

    return run(request_from_json(message["request"]), progress).to_json()


def protect_stdout() -> TextIO:
    """Keep stdout for messages: whatever a library prints, in Python or C, goes to stderr from now on."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return events


def _sender(events: TextIO) -> Callable[[dict[str, Any]], None]:
    def send(message: dict[str, Any]) -> None:
        events.write(json.dumps(message) + "\n")
        events.flush()

    return send


def read_requests() -> queue.SimpleQueue[dict[str, Any]]:
    """Requests as they arrive. When stdin closes the process ends at once, since nobody is left to hear the answer."""
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        try:
            for line in sys.stdin:
                requests.put(json.loads(line))
        finally:
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def die_with_parent(parent: int | None) -> None:
    """Have the kernel kill this process when the thread that started it ends; `parent` is that thread's process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, who then ends this process
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:  # it died before the line above
        os._exit(1)


def limit_resources(memory: int | None) -> None:
    """`memory` is a limit to the address space in bytes."""
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        *([(resource.RLIMIT_AS, memory)] if memory else []),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (allowed, allowed))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def versions() -> dict[str, str]:
    """Of the packages whose versions decide what comes out."""
    found = {}
    for package in ("soloist", "av", "numpy", "torch", "pyannote.audio"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m audio_engine.server", description=__doc__)
    parser.add_argument("--preload", action="append", default=[], metavar="ENGINE", help="load an engine at the start")
    parser.add_argument("--memory", type=int, metavar="BYTES", help="limit the address space")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="unload models that nobody needed for so long")
    parser.add_argument("--parent", type=int, metavar="PID", help="end at once where this is not the parent")
    return parser


if __name__ == "__main__":
    main()

"""A receiver of webhooks on the loopback: it remembers what came, and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


def answer(status: int = 200, body: bytes = b"thanks", **headers: str) -> Behaviour:
    def behave(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return behave


def drip(request: BaseHTTPRequestHandler) -> None:
    for octet in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
        request.wfile.write(bytes([octet]))
        request.wfile.flush()
        time.sleep(0.05)


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()


class Receiver:
    """Behaves as `script` says, one entry a request, then as `otherwise`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: list[Behaviour] = []
        self.otherwise: Behaviour = answer()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.close_connection = True
                body = self.rfile.read(int(self.headers["Content-Length"]))
                behave = receiver.take(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                with suppress(OSError):  # the sender had enough
                    behave(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, request: Received) -> Behaviour:
        with self._lock:
            self.received.append(request)
            return self.script.pop(0) if self.script else self.otherwise

    def wait_for(self, count: int, seconds: float = 20) -> list[Received]:
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < deadline, self.received
            time.sleep(0.05)
        return self.received

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

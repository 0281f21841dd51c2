"""A proxy on the loopback for programs that make connections by themselves: each goes through dialling.py.

It takes CONNECT and plain requests from whoever knows its password, resolves and checks each name once, for that one
connection, and passes bytes on. So neither redirects nor names that change their addresses lead into this network.
"""

from __future__ import annotations

import base64
import hmac
import io
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.client import HTTPException, parse_headers
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import SplitResult

from .dialling import SILENCE_SECONDS, dial, request_target, resolve, split
from .errors import JobError

CHUNK = 1 << 16
HEAD_SECONDS = 10.0
LONGEST_HEAD = 1 << 16
ASK_PASSWORD = '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"'
HOP_BY_HOP = ("proxy-authorization", "proxy-connection", "connection", "keep-alive")


class CheckedProxy:
    """`refusal` is the last error that kept it from a connection; `most_bytes` is what it passes on to its user."""

    def __init__(self, most_bytes: int, deadline: float) -> None:
        self.refusal: JobError | None = None
        self.overrun = False
        self._left = most_bytes
        self._deadline = deadline
        self._password = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://proxy:{self._password}@127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- for its connections

    def knows(self, credentials: str) -> bool:
        expected = base64.b64encode(f"proxy:{self._password}".encode()).decode()
        return hmac.compare_digest(credentials.encode(), f"Basic {expected}".encode())

    def connect(self, parts: SplitResult) -> socket.socket:
        """To a checked address. Raises JobError, OSError."""
        try:
            return dial(parts, resolve(parts), self._deadline)
        except OSError:
            self.refusal = JobError("URL_UNREACHABLE", f"The connection to {parts.hostname} failed.")
            raise

    def spend(self, count: int) -> None:
        """Raises BrokenPipeError where no more is passed on."""
        with self._lock:
            self._left -= count
            self.overrun = self.overrun or self._left < 0
        if self.overrun or time.monotonic() > self._deadline:
            raise BrokenPipeError


@contextmanager
def checked_proxy(most_bytes: int, deadline: float) -> Iterator[CheckedProxy]:
    proxy = CheckedProxy(most_bytes, deadline)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    proxy: CheckedProxy

    def handle_error(self, *_: Any) -> None:
        """A connection that broke is its user's matter."""


class _Handler(BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        self.request.settimeout(HEAD_SECONDS)
        with suppress(OSError):
            head, behind = self._read_head()
            line, _, lines = head.partition(b"\r\n")
            try:
                method, target, _ = line.decode("ascii").split()
                headers = parse_headers(io.BytesIO(lines + b"\r\n\r\n"))
            except (ValueError, HTTPException):
                self._answer("400 Bad Request")
            else:
                if self.server.proxy.knows(headers.get("Proxy-Authorization", "")):
                    self._pass_on(method, target, headers, behind)
                else:
                    self._answer(ASK_PASSWORD)

    def _read_head(self) -> tuple[bytes, bytes]:
        """The request's head, and what came behind it."""
        read = b""
        while b"\r\n\r\n" not in read:
            more = self.request.recv(CHUNK)
            if not more or len(read) > LONGEST_HEAD:
                raise ConnectionError
            read += more
        head, _, behind = read.partition(b"\r\n\r\n")
        return head, behind

    def _pass_on(self, method: str, target: str, headers: Message, behind: bytes) -> None:
        tunnel = method == "CONNECT"
        try:
            parts = split(f"https://{target}" if tunnel else target)
            far = self.server.proxy.connect(parts)
        except JobError as error:
            self.server.proxy.refusal = error
            self._answer("403 Forbidden")
        except OSError:
            self._answer("502 Bad Gateway")
        else:
            with far:
                if tunnel:
                    self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                far.sendall(behind if tunnel else _head(method, parts, headers) + behind)
                self._relay(far, b"\r\nConnection: close" if not tunnel else b"")

    def _relay(self, far: socket.socket, first_header: bytes) -> None:
        """Until either side ends, is silent for too long, or no more is to be passed on. `first_header` is set into
        the answer, behind its first line: whatever the far end says, the next request needs a connection of its own.
        """
        other = {self.request: far, far: self.request}
        begun = b""
        with selectors.DefaultSelector() as selector:
            for end in other:
                end.settimeout(SILENCE_SECONDS)
                selector.register(end, selectors.EVENT_READ)
            while ready := selector.select(SILENCE_SECONDS):
                for key, _ in ready:
                    source: Any = key.fileobj
                    if not (data := source.recv(CHUNK)):
                        return
                    if source is far:
                        self.server.proxy.spend(len(data))
                        if first_header:
                            begun += data
                            if b"\r\n" not in begun and len(begun) < LONGEST_HEAD:
                                continue
                            line, _, rest = begun.partition(b"\r\n")
                            data, first_header = line + first_header + b"\r\n" + rest, b""
                    other[source].sendall(data)

    def _answer(self, status: str) -> None:
        self.request.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _head(method: str, parts: SplitResult, headers: Message) -> bytes:
    """The request as the server itself takes it; one for each connection, since the next may be for another."""
    kept = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in HOP_BY_HOP]
    lines = [f"{method} {request_target(parts)} HTTP/1.1", *kept, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")

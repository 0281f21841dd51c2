"""A server that answers as the Hugging Face hub does, for what fetching models asks of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """`files` of the one repository `repository`. `weights` are kept as large files are, the others in git."""

    repository: str
    files: dict[str, bytes]
    token: str = ""  # needed, where not empty
    accepted: bool = True
    breaks: set[str] = field(default_factory=set)  # files whose first download ends in the middle
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    address: str = ""

    @classmethod
    def of(cls, folder: Path, repository: str) -> Hub:
        return cls(
            repository,
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            },
        )

    def downloads(self) -> list[tuple[str, str]]:
        """File and range of each download."""
        return [(path.split(f"{COMMIT}/")[1], part) for method, path, part in self.asked if "/resolve/" in path]

    @contextmanager
    def serve(self) -> Iterator[Hub]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answers,), {"hub": self}))
        self.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class Answers(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.command == "GET":
            self.hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if self.refused():
            return
        if path == f"/api/models/{self.hub.repository}":
            self.answer(200, json.dumps(self.description()).encode(), {"Content-Type": "application/json"})
        elif path.startswith(start := f"/{self.hub.repository}/resolve/{COMMIT}/") and path[len(start) :] in self.files:
            self.file(path[len(start) :])
        else:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    @property
    def files(self) -> dict[str, bytes]:
        return self.hub.files

    def refused(self) -> bool:
        """As the hub refuses: without a token it does not say whether there is anything; with one, why not."""
        sent = self.headers.get("Authorization", "")
        if not self.hub.token or (sent == f"Bearer {self.hub.token}" and self.hub.accepted):
            return False
        if not sent:
            self.answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        elif sent != f"Bearer {self.hub.token}":
            self.answer(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        else:
            self.answer(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask for access."})
        return True

    def description(self) -> dict[str, Any]:
        return {
            "id": self.hub.repository,
            "sha": COMMIT,
            "siblings": [self.sibling(name, content) for name, content in self.files.items()],
        }

    def sibling(self, name: str, content: bytes) -> dict[str, Any]:
        described = {"rfilename": name, "size": len(content), "blobId": git_id(content)}
        if name.endswith((".bin", ".npz")):
            described["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return described

    def file(self, name: str) -> None:
        content = self.files[name]
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], headers)
        elif name in self.hub.breaks and self.command == "GET":
            self.hub.breaks.remove(name)
            self.answer(200, content, headers, sent=len(content) // 2)
            self.close_connection = True
        else:
            self.answer(200, content, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str], sent: int | None = None) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        pass


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

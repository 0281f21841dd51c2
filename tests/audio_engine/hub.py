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

WEIGHTS = (".bin", ".npz")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """`files` of the one repository `repository`. Weights are kept as large files are, elsewhere, the others in git."""

    repository: str
    files: dict[str, bytes]
    token: str = ""  # needed, where not empty
    accepted: bool = True
    breaks: set[str] = field(default_factory=set)  # files whose first download ends in the middle
    stalls: set[str] = field(default_factory=set)  # files of whose first download the second half never comes
    damages: set[str] = field(default_factory=set)  # files that come with a wrong bit
    claims: dict[str, int] = field(default_factory=dict)  # bytes that files are said to have, where it is not theirs
    ended: threading.Event = field(default_factory=threading.Event)
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
            self.ended.set()
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
        if path.startswith("/elsewhere/"):
            self.file_elsewhere(path.removeprefix("/elsewhere/"))
            return
        if self.refused(path):
            return
        if path == f"/api/models/{self.hub.repository}":
            self.answer(200, json.dumps(self.description()).encode(), {"Content-Type": "application/json"})
        elif path == f"/api/models/{self.hub.repository}/auth-check":
            self.answer(200, b"", {})
        elif path.startswith(start := f"/{self.hub.repository}/resolve/{COMMIT}/") and path[len(start) :] in self.files:
            name = path[len(start) :]
            if name.endswith(WEIGHTS):
                self.answer(
                    302, b"", {"Location": f"{self.hub.address.replace('127.0.0.1', 'localhost')}/elsewhere/{name}"}
                )
            else:
                self.file(name)
        else:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    @property
    def files(self) -> dict[str, bytes]:
        return self.hub.files

    def refused(self, path: str) -> bool:
        """As the hub refuses: a wrong token always, others only the files, of which anybody may see what there is."""
        sent = self.headers.get("Authorization", "")
        if self.hub.repository not in path:
            return False
        if not self.hub.token or (sent == f"Bearer {self.hub.token}" and self.hub.accepted):
            return False
        if sent in ("", f"Bearer {self.hub.token}") and path == f"/api/models/{self.hub.repository}":
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
        size = self.hub.claims.get(name, len(content))
        described = {"rfilename": name, "size": size, "blobId": git_id(content)}
        if name.endswith(WEIGHTS):
            described["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 130}
        return described

    def file_elsewhere(self, name: str) -> None:
        """By an address that is signed, so that whoever shows a token, too, is refused."""
        if self.headers.get("Authorization"):
            self.answer(400, b"", {})
        else:
            self.file(name)

    def file(self, name: str) -> None:
        content = self.files[name]
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if name in self.hub.damages:
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], headers)
        elif name in self.hub.breaks and self.command == "GET":
            self.hub.breaks.remove(name)
            self.answer(200, content, headers, sent=len(content) // 2)
            self.close_connection = True
        elif name in self.hub.stalls and self.command == "GET":
            self.hub.stalls.remove(name)
            self.answer(200, content, headers, sent=len(content) // 2)
            self.hub.ended.wait()
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

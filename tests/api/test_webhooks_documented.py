"""The receiver of docs/webhooks.md, run as it stands there, against real deliveries."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import delivery, signatures, webhooks
from jobs.models import WebhookDelivery, WebhookEndpoint
from tests import processes

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
START_SECONDS = 20


class Documented:
    def __init__(self, folder: Path) -> None:
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.log = folder / "log"
        self.program = folder / "receiver.py"
        [code] = BLOCK.findall((processes.ROOT / "docs" / "webhooks.md").read_text())
        self.program.write_text(code)

    def start(self, secret: str) -> None:
        environment = {"WEBHOOK_SECRET": secret, "PORT": str(self.port)}
        self.process = processes.start(sys.executable, "-I", self.program, log=self.log, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while not self.listens():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def printed(self) -> list[str]:
        time.sleep(0.2)  # it answers before it prints
        return [line for line in self.log.read_text().splitlines() if line.startswith(("job.", "webhook."))]

    def stop(self) -> None:
        processes.stop(self.process)


@pytest.fixture
def endpoint(alice, loopback_allowed, tmp_path) -> Iterator[tuple[WebhookEndpoint, Documented]]:
    receiver = Documented(tmp_path)
    endpoint = webhooks.create(alice, receiver.url, ["job.cancelled"])
    yield endpoint, receiver
    receiver.stop()


def send_due() -> list[tuple[str, int | None]]:
    """What became of each row."""
    while claimed := delivery.claim():
        delivery.send(claimed)
    rows = WebhookDelivery.objects.order_by("id")
    return [(row.event_type, row.response_status) for row in rows]


def test_the_documented_receiver_takes_what_is_genuine_once(api, endpoint, queued):
    endpoint, receiver = endpoint
    receiver.start(signatures.secrets(endpoint)[0])
    api.send("post", f"speaker/jobs/{queued.number}/cancel")
    assert send_due() == [("job.cancelled", 204)]
    webhooks.redeliver(WebhookDelivery.objects.get())
    send_due()
    webhooks.change_secret(endpoint)  # both sign
    webhooks.test(endpoint)
    assert send_due() == [("job.cancelled", 204), ("webhook.test", 204)]
    assert receiver.printed() == [f"job.cancelled {queued.number}", "webhook.test None"]


def test_the_documented_receiver_refuses_what_is_not(alice, endpoint, monkeypatch):
    endpoint, receiver = endpoint
    receiver.start(signatures.secrets(webhooks.job_secret(alice))[0])  # not the endpoint's
    webhooks.test(endpoint)
    assert send_due() == [("webhook.test", 401)]
    receiver.stop()
    receiver.start(signatures.secrets(endpoint)[0])
    webhooks.redeliver(WebhookDelivery.objects.get())
    assert send_due() == [("webhook.test", 204)]
    webhooks.redeliver(WebhookDelivery.objects.get())
    with monkeypatch.context() as patched:
        sign = signatures.headers
        patched.setattr(signatures, "headers", lambda *given: sign(*given[:-1], given[-1] - 301))
        assert send_due() == [("webhook.test", 401)]
    assert receiver.printed() == ["webhook.test None"]

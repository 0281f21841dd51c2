"""A product to be ill-treated."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests import processes
from tests.conftest import create_database
from tests.jobs.strangers import Server
from tests.serving import Soloist


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Soloist]:
    """Running for one module, with an engine that needs a sixth of a recording's length, and with short leases."""
    paths = [str(processes.ROOT), str(processes.ROOT / "tests" / "jobs" / "chaos")]
    environment = {
        "PYTHONPATH": os.pathsep.join(paths),
        "SOLOIST_LEASE_SECONDS": "6",
        "SOLOIST_MAX_ATTEMPTS": "1000",  # it is the test that kills, not the jobs
        "SOLOIST_FETCH_ALLOW": "127.0.0.0/8",
        "SOLOIST_RATE_LIMIT": "10000",
    }
    database = create_database(database_server) if database_server else ""
    server = Soloist(tmp_path_factory.mktemp("product"), database_url=database, environment=environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def api(product: Soloist) -> Iterator[httpx.Client]:
    """Alice's way in."""
    secret = product.account("alice@example.org", credits=10_000)
    headers = {"X-API-Key": secret}
    with httpx.Client(base_url=f"{product.url}/api/v1", headers=headers, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def names(monkeypatch) -> dict[str, list[list[str]]]:
    """Names and the addresses that each look-up of them gives, one list a time; the last one stays."""
    table: dict[str, list[list[str]]] = {}
    ask_system = socket.getaddrinfo

    def resolve(host: str, port: Any, *args: Any, **options: Any) -> list[Any]:
        if host not in table or options.get("flags") == socket.AI_NUMERICHOST:
            return ask_system(host, port, *args, **options)
        answers = table[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in a], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return table

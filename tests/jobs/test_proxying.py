"""The proxy that programs of others are given: to checked addresses only, for those who know its password."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from jobs.proxying import CheckedProxy, checked_proxy
from tests.jobs.strangers import BODY, answer

METADATA = "169.254.169.254"


@pytest.fixture
def proxy() -> Iterator[CheckedProxy]:
    with checked_proxy(10_000_000, time.monotonic() + 20) as proxy:
        yield proxy


@pytest.fixture
def get(proxy) -> Callable[[str], requests.Response]:
    """As a library does that is told of the proxy."""
    session = requests.Session()
    session.trust_env = False
    proxies = {"http": proxy.url, "https": proxy.url}
    return lambda url, **options: session.get(url, proxies=proxies, timeout=10, **options)


def tunnel(proxy: CheckedProxy, host: str, port: int) -> HTTPConnection:
    parts = urlsplit(proxy.url)
    connection = HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    secret = requests.auth._basic_auth_str(parts.username, parts.password)
    connection.set_tunnel(host, port, {"Proxy-Authorization": secret})
    return connection


def test_a_request_is_passed_on_and_its_answer_back(server, loopback_allowed, get):
    server.pages["/talk?x=1"] = answer()
    assert get(server.url("/talk?x=1")).content == BODY
    assert server.asked == [(f"127.0.0.1:{server.port}", "/talk?x=1")]


def test_a_tunnel_is_passed_on(server, loopback_allowed, proxy):
    server.pages["/talk"] = answer()
    connection = tunnel(proxy, "127.0.0.1", server.port)
    connection.request("GET", "/talk")
    assert connection.getresponse().read() == BODY
    connection.close()


def test_nobody_uses_it_without_its_password(server, loopback_allowed, proxy):
    server.pages["/talk"] = answer()
    for url in (f"http://127.0.0.1:{proxy.port}", f"http://proxy:guess@127.0.0.1:{proxy.port}"):
        answered = requests.get(server.url("/talk"), proxies={"http": url}, timeout=10)
        assert answered.status_code == 407
    assert server.asked == []


@pytest.mark.parametrize(
    "host", [METADATA, "10.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_way_leads_inside(proxy, get, host):
    assert get(f"http://{host}/").status_code == 403
    assert proxy.refusal.code == "URL_NOT_ALLOWED"
    with pytest.raises(OSError, match="403"):
        tunnel(proxy, host.strip("[]"), 443).request("GET", "/")


def test_a_redirect_inside_is_followed_nowhere(server, loopback_allowed, proxy, get):
    server.pages["/talk"] = answer(302, b"", Location=f"http://{METADATA}/latest")
    assert get(server.url("/talk")).status_code == 403
    assert proxy.refusal.details == {"host": METADATA}


@pytest.mark.parametrize("addresses", [[["8.8.8.8", "127.0.0.1"]], [["127.0.0.1"]]])
def test_a_name_with_one_address_inside_is_refused(names, get, addresses):
    names["evil.example.org"] = addresses
    assert get("http://evil.example.org/").status_code == 403


def test_a_name_that_changes_between_requests_is_checked_each_time(server, names, get, loopback_allowed):
    names["evil.example.org"] = [["127.0.0.1"], ["10.0.0.1"]]
    server.pages["/talk"] = answer()
    assert get(server.url("/talk", "evil.example.org")).content == BODY
    assert get(server.url("/talk", "evil.example.org")).status_code == 403


def test_a_name_is_asked_for_once_a_connection(server, names, monkeypatch, get):
    """The answer that was checked is the one that is used: the next would lead inside."""
    names["evil.example.org"] = [["8.8.8.8"], ["127.0.0.1"]]
    dialled: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("jobs.dialling.socket.create_connection", connect)
    # the library's own way to the proxy is the system's
    assert get("http://evil.example.org/").status_code == 502
    assert dialled == [("8.8.8.8", 80)]


@pytest.mark.parametrize("port", [22, 6379, 8080])
def test_other_ports_than_the_webs_are_refused(names, get, port):
    names["media.example.org"] = [["8.8.8.8"]]
    assert get(f"http://media.example.org:{port}/").status_code == 403


@pytest.mark.parametrize(
    "head", [b"GET\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET ftp://example.org/ HTTP/1.1\r\n\r\n", b"x" * 100_000, b""]
)
def test_what_is_no_request_gets_nowhere(proxy, head):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12)[9:] in (b"400", b"407", b"")


def test_no_more_is_passed_on_than_was_agreed(server, loopback_allowed):
    server.pages["/talk"] = answer(body=bytes(3_000_000))
    with checked_proxy(1_000_000, time.monotonic() + 20) as proxy:
        with pytest.raises(requests.RequestException):
            requests.get(server.url("/talk"), proxies={"http": proxy.url}, timeout=10)
        assert proxy.overrun


def test_after_the_deadline_nothing_is_passed_on(server, loopback_allowed):
    server.pages["/talk"] = answer()
    with checked_proxy(1_000_000, time.monotonic() - 1) as proxy:
        assert requests.get(server.url("/talk"), proxies={"http": proxy.url}, timeout=10).status_code == 502
    assert server.asked == []

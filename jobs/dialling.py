"""The only way to another server: to addresses that were checked, so that nobody's URL leads into this one's network.

A name is resolved once, every address it has is checked, and the connection goes to a checked address under the name's
own Host and SNI. http.client is enough for that: its `connect` is made to be replaced, where the libraries above it
resolve names by themselves.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, quote, urlsplit

from django.conf import settings

from .errors import JobError

Address = IPv4Address | IPv6Address

PORTS = {"http": 80, "https": 443}
LONGEST_URL = 2000
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
WATCH_SECONDS = 0.2
MOST_ADDRESSES = 4
GLOBAL_UNICAST = ip_network("2000::/3")  # all of IPv6 that the internet uses

# Ranges that lead elsewhere than they seem to: translators, tunnels and anycast relays to them, and carriers' NAT.
# Which of them `is_global` knows depends on Python's patch level.
INDIRECT = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2001:20::/28",
        "2002::/16",
    )
)


def check_address(url: str) -> None:
    """Whether a URL may lead to a public server, as far as can be said without asking the network. Raises JobError.

    Names are not resolved here: the answer would cost a request seconds and would not hold until the connection.
    """
    parts = split(url)
    host = host_of(parts)
    numeric = ["127.0.0.1"] if host == "localhost" or host.endswith(".localhost") else _numeric(host)
    if numeric:
        _check_addresses([ip_address(address) for address in numeric], parts)


# --- which addresses are allowed


def split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in PORTS and parts.hostname and parts.port != 0 and len(url) <= LONGEST_URL
    except ValueError:  # a port that is no number, brackets that do not match
        valid = False
    if not valid or any(char.isspace() or not char.isprintable() for char in parts.netloc):
        raise JobError("INVALID_URL")
    if "@" in parts.netloc:
        raise JobError("INVALID_URL", "Addresses with a user name or password are not supported.")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def host_of(parts: SplitResult) -> str:
    return str(parts.hostname).rstrip(".").lower()


def _numeric(host: str) -> list[str]:
    """The address that a host is without any resolver, in each notation the system knows (0x7f.1, 2130706433)."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]
    except (OSError, UnicodeError):
        return []


def resolve(parts: SplitResult) -> list[Address]:
    """Every address of the host, all of them checked."""
    try:
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise JobError("URL_UNREACHABLE", f"There is no server called {parts.hostname}.") from error
    addresses = list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
    _check_addresses(addresses, parts)
    return addresses


def _check_addresses(addresses: list[Address], parts: SplitResult) -> None:
    for address in map(_unmapped, addresses):
        if any(address in network for network in settings.FETCH_ALLOW):
            continue
        if not _public(address):
            raise JobError("URL_NOT_ALLOWED", details={"host": parts.hostname})
        if _port(parts) not in PORTS.values():
            raise JobError("URL_NOT_ALLOWED", "Only the ports 80 and 443 are allowed.", details={"port": parts.port})


def _unmapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def _public(address: Address) -> bool:
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in INDIRECT)
    )


# --- talking to the server


class Connection(http.client.HTTPConnection):
    """To one of the checked addresses, while Host, SNI and the certificate's check keep the name."""

    def __init__(self, parts: SplitResult, addresses: list[Address], deadline: float) -> None:
        super().__init__(str(parts.hostname), _port(parts), timeout=CONNECT_SECONDS)
        self.default_port = PORTS[parts.scheme]  # left out of the Host header
        self._parts = parts
        self._addresses = addresses
        self._deadline = deadline
        self._secure = parts.scheme == "https"
        self.wire: socket.socket | None = None  # `sock` is forgotten while an answer is still being read

    def connect(self) -> None:
        self.sock = self.wire = dial(self._parts, self._addresses, self._deadline)
        if self._secure:
            context = ssl.create_default_context()
            secured = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self.wire = secured
            secured.do_handshake()
        self.sock.settimeout(SILENCE_SECONDS)


def dial(parts: SplitResult, addresses: list[Address], deadline: float) -> socket.socket:
    """A connection to the first of checked addresses that answers. Raises OSError."""
    for address in addresses[:MOST_ADDRESSES]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        with suppress(OSError):
            return socket.create_connection((str(address), _port(parts)), min(CONNECT_SECONDS, left))
    raise ConnectionError(f"no address of {parts.hostname} answers")


@contextmanager
def bounded(connection: Connection, deadline: float, wanted: Callable[[], bool]) -> Iterator[None]:
    """Cut the connection at the deadline or when nobody wants it, which timeouts of single reads cannot do."""
    finished, cut = threading.Event(), threading.Event()

    def watch() -> None:
        while not finished.wait(WATCH_SECONDS):
            if time.monotonic() > deadline or not wanted():
                cut.set()
                if connection.wire:
                    with suppress(OSError):  # it ended by itself
                        socket.socket.shutdown(connection.wire, socket.SHUT_RDWR)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        watcher.join()
        connection.close()
        if cut.is_set():  # what came so far may look complete
            raise TimeoutError


def request_target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return path + ("?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else "")

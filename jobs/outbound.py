"""Fetching what a user's URL names, without becoming a way into the network this server stands in.

A name is resolved once, every address it has is checked, and the connection goes to a checked address under the name's
own Host and SNI; each redirect starts over. http.client is enough for that: its `connect` is made to be replaced,
where the libraries above it resolve names by themselves.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from django.conf import settings

from .errors import JobError

Address = IPv4Address | IPv6Address
OnBytes = Callable[[int, int | None], None]
"""Called with the bytes received and, where the server tells, the bytes to come in all. May raise to stop."""

PORTS = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
LONGEST_URL = 2000
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
WATCH_SECONDS = 0.2
MOST_ADDRESSES = 4
CHUNK = 1 << 16
PAGE_TYPES = ("text/html", "application/xhtml+xml")
PAGE_STARTS = (b"<!doctype html", b"<html", b"<head")
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

# Hosts whose addresses name a page with a player. Their media come from other hosts.
VIDEO_SITES = (
    *("youtube.com", "youtu.be", "youtube-nocookie.com", "vimeo.com", "player.vimeo.com", "dailymotion.com", "dai.ly"),
    *("twitch.tv", "clips.twitch.tv", "tiktok.com", "vm.tiktok.com", "instagram.com", "facebook.com", "fb.watch"),
    *("twitter.com", "x.com", "bilibili.com", "b23.tv", "soundcloud.com", "open.spotify.com", "rumble.com"),
)
SITE_PREFIXES = ("www.", "m.", "mobile.", "music.", "on.")


def check_url(url: str) -> None:
    """What can be said about a URL without asking the network. Raises JobError.

    Names are not resolved here: the answer would cost a request seconds and would not hold until the fetch.
    """
    parts = _split(url)
    host = str(parts.hostname).rstrip(".").lower()
    if _site(host) in VIDEO_SITES:
        raise JobError("URL_NEEDS_EXTRACTOR", details={"host": host})
    numeric = ["127.0.0.1"] if host == "localhost" or host.endswith(".localhost") else _numeric(host)
    if numeric:
        _check_addresses([ip_address(address) for address in numeric], parts)


def download(
    url: str, target: Path, *, wanted: Callable[[], bool] = lambda: True, on_bytes: OnBytes | None = None
) -> None:
    """Fetch `url` into the file `target`, within the configured time and size. Raises JobError, OSError of the disk.

    Ends with URL_UNREACHABLE within moments of the file being not `wanted` any more.
    """
    deadline = time.monotonic() + settings.FETCH_TIMEOUT
    for _ in range(MOST_REDIRECTS + 1):
        check_url(url)
        parts = _split(url)
        connection = _Connection(parts, _resolve(parts))
        with _as_job_errors(parts), _bounded(connection, deadline, wanted), _ask(connection, parts) as response:
            if response.status not in REDIRECTS:
                return _save(response, target, on_bytes)
            url = urljoin(url, response.headers.get("Location") or "")
    raise JobError("URL_UNREACHABLE", f"The address redirects more than {MOST_REDIRECTS} times.")


# --- which addresses are allowed


def _split(url: str) -> SplitResult:
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


def _site(host: str) -> str:
    for prefix in SITE_PREFIXES:
        host = host.removeprefix(prefix)
    return host


def _numeric(host: str) -> list[str]:
    """The address that a host is without any resolver, in each notation the system knows (0x7f.1, 2130706433)."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]
    except (OSError, UnicodeError):
        return []


def _resolve(parts: SplitResult) -> list[Address]:
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


class _Connection(http.client.HTTPConnection):
    """To one of the checked addresses, while Host, SNI and the certificate's check keep the name."""

    def __init__(self, parts: SplitResult, addresses: list[Address]) -> None:
        super().__init__(str(parts.hostname), _port(parts), timeout=CONNECT_SECONDS)
        self.default_port = PORTS[parts.scheme]  # left out of the Host header
        self._addresses = addresses[:MOST_ADDRESSES]
        self._secure = parts.scheme == "https"
        self.wire: socket.socket | None = None  # `sock` is forgotten while an answer is still being read

    def connect(self) -> None:
        self.sock = self.wire = self._first_that_answers()
        if self._secure:
            context = ssl.create_default_context()
            secured = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self.wire = secured
            secured.do_handshake()
        self.sock.settimeout(SILENCE_SECONDS)

    def _first_that_answers(self) -> socket.socket:
        for address in self._addresses:
            with suppress(OSError):
                return socket.create_connection((str(address), self.port), self.timeout)
        raise ConnectionError(f"no address of {self.host} answers")


def _ask(connection: _Connection, parts: SplitResult) -> http.client.HTTPResponse:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    headers = {"User-Agent": "Soloist", "Accept": "audio/*, video/*, */*;q=0.5", "Accept-Encoding": "identity"}
    connection.request("GET", path + query, headers=headers)
    return connection.getresponse()


@contextmanager
def _bounded(connection: _Connection, deadline: float, wanted: Callable[[], bool]) -> Iterator[None]:
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


@contextmanager
def _as_job_errors(parts: SplitResult) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise JobError("URL_UNREACHABLE", f"The certificate of {parts.hostname} is not valid.") from error
    except TimeoutError as error:
        raise JobError("URL_UNREACHABLE", f"{parts.hostname} did not answer in time.") from error
    except (ConnectionError, ssl.SSLError, http.client.HTTPException, zlib.error, UnicodeError) as error:
        raise JobError("URL_UNREACHABLE", f"The connection to {parts.hostname} failed.") from error


def _save(response: http.client.HTTPResponse, target: Path, on_bytes: OnBytes | None) -> None:
    _check_answer(response)
    total = response.length
    received = 0
    with target.open("wb") as out:
        for chunk in _body(response):
            if not received and chunk.lstrip()[:16].lower().startswith(PAGE_STARTS):
                raise JobError("URL_NOT_MEDIA")
            received += len(chunk)
            if received > settings.MAX_DOWNLOAD_BYTES:
                raise _too_large()
            out.write(chunk)
            if on_bytes:
                on_bytes(received, total)
    if response.length:
        raise ConnectionError(f"{response.length} bytes are missing")


def _check_answer(response: http.client.HTTPResponse) -> None:
    if response.status != 200:
        details = {"http_status": response.status}
        raise JobError("URL_UNREACHABLE", f"The server answered with status {response.status}.", details=details)
    if response.headers.get_content_type() in PAGE_TYPES:
        raise JobError("URL_NOT_MEDIA")
    if response.length is not None and response.length > settings.MAX_DOWNLOAD_BYTES:
        raise _too_large()


def _too_large() -> JobError:
    return JobError("FILE_TOO_LARGE", f"The file is larger than {settings.MAX_DOWNLOAD_BYTES // 1_000_000} MB.")


def _body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes in, small at a time even where a little unpacks to a lot."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        while chunk := response.read1(CHUNK):
            yield chunk
    elif encoding in ("gzip", "x-gzip", "deflate"):  # against our Accept-Encoding, but some do
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        while packed := response.read1(CHUNK):
            while packed and not unpack.eof:
                if chunk := unpack.decompress(packed, CHUNK):
                    yield chunk
                packed = unpack.unconsumed_tail
    else:
        raise JobError("URL_UNREACHABLE", f"The server sent the file compressed as {encoding[:40]}.")

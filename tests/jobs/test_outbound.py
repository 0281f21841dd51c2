"""Fetching from strangers' addresses: what is allowed, whatever names, redirects and servers do."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jobs import outbound
from jobs.errors import JobError
from tests.jobs.strangers import BODY, answer


def fetch_fails(url: str, target, **options: Any) -> JobError:
    with pytest.raises(JobError) as error:
        outbound.download(url, target, **options)
    return error.value


# --- fetching


def test_a_file_is_fetched_whole_and_its_progress_told(server, loopback_allowed, tmp_path):
    server.pages["/a%20b/t%C3%A4lk.wav?x=1&y=%20"] = answer()
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "file"
    outbound.download(server.url("/a b/tälk.wav?x=1&y=%20"), target, on_bytes=lambda *seen: told.append(seen))
    assert target.read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY))


def test_a_file_of_unknown_length_is_fetched(server, loopback_allowed, tmp_path):
    def chunked(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for _ in range(3):
            request.wfile.write(b"%x\r\n%s\r\n" % (len(BODY), BODY))
        request.wfile.write(b"0\r\n\r\n")

    server.pages["/talk"] = chunked
    outbound.download(server.url("/talk"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY * 3


def test_the_server_is_asked_under_its_name_at_the_checked_address(server, loopback_allowed, names, tmp_path):
    names["media.example.org"] = [["127.0.0.1"]]
    server.pages["/talk"] = answer()
    outbound.download(server.url("/talk", "media.example.org"), tmp_path / "file")
    assert server.asked == [(f"media.example.org:{server.port}", "/talk")]


def test_environment_proxies_are_not_used(server, loopback_allowed, monkeypatch, tmp_path):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server.pages["/talk"] = answer()
    outbound.download(server.url("/talk"), tmp_path / "file")


def test_without_permission_the_loopback_is_never_asked(server, names, tmp_path):
    names["media.example.org"] = [["127.0.0.1"]]
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_NOT_ALLOWED"
    assert fetch_fails(server.url("/talk", "media.example.org"), tmp_path / "file").code == "URL_NOT_ALLOWED"
    assert server.asked == []


@pytest.mark.parametrize("addresses", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"]])
def test_one_address_inside_among_several_is_enough_to_refuse(names, tmp_path, addresses):
    names["mixed.example.org"] = [addresses]
    assert fetch_fails("http://mixed.example.org/", tmp_path / "file").code == "URL_NOT_ALLOWED"


def test_a_name_that_changes_after_the_check_leads_nowhere_else(server, names, monkeypatch, tmp_path):
    """Resolved once: the second answer, which would lead inside, is never asked for."""
    names["rebinding.example.org"] = [["203.0.114.7"], ["127.0.0.1"]]
    dialed: list[Any] = []

    def dial(address: Any, *_: Any, **__: Any) -> socket.socket:
        dialed.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", dial)
    assert fetch_fails("http://rebinding.example.org/talk", tmp_path / "file").code == "URL_UNREACHABLE"
    assert dialed == [("203.0.114.7", 80)]
    assert server.asked == []


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "URL_NOT_ALLOWED"),
        ("http://[::ffff:10.0.0.1]/", "URL_NOT_ALLOWED"),
        ("http://2852039166/", "URL_NOT_ALLOWED"),
        ("//10.0.0.1/", "URL_NOT_ALLOWED"),
        ("file:///etc/passwd", "INVALID_URL"),
        ("ftp://example.org/", "INVALID_URL"),
        ("http://user:password@example.org/", "INVALID_URL"),
        ("https://youtu.be/dQw4w9WgXcQ", "URL_NEEDS_EXTRACTOR"),
    ],
)
def test_every_redirect_is_checked_like_the_first_address(server, loopback_allowed, tmp_path, location, code):
    server.pages["/talk"] = answer(302, b"", Location=location)
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == code


def test_redirects_are_followed(server, loopback_allowed, tmp_path):
    server.pages["/one"] = answer(301, b"", Location="two")
    server.pages["/two"] = answer(307, b"", Location=server.url("/three"))
    server.pages["/three"] = answer()
    outbound.download(server.url("/one"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("location", ["/talk", ""])
def test_redirects_in_a_circle_end(server, loopback_allowed, tmp_path, location):
    server.pages["/talk"] = answer(302, b"", Location=location)
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_UNREACHABLE"
    assert len(server.asked) == outbound.MOST_REDIRECTS + 1


@pytest.mark.parametrize("status", [204, 206, 401, 403, 404, 410, 500, 503])
def test_any_answer_but_the_file_is_told_with_its_status(server, loopback_allowed, tmp_path, status):
    server.pages["/talk"] = answer(status, b"")
    error = fetch_fails(server.url("/talk"), tmp_path / "file")
    assert (error.code, error.details) == ("URL_UNREACHABLE", {"http_status": status})


@pytest.mark.parametrize(
    "page",
    [
        answer(body=b"hello", Content_Type="text/html; charset=utf-8"),
        answer(body=b"\n <!DOCTYPE html><html>", Content_Type="application/octet-stream"),
        answer(body=b"<HTML><body>", Content_Type="audio/wav"),
    ],
)
def test_a_page_is_not_a_recording(server, loopback_allowed, tmp_path, page):
    server.pages["/talk"] = page
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_NOT_MEDIA"


@pytest.mark.parametrize(
    "page",
    [
        answer(body=b"[playlist]\nFile1=one.mp3\n", Content_Type="audio/x-scpls"),
        answer(body=b'<?xml version="1.0"?>\n<!-- ours -->\n<rss version="2.0"><channel/></rss>'),
        answer(body=b"http://example.org/one.mp3\nhttp://example.org/two.mp3\n", Content_Type="audio/mpegurl"),
        answer(body=b"#EXTM3U\n" + b"#EXTINF:3,One\none.mp3\n" * 10_000),
    ],
)
def test_a_playlist_or_a_feed_is_told_by_name(server, loopback_allowed, tmp_path, page):
    server.pages["/talk"] = page
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_PLAYLIST"


def test_a_list_of_pieces_is_no_playlist(server, loopback_allowed, tmp_path):
    server.pages["/talk"] = answer(body=b"#EXTM3U\n" + b"# a comment\n" * 10_000 + b"#EXT-X-TARGETDURATION:2\n")
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_NOT_MEDIA"


def test_an_unknown_name_and_a_closed_port_are_told(loopback_allowed, tmp_path, names):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert fetch_fails(f"http://127.0.0.1:{port}/", tmp_path / "file").code == "URL_UNREACHABLE"
    assert fetch_fails("http://nobody.invalid/", tmp_path / "file").code == "URL_UNREACHABLE"
    assert fetch_fails(f"http://{'a' * 64}.example.org/", tmp_path / "file").code == "URL_UNREACHABLE"


def test_a_connection_that_breaks_off_is_no_recording(server, loopback_allowed, tmp_path):
    server.pages["/talk"] = answer(Content_Length=str(len(BODY) + 1))
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_UNREACHABLE"


# --- TLS


@pytest.fixture
def https(server, tmp_path, monkeypatch) -> Callable[[str], None]:
    """Makes the server speak TLS with a certificate for a name, from an authority that the system trusts."""

    def serve(name: str) -> None:
        certificate, key = self_signed(name)
        (tmp_path / "certificate.pem").write_bytes(certificate)
        (tmp_path / "key.pem").write_bytes(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        context.sni_callback = lambda _, asked_for, __: server.names.append(asked_for)
        server.speak_tls(context)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))

    return serve


def self_signed(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, unencrypted)


def test_tls_names_the_host_and_checks_its_certificate(server, https, loopback_allowed, names, tmp_path):
    https("media.example.org")
    names["media.example.org"] = names["other.example.org"] = [["127.0.0.1"]]
    server.pages["/talk"] = answer()
    outbound.download(f"https://media.example.org:{server.port}/talk", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.names == ["media.example.org"]
    error = fetch_fails(f"https://other.example.org:{server.port}/talk", tmp_path / "file")
    assert (error.code, "certificate" in error.message) == ("URL_UNREACHABLE", True)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    server, https, loopback_allowed, names, tmp_path, monkeypatch
):
    https("media.example.org")
    monkeypatch.delenv("SSL_CERT_FILE")
    names["media.example.org"] = [["127.0.0.1"]]
    error = fetch_fails(f"https://media.example.org:{server.port}/talk", tmp_path / "file")
    assert "certificate" in error.message
    assert server.asked == []


def test_plain_http_where_tls_is_expected_is_told(server, loopback_allowed, tmp_path):
    url = server.url("/talk").replace("http:", "https:")
    assert fetch_fails(url, tmp_path / "file").code == "URL_UNREACHABLE"


# --- size and time


def test_a_file_that_says_it_is_too_large_is_not_begun(server, loopback_allowed, settings, tmp_path):
    settings.MAX_DOWNLOAD_BYTES = len(BODY) - 1
    server.pages["/talk"] = answer()
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "FILE_TOO_LARGE"
    assert not (tmp_path / "file").exists()


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65536)


def test_a_file_that_does_not_say_so_is_cut_at_the_limit(server, loopback_allowed, settings, tmp_path):
    settings.MAX_DOWNLOAD_BYTES = 1_000_000
    server.pages["/talk"] = endless
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "FILE_TOO_LARGE"
    assert (tmp_path / "file").stat().st_size <= 1_000_000


def test_a_compressed_file_is_unpacked(server, loopback_allowed, tmp_path):
    server.pages["/talk"] = answer(body=gzip.compress(BODY), Content_Encoding="gzip")
    outbound.download(server.url("/talk"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_little_that_unpacks_to_a_lot_is_cut_at_the_limit(server, loopback_allowed, settings, tmp_path):
    settings.MAX_DOWNLOAD_BYTES = 1_000_000
    server.pages["/talk"] = answer(body=gzip.compress(bytes(200_000_000), 1), Content_Encoding="gzip")
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "FILE_TOO_LARGE"
    assert (tmp_path / "file").stat().st_size <= 1_000_000


def test_a_compression_nobody_asked_for_is_told(server, loopback_allowed, tmp_path):
    server.pages["/talk"] = answer(Content_Encoding="br")
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_UNREACHABLE"


def drip_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.05)


def say_nothing(request: BaseHTTPRequestHandler) -> None:
    time.sleep(60)


@pytest.mark.parametrize("page", [drip_body, drip_headers, say_nothing])
def test_a_server_that_takes_for_ever_is_cut_at_the_time_limit(server, loopback_allowed, settings, tmp_path, page):
    settings.FETCH_TIMEOUT = 1
    server.pages["/talk"] = page
    started = time.monotonic()
    assert fetch_fails(server.url("/talk"), tmp_path / "file").code == "URL_UNREACHABLE"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("page", [drip_body, say_nothing])
def test_a_fetch_that_nobody_wants_any_more_ends(server, loopback_allowed, tmp_path, page):
    server.pages["/talk"] = page
    until = time.monotonic() + 0.5
    fetch_fails(server.url("/talk"), tmp_path / "file", wanted=lambda: time.monotonic() < until)
    assert time.monotonic() - until < 10


def test_what_the_caller_raises_passes_through(server, loopback_allowed, tmp_path):
    def stop(received: int, total: int | None) -> None:
        raise KeyError(received)

    server.pages["/talk"] = answer()
    with pytest.raises(KeyError):
        outbound.download(server.url("/talk"), tmp_path / "file", on_bytes=stop)

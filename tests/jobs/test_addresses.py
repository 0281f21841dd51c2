"""Addresses that strangers give: what can be said of them without asking anybody."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from jobs import outbound
from jobs.errors import JobError


def refused(url: str) -> str:
    with pytest.raises(JobError) as error:
        outbound.check_url(url)
    return error.value.code


@pytest.mark.parametrize(
    "url",
    [
        "",
        "talk.wav",
        "ftp://example.org/talk.wav",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://",
        "http:///talk.wav",
        "http://user:password@example.org/",
        "http://user@example.org/",
        "http://example.org:0/",
        "http://example.org:70000/",
        "http://example.org:port/",
        "http://[::1/",
        "http://exa mple.org/",
        "http://example.org\x00.evil.org/",
        "https://example.org/" + "a" * 2000,
    ],
)
def test_what_is_no_web_address_is_refused(url):
    assert refused(url) == "INVALID_URL"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "sub.localhost",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127。0。0。1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
    ],
)
def test_an_address_inside_is_refused_in_any_notation(host):
    assert refused(f"http://{host}/talk.wav") == "URL_NOT_ALLOWED"


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 8000])
def test_public_servers_are_asked_on_web_ports_only(port):
    assert refused(f"http://8.8.8.8:{port}/") == "URL_NOT_ALLOWED"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/talk.wav", "http://8.8.8.8/", "https://[2606:4700:4700::1111]:443/a?b=c", " http://a.b/ "],
)
def test_public_addresses_pass(url):
    outbound.check_url(url)


def test_networks_that_the_operator_allows_pass_on_any_port(settings):
    settings.FETCH_ALLOW = (ip_network("192.168.7.0/24"), ip_network("fd00::/8"))
    outbound.check_url("http://192.168.7.20:9000/talk.wav")
    outbound.check_url("http://[::ffff:192.168.7.20]/talk.wav")
    outbound.check_url("http://[fd00::1]:8080/talk.wav")
    assert refused("http://192.168.8.20/talk.wav") == "URL_NOT_ALLOWED"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://YOUTU.BE/dQw4w9WgXcQ",
        "https://m.youtube.com/watch?v=1",
        "https://vimeo.com/1",
        "https://www.tiktok.com/@a/video/1",
    ],
)
def test_pages_of_video_sites_are_named_as_what_they_are(url):
    assert refused(url) == "URL_NEEDS_EXTRACTOR"


def test_a_host_that_only_looks_like_a_video_site_is_an_ordinary_one():
    outbound.check_url("https://notyoutube.com/talk.wav")
    outbound.check_url("https://youtube.com.example.org/talk.wav")

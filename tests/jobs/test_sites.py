"""Recordings on video sites: what yt-dlp fetches, what it is kept from, and what is told where it fails."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UserNotLive

from accounts import ledger
from accounts.models import APIKey
from jobs import ingest, lifecycle, sites, tasks, worker
from jobs.errors import JobError
from jobs.models import Job
from jobs.options import SpeakerOptions
from tests.api.programs import Program
from tests.jobs.strangers import answer

pytestmark = pytest.mark.django_db
PLAYLIST = "application/vnd.apple.mpegurl"
METADATA = "http://169.254.169.254/latest/talk.wav"


@pytest.fixture
def site(server, loopback_allowed, settings, recording):
    """A site of which yt-dlp knows no more than that its pages show recordings."""
    settings.EXTRACTORS = ["generic", "html5"]
    settings.FETCH_TIMEOUT = 30
    server.pages["/talk.wav"] = answer(body=recording.read_bytes())
    return server


@pytest.fixture
def program(alice) -> Program:
    return Program(APIKey.issue(alice, "tests")[1])


def show(site, *sources: str, title: str = "A talk at the town hall", path: str = "/watch") -> str:
    """A page of the site with players; returns its address."""
    players = "".join(f'<video src="{source}"></video>' for source in sources)
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{players}</body></html>"
    site.pages[path] = answer(body=page.encode(), Content_Type="text/html; charset=utf-8")
    return site.url(path)


def refused(alice, url: str, **options: Any) -> JobError:
    with pytest.raises(JobError) as error:
        ingest.fetch(alice, url, "talk", **options)
    return error.value


# --- what is fetched


def test_a_page_with_a_recording_gives_the_recording(site, alice, recording):
    url = show(site, "/talk.wav")
    told: list[Any] = []
    media = ingest.fetch(alice, url, "watch", on_bytes=lambda *seen: told.append(seen))
    assert (media.name, media.source_url, media.seconds) == ("A talk at the town hall (1)", url, 3.0)
    assert media.bytes == recording.stat().st_size
    assert [path for _, path in site.asked] == ["/watch", "/watch", "/talk.wav"]


def test_a_direct_link_needs_no_site(site, alice, monkeypatch):
    monkeypatch.setattr(sites, "download", None)
    assert ingest.fetch(alice, site.url("/talk.wav"), "talk.wav").name == "talk.wav"


def test_a_stream_in_pieces_is_put_together(site, alice, recording):
    pieces = recording.read_bytes()
    site.pages["/0.wav"], site.pages["/1.wav"] = answer(body=pieces[:50_000]), answer(body=pieces[50_000:])
    site.pages["/talk.m3u8"] = answer(body=hls("/0.wav", "/1.wav"), Content_Type=PLAYLIST)
    lengths: list[float] = []
    media = ingest.fetch(alice, show(site, "/talk.m3u8"), "watch", on_seconds=lengths.append)
    assert (media.seconds, lengths) == (3.0, [3.0])


def hls(*pieces: str, seconds: float = 1.5, ended: bool = True) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0"]
    for piece in pieces:
        lines += [f"#EXTINF:{seconds},", piece]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""]).encode()


# --- before anything is paid


def test_a_sites_word_on_the_length_is_an_estimate_before_anything_is_fetched(site, program, recording):
    site.pages["/0.wav"] = answer(body=recording.read_bytes())
    site.pages["/talk.m3u8"] = answer(body=hls("/0.wav", seconds=300), Content_Type=PLAYLIST)
    body = program.send("post", "jobs/estimate", {"url": show(site, "/talk.m3u8")}).json()
    assert (body["seconds"], body["exact"], body["credits"]) == (300.0, True, 1650)
    assert "/0.wav" not in [path for _, path in site.asked]


@pytest.mark.parametrize(
    ("limit", "credits", "code"), [(100, 1_000_000, "AUDIO_TOO_LONG"), (86_400, 1000, "INSUFFICIENT_CREDITS")]
)
def test_what_is_too_long_or_too_dear_is_not_fetched(site, alice, charlie, settings, limit, credits, code):
    settings.MAX_AUDIO_SECONDS = limit
    ledger.adjust(alice, credits - 1_000_000 or 1, reason="test", actor=charlie)
    site.pages["/talk.m3u8"] = answer(body=hls("/0.wav", seconds=300), Content_Type=PLAYLIST)
    job = lifecycle.submit_url(alice, show(site, "/talk.m3u8"), "watch", "extraction", SpeakerOptions())
    worker.carry_out(lifecycle.claim("io", "tests"), tasks.fetch)
    assert Job.objects.get(pk=job.pk).error_code == code
    assert "/0.wav" not in [path for _, path in site.asked]


# --- what is refused


def test_without_permission_no_site_is_asked(site, alice, settings, program):
    settings.EXTRACTORS = []
    assert refused(alice, show(site, "/talk.wav")).code == "URL_NOT_MEDIA"
    assert [path for _, path in site.asked] == ["/watch"]
    answer = program.send("post", "speaker/extract", {"url": "https://www.youtube.com/watch?v=x"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "URL_NEEDS_EXTRACTOR")


def test_a_site_that_is_not_among_those_allowed_is_refused(alice, settings, names, loopback_allowed):
    settings.EXTRACTORS = ["vimeo"]
    assert refused(alice, "https://www.youtube.com/watch?v=dQw4w9WgXcQ").code == "URL_NEEDS_EXTRACTOR"


def test_a_page_without_a_recording_is_a_page(site, alice):
    assert refused(alice, show(site)).code == "URL_NOT_MEDIA"


def test_several_recordings_are_refused(site, alice):
    assert refused(alice, show(site, "/talk.wav", "/more.wav")).code == "URL_PLAYLIST"


def test_a_playlist_in_a_player_is_refused_by_name(site, alice):
    site.pages["/list.m3u8"] = answer(body=b"#EXTM3U\n#EXTINF:3,One\n/talk.wav\n", Content_Type=PLAYLIST)
    assert refused(alice, show(site, "/list.m3u8")).code == "URL_PLAYLIST"


def test_a_live_stream_is_refused(site, alice):
    site.pages["/talk.m3u8"] = answer(body=hls("/0.wav", ended=False), Content_Type=PLAYLIST)
    assert refused(alice, show(site, "/talk.m3u8")).code == "URL_LIVE"


def test_a_list_that_goes_on_is_refused_wherever_it_is_found(site, alice):
    site.pages["/talk.m3u8"] = answer(body=hls("/0.wav", ended=False), Content_Type="text/plain")
    assert refused(alice, site.url("/talk.m3u8")).code == "URL_LIVE"


def test_a_recording_that_is_gone_is_told_with_its_status(site, alice):
    site.pages["/gone.wav"] = answer(404)
    error = refused(alice, show(site, "/gone.wav"))
    assert (error.code, error.details) == ("URL_UNREACHABLE", {"http_status": 404})


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ExtractorError("Private video. Sign in if you've been granted access", expected=True), "restricted"),
        (ExtractorError("This video is only available for registered users", expected=True), "restricted"),
        (ExtractorError("Join this channel to get access to members-only content", expected=True), "restricted"),
        (GeoRestrictedError("not here", countries=["FR"]), "restricted"),
        (UserNotLive("The channel is not currently live"), "live"),
        (ExtractorError("This live event will begin in 3 hours.", expected=True), "live"),
        (ExtractorError("This video has been removed", expected=True), "failed"),
    ],
)
def test_what_a_site_says_becomes_one_of_our_codes(cause, kind):
    program = runpy.run_path(str(sites.PROGRAM))
    refusal = program["as_refusal"](DownloadError(f"ERROR: {cause}", (type(cause), cause, None)))
    assert (refusal.kind, refusal.kind in sites.KINDS) == (kind, True)
    assert "github" not in refusal.details.get("reason", "")


# --- attacks


@pytest.mark.parametrize("place", ["player", "redirect", "piece"])
def test_no_request_of_an_extractor_leads_inside(site, alice, place):
    site.pages["/moved.wav"] = answer(302, b"", Location=METADATA)
    site.pages["/talk.m3u8"] = answer(body=hls(METADATA), Content_Type=PLAYLIST)
    source = {"player": METADATA, "redirect": "/moved.wav", "piece": "/talk.m3u8"}[place]
    error = refused(alice, show(site, source))
    assert (error.code, error.details) == ("URL_NOT_ALLOWED", {"host": "169.254.169.254"})


def test_a_name_that_comes_to_lead_inside_is_refused(site, alice, names):
    names["media.example.org"] = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.7"]]
    show(site, "/talk.wav")
    assert refused(alice, site.url("/watch", "media.example.org")).code == "URL_NOT_ALLOWED"
    assert "/talk.wav" not in [path for _, path in site.asked]


def test_no_file_of_the_server_is_fetched(site, alice, tmp_path):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF")
    assert refused(alice, show(site, f"file://{secret}")).code in ("URL_NOT_MEDIA", "EXTRACTION_FAILED")
    with pytest.raises(JobError, match="not an http or https address"):
        sites.look(f"file://{secret}", 5)


def endless(request: Any) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "audio/wav")
    request.end_headers()
    while True:
        request.wfile.write(bytes(1 << 16))


def drip(request: Any) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "audio/wav")
    request.end_headers()
    while True:
        request.wfile.write(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("source", [endless, answer(body=bytes(3_000_000))])
def test_what_is_enormous_is_cut_at_the_limit(site, alice, settings, source):
    settings.MAX_DOWNLOAD_BYTES = 1_000_000
    site.pages["/large.wav"] = source
    assert refused(alice, show(site, "/large.wav")).code == "FILE_TOO_LARGE"
    assert not list(settings.SCRATCH_DIR.iterdir())


def test_what_drips_is_cut_at_the_time_limit_and_when_nobody_wants_it(site, alice, settings):
    site.pages["/slow.wav"] = drip
    url = show(site, "/slow.wav")
    until = time.monotonic() + 2
    assert refused(alice, url, wanted=lambda: time.monotonic() < until).code == "URL_UNREACHABLE"
    settings.FETCH_TIMEOUT = 2
    assert refused(alice, url).code == "URL_UNREACHABLE"
    assert time.monotonic() - until < 15


ATTEMPTS = """
import json, os, runpy, socket, subprocess, sys, urllib.request
from pathlib import Path
program = runpy.run_path(sys.argv[1])
folder, secret = Path(sys.argv[2]), Path(sys.argv[3])
program["lock_up"](folder, secret.parent, 9, 1000, 20)
attempts = {
    "write in its folder": lambda: (folder / "own").write_text("x"),
    "read python": lambda: Path(json.__file__).read_text(),
    "connect": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[4]))),
    "connect elsewhere": lambda: socket.socket().connect(("10.0.0.1", 80)),
    "look up": lambda: socket.getaddrinfo("example.org", 80),
    "send": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)),
    "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect("/run/x.sock"),
    "program": lambda: subprocess.run(["/bin/true"]),
    "shell": lambda: os.system("true"),
    "fork": os.fork,
    "read a secret": secret.read_text,
    "read by descriptor": lambda: os.open(secret, os.O_RDONLY),
    "write elsewhere": lambda: Path(sys.argv[1]).open("a"),
    "make elsewhere": lambda: (folder.parent / "else").write_text("x"),
    "write too much": lambda: (folder / "own").write_text("x" * 2000),
}
def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"
print(json.dumps({name: outcome(attempt) for name, attempt in attempts.items()}))
"""


def test_the_program_cannot_do_what_it_need_not(server, tmp_path):
    folder, secret = tmp_path / "own", tmp_path / "data" / "secret_key"
    folder.mkdir()
    secret.parent.mkdir()
    secret.write_text("secret")
    command = [sys.executable, "-I", "-c", ATTEMPTS, sites.PROGRAM, folder, secret, str(server.port)]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    outcomes = json.loads(tried.stdout)
    assert [name for name, outcome in outcomes.items() if outcome == "done"] == ["write in its folder", "read python"]
    assert outcomes.pop("write too much") == "OSError"
    assert set(outcomes.values()) == {"done", "PermissionError"}
    assert server.asked == []


def test_the_program_gets_nothing_of_the_servers_environment(site, alice, monkeypatch, tmp_path):
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import json, os, sys\nsys.stdin.readline()\n"
        "reason = ' '.join(sorted(set(os.environ) - {'LC_CTYPE'}))\n"
        "print(json.dumps({'event': 'refused', 'kind': 'failed', 'reason': reason}), flush=True)\n"
    )
    monkeypatch.setattr(sites, "PROGRAM", Path(spy))
    assert refused(alice, show(site, "/talk.wav")).details == {"reason": "HOME LANG PATH TMPDIR YTDLP_NO_PLUGINS"}


def test_a_program_that_dies_is_told_as_a_failure(site, alice, monkeypatch, tmp_path):
    dead = tmp_path / "dead.py"
    dead.write_text("raise SystemExit(1)")
    monkeypatch.setattr(sites, "PROGRAM", dead)
    assert refused(alice, show(site, "/talk.wav")).code == "EXTRACTION_FAILED"

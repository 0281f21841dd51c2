"""tus-js-client, as it is used everywhere, against the running server."""

from __future__ import annotations

import shutil
import signal
import subprocess
import wave
from pathlib import Path

import httpx
import pytest

from tests import processes
from tests.serving import Soloist

CLIENT = Path(__file__).with_name("tus_client.mjs")
NODE = shutil.which("node") or str(processes.ROOT / ".venv" / "bin" / "node")
PART_BYTES = 1 << 20
EXPIRE = """
from datetime import timedelta
from django.db.models import F
from jobs.models import Upload

Upload.objects.update(created_at=F("created_at") - timedelta(hours=25))
"""
pytestmark = pytest.mark.skipif(not shutil.which(NODE), reason="node is not installed")


@pytest.fixture(scope="module")
def key(web: Soloist) -> str:
    return web.account("tus@example.org")


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """Five MB of silence."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(bytes(5 * PART_BYTES))
    return path


def start(file: Path, server: Soloist, key: str, how: str = "") -> subprocess.Popen[str]:
    """From the repository's root, where its library is installed."""
    installed = (processes.ROOT / "node_modules" / "tus-js-client").is_dir()
    assert installed, "The front end is not installed: npm install"
    command = [NODE, CLIENT, file, f"{server.url}/api/v1/uploads", key, str(PART_BYTES), how]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=processes.die_with_tests
    )


def test_it_goes_on_where_the_server_was_killed(web, key, long_recording):
    client = start(long_recording, web, key)
    assert client.stdout
    assert web.web
    assert int(client.stdout.readline()) == PART_BYTES
    processes.stop(web.web, signal.SIGKILL)
    web.start_web()
    web.wait_until_up()
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    *accepted, address = out.split()
    assert accepted[-1] == str(long_recording.stat().st_size)
    assert len(accepted) <= 6  # no part that was here came again but the one that was on its way
    with httpx.Client(base_url=web.url, headers={"X-API-Key": key}, trust_env=False) as http:
        job = http.post("/api/v1/speaker/diarize", json={"media": address.rpartition("/")[2]}).json()
        assert (job["filename"], round(job["duration"])) == ("talk.wav", 164)
        http.delete(f"/api/v1/speaker/jobs/{job['id']}").raise_for_status()


def test_it_goes_on_where_the_client_was_killed(web, key, long_recording):
    client = start(long_recording, web, key)
    assert client.stdout
    assert int(client.stdout.readline()) == PART_BYTES
    processes.stop(client, signal.SIGKILL)
    client.communicate()
    again = start(long_recording, web, key)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert int(out.split()[0]) > PART_BYTES  # what was here did not come again


def test_it_tells_what_the_server_says_of_a_file_that_is_no_recording(web, key, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("Nobody speaks here.\n" * 100)
    client = start(text, web, key)
    _, err = client.communicate(timeout=60)
    assert (client.returncode, '"code":"INVALID_AUDIO_FORMAT"' in err) == (1, True), err


def test_it_is_told_of_a_part_that_arrived_damaged_and_sends_it_again(web, key, long_recording):
    client = start(long_recording, web, key, "damaged")
    out, err = client.communicate(timeout=60)
    assert (client.returncode, out) == (1, "")
    assert '"code":"CHECKSUM_MISMATCH"' in err
    again = start(long_recording, web, key)
    out, err = again.communicate(timeout=60)
    assert (again.returncode, int(out.split()[0])) == (0, PART_BYTES), err


def test_it_gives_an_upload_up(web, key, long_recording):
    client = start(long_recording, web, key, "terminate")
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    assert httpx.head(out.split()[-1], headers={"X-API-Key": key, "Tus-Resumable": "1.0.0"}).status_code == 404


def test_it_begins_anew_where_its_upload_has_expired(web, key, console, long_recording):
    client = start(long_recording, web, key)
    assert client.stdout
    assert int(client.stdout.readline()) == PART_BYTES
    processes.stop(client, signal.SIGKILL)
    client.communicate()
    console.run(EXPIRE)
    again = start(long_recording, web, key)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert int(out.split()[0]) == PART_BYTES

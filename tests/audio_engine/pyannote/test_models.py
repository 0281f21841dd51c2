"""`models list | fetch | check` as operators use it, against a server that plays the hub."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from audio_engine import __main__ as command_line
from audio_engine.backends import pyannote as backends
from jobs.errors import JobError
from jobs.options import asked_for
from tests.audio_engine.hub import COMMIT, Hub

NAME = "speaker-diarization-community-1"
PAGE = f"https://huggingface.co/pyannote/{NAME}"
TOKEN = "hf_rightToken"
WEIGHTS = "embedding/pytorch_model.bin"
COMMAND = (sys.executable, "-m", "audio_engine", "models")
ASK = (sys.executable, "-c", "from audio_engine.models import access; access.ask()")
Models = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(tiny_models: Path) -> Iterator[Hub]:
    with Hub.of(tiny_models / NAME, f"pyannote/{NAME}").serve() as server:
        server.token = TOKEN
        yield server


@pytest.fixture
def environment(hub: Hub, no_models: Path, tmp_path: Path) -> dict[str, str]:
    """Of a process with caches of its own."""
    return {
        **os.environ,
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "",
        "no_proxy": "127.0.0.1,localhost",
    }


@pytest.fixture
def models(environment: dict[str, str]) -> Models:
    """Runs the command as a user does."""

    def run(*arguments: str, largest_file: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=environment | variables,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file,) * 2)
            if largest_file
            else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_fetched_model_is_whole_and_copies_to_machines_without_network(
    hub: Hub, models: Models, no_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    done = models("fetch")
    assert done.returncode == 0, done.stderr
    folder = no_models / NAME
    for name, content in hub.files.items():
        assert (folder / name).read_bytes() == content
    assert f"fetching 33 MB from {PAGE} (CC-BY-4.0)" in done.stdout
    copied = tmp_path / "copy"
    copied.mkdir()
    folder.rename(copied / NAME)
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(copied))
    assert command_line.main(["models", "check"]) == 0
    said = capsys.readouterr().out.splitlines()
    loaded = [f"{engine}: loads" for engine in ("pyannote", "pyannote-shared", "pyannote-exact")]
    assert said == [f"{NAME}: sizes and hashes are the hub's", *loaded]
    assert command_line.main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert f"{NAME}: here, " in listed
    assert f"revision {COMMIT[:8]}" in listed
    assert f"CC-BY-4.0, conditions to accept at {PAGE}" in listed
    assert "speaker-diarization-3.1: not here, less than 1 MB to fetch; for pyannote-3.1" in listed
    backend = backends.fast()
    backend.load()
    assert backend._versions()[0] == f"{NAME} {COMMIT[:8]}"


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, models: Models, no_models: Path):
    hub.files[WEIGHTS] = bytes(23 << 20)
    hub.breaks.add(WEIGHTS)
    done = models("fetch", NAME)
    assert done.returncode == 0, done.stderr
    first, second = [part for name, part in hub.downloads() if name == WEIGHTS]
    assert first == ""
    assert second == f"bytes={10 << 20}-"  # the library keeps what came in pieces of 10 MiB
    assert (no_models / NAME / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_fetch_that_was_killed_is_taken_up_by_the_next_one(
    hub: Hub, models: Models, environment: dict[str, str], no_models: Path
):
    hub.files[WEIGHTS] = bytes(23 << 20)
    hub.stalls.add(WEIGHTS)
    with subprocess.Popen([*COMMAND, "fetch", NAME], env=environment, stdout=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while not (found := [path for path in no_models.rglob("*.partial") if path.stat().st_size]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed.kill()
    done = found[0].stat().st_size
    assert not (no_models / NAME / WEIGHTS).exists()
    assert models("fetch", NAME).returncode == 0
    assert [part for name, part in hub.downloads() if name == WEIGHTS] == ["", f"bytes={done}-"]
    assert (no_models / NAME / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
    assert not list(no_models.rglob("*.partial"))


def test_what_came_damaged_is_not_taken(hub: Hub, models: Models, no_models: Path):
    hub.damages.add(WEIGHTS)
    refused = models("fetch")
    assert refused.returncode == 1  # it may work later
    assert f"{WEIGHTS} is damaged: its hash is not the hub's; try again." in refused.stderr
    assert not list((no_models / NAME / WEIGHTS).parent.iterdir())
    hub.damages.clear()
    assert models("fetch").returncode == 0


def test_a_disk_that_is_too_small_is_told_before_anything_comes(hub: Hub, models: Models, no_models: Path):
    hub.claims[WEIGHTS] = 10**15
    refused = models("fetch")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"DISK_FULL: pyannote/{NAME} could not be fetched: the disk is full. 1,000,000,")
    assert f"MB are free in {no_models / NAME}." in refused.stderr
    assert not hub.downloads()


def test_a_disk_that_fills_up_is_told_and_what_came_is_kept(hub: Hub, models: Models, no_models: Path):
    hub.files[WEIGHTS] = bytes(23 << 20)
    refused = models("fetch", largest_file=15 << 20)
    assert refused.returncode == 1
    assert "the disk is full. What came is kept in" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert models("fetch", NAME).returncode == 0
    first, second = [part for name, part in hub.downloads() if name == WEIGHTS]
    assert first == ""
    assert second.startswith("bytes=1")


def test_a_folder_that_cannot_be_written_is_named(models: Models, tmp_path: Path):
    (tmp_path / "file").touch()
    refused = models("fetch", SOLOIST_MODELS_DIR=str(tmp_path / "file"))
    assert refused.returncode == 2
    assert f"{tmp_path / 'file' / NAME} cannot be used (Not a directory)." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_two_fetches_of_one_model_take_turns(hub: Hub, models: Models, environment: dict[str, str], no_models: Path):
    hub.files[WEIGHTS] = bytes(23 << 20)
    with subprocess.Popen([*COMMAND, "fetch", NAME], env=environment, stdout=subprocess.DEVNULL) as other:
        assert models("fetch", NAME).returncode == 0
    assert other.returncode == 0
    assert [name for name, _ in hub.downloads()].count(WEIGHTS) == 1


def test_a_second_fetch_brings_only_what_is_lacking_or_damaged(hub: Hub, models: Models, no_models: Path, capsys):
    assert models("fetch").returncode == 0
    (no_models / NAME / "config.yaml").unlink()
    weights = no_models / NAME / WEIGHTS
    times = weights.stat()
    content = bytearray(weights.read_bytes())
    content[5000] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    hub.asked.clear()
    assert command_line.main(["models", "check", NAME]) == 2
    assert f"{NAME} is not here; fetch it with: models fetch {NAME}" in capsys.readouterr().err
    (no_models / NAME / "config.yaml").write_bytes(hub.files["config.yaml"] + b"#")
    assert command_line.main(["models", "check", NAME]) == 2
    told = capsys.readouterr().err
    assert f"{WEIGHTS} is damaged: its hash is not the hub's" in told
    size = len(hub.files["config.yaml"])
    assert f"config.yaml has {size + 1:,} bytes instead of {size:,}" in told
    assert models("fetch").returncode == 0
    assert [name for name, _ in hub.downloads()] == ["config.yaml", WEIGHTS]
    assert weights.read_bytes() == hub.files[WEIGHTS]


@pytest.mark.parametrize(
    ("token", "accepted", "words"),
    [
        ("", True, [f"accept its conditions at {PAGE}", "https://huggingface.co/settings/tokens", "set HF_TOKEN"]),
        ("hf_wrongToken", True, ["does not know the token in HF_TOKEN", "https://huggingface.co/settings/tokens"]),
        (TOKEN, False, ["its licence is not accepted yet", f"open {PAGE}"]),
    ],
)
def test_a_refusal_says_what_to_do_and_is_remembered(
    hub: Hub, models: Models, no_models: Path, monkeypatch: pytest.MonkeyPatch, token: str, accepted: bool, words
):
    hub.accepted = accepted
    refused = models("fetch", HF_TOKEN=token)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"ENGINE_UNAVAILABLE: pyannote/{NAME} could not be fetched: ")
    missing = backends.fast().missing()
    assert missing
    for word in words:
        assert word in refused.stderr
        assert word in missing
    hub.accepted = True
    assert models("fetch").returncode == 0
    assert backends.fast().missing() is None


def test_whoever_names_an_engine_whose_licence_is_not_accepted_is_refused_before_anybody_tried_to_fetch_it(
    hub: Hub, environment: dict[str, str], no_models: Path, monkeypatch: pytest.MonkeyPatch
):
    def ask(**variables: str) -> None:
        told = subprocess.run(
            [*ASK], env=environment | variables, capture_output=True, text=True, check=True, timeout=60
        )
        assert "Traceback" not in told.stderr

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    for silent in ({"HF_TOKEN": ""}, {"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        ask(**silent)
        assert asked_for("extraction", engine="pyannote")
    hub.accepted = False
    ask()
    with pytest.raises(
        JobError, match=f"its licence is not accepted yet: open {PAGE} with the token's account"
    ) as told:
        asked_for("extraction", engine="pyannote")
    assert (told.value.code, told.value.details["field"]) == ("ENGINE_UNAVAILABLE", "engine")
    assert asked_for("extraction", engine="pyannote-3.1")  # of which this hub knows nothing
    hub.accepted = True
    ask()
    assert asked_for("extraction", engine="pyannote")


def test_a_hub_that_cannot_be_reached_is_told_apart_and_may_be_tried_again(models: Models):
    unreachable = models("fetch", HF_ENDPOINT="http://127.0.0.1:9")
    assert unreachable.returncode == 1  # it may work later
    assert "http://127.0.0.1:9 cannot be reached; is this machine online?" in unreachable.stderr
    assert "Traceback" not in unreachable.stderr


def test_a_repository_without_the_files_is_told(hub: Hub, models: Models):
    del hub.files["plda/plda.npz"]
    assert "its page does not offer plda/plda.npz" in models("fetch").stderr


def test_an_unknown_model_is_refused_with_the_known_ones(no_models: Path, capsys):
    assert command_line.main(["models", "fetch", "speaker-diarization-9"]) == 2
    assert "There is no model 'speaker-diarization-9'; the models are speaker-diarization-community-1, " in (
        capsys.readouterr().err
    )


def test_an_engine_that_needs_no_models_is_told_from_one_that_there_is_not(no_models: Path, capsys):
    assert command_line.main(["models", "fetch", "embedded"]) == 2
    assert "The engine embedded needs none; the models are speaker-diarization-community-1, " in capsys.readouterr().err


def test_where_there_are_no_models_the_check_says_so(no_models: Path, capsys):
    assert command_line.main(["models", "check"]) == 0
    assert "There are no models here" in capsys.readouterr().out

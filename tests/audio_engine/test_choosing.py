"""Which engine runs where: by what is installed, what is in the models folder, and the hardware."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from audio_engine import hardware, registry, server
from audio_engine.backends.base import Backend
from audio_engine.errors import EngineError
from audio_engine.models import MODELS, locate
from audio_engine.models.needs import GPU_MEGABYTES, OF_CUDA
from audio_engine.pipeline import run
from audio_engine.types import SpeakerRequest
from jobs.errors import JobError
from jobs.options import asked_for

COMMUNITY = MODELS["speaker-diarization-community-1"]
REVISION = "89abcdef" * 5


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a process finds it that has just started."""
    monkeypatch.setattr(registry, "_prepared", set())
    hardware.accelerator.cache_clear()
    registry.unload()
    yield
    hardware.accelerator.cache_clear()
    registry.unload()


class Singer(Backend):
    """Does what no diarizer does."""

    name = "singer"
    tasks = ("singing",)  # type: ignore[assignment]

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder."""
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token, in a process that may use the network."""
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    monkeypatch.delenv("HF_HUB_OFFLINE")


def put(folder: Path) -> None:
    for file in COMMUNITY.files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def test_without_models_and_token_auto_is_embedded_also_with_a_gpu(models: Path, gpus):
    gpus(1)
    assert registry.resolve().name == "embedded"


def test_with_models_but_without_a_gpu_auto_is_embedded_and_pyannote_can_be_asked_for(models: Path, gpus):
    gpus(0)
    put(models / COMMUNITY.name)
    assert registry.resolve().name == "embedded"
    assert registry.resolve("pyannote").name == "pyannote"
    assert registry.resolve("pyannote-exact").name == "pyannote-exact"


def test_with_models_and_a_gpu_auto_is_pyannote(models: Path, gpus):
    gpus(1)
    put(models / COMMUNITY.name)
    assert hardware.accelerator() == "cuda"
    assert registry.resolve().name == "pyannote"


@pytest.mark.parametrize(("driver", "runs"), [(12_080, False), (13_000, True), (14_020, True)])
def test_a_gpu_whose_driver_is_too_old_for_pytorch_does_not_count(
    models: Path, gpus, monkeypatch: pytest.MonkeyPatch, driver: int, runs: bool
):
    put(models / COMMUNITY.name)
    monkeypatch.setattr(hardware, "_torch_build", lambda: {"cuda": "13.0"})
    gpus(1, cuda=driver)
    assert registry.resolve().name == ("pyannote" if runs else "embedded")
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    told = registry.backend("pyannote").missing() or ""
    assert ("runs CUDA 12.8 and PyTorch is built for 13.0. Install a newer driver, or let the CPU" in told) is not runs


def test_a_gpu_does_not_count_in_a_container_that_was_given_only_half_of_its_driver(
    models: Path, gpus, monkeypatch: pytest.MonkeyPatch
):
    put(models / COMMUNITY.name)
    gpus(1, whole=False)
    assert registry.resolve().name == "embedded"
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    told = registry.backend("pyannote").missing() or ""
    assert "libcuda.so.1" in told
    assert "NVIDIA_DRIVER_CAPABILITIES to compute,utility, or let the CPU" in told


def test_with_a_token_and_a_gpu_auto_is_pyannote_whose_models_will_be_fetched(models: Path, gpus, token):
    gpus(1)
    assert registry.resolve().name == "pyannote"


def test_a_gpu_that_the_operator_wants_unused_does_not_count(models: Path, gpus, monkeypatch: pytest.MonkeyPatch):
    gpus(1)
    put(models / COMMUNITY.name)
    monkeypatch.setenv("SOLOIST_DEVICE", "cpu")
    assert hardware.accelerator() is None
    assert registry.resolve().name == "embedded"


def test_with_nothing_but_a_gpu_allowed_a_named_engine_needs_one(models: Path, gpus, monkeypatch: pytest.MonkeyPatch):
    put(models / COMMUNITY.name)
    gpus(0)
    assert registry.resolve("pyannote").name == "pyannote"
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    with pytest.raises(JobError, match=r"PyTorch has none here.*SOLOIST_DEVICE=auto") as refused:
        asked_for("extraction", engine="pyannote")
    assert (refused.value.code, refused.value.details["field"]) == ("ENGINE_UNAVAILABLE", "engine")
    assert registry.resolve().name == "embedded"


def test_a_gpu_that_is_too_small_is_told_with_what_it_takes_and_has(models: Path, gpus, monkeypatch):
    put(models / COMMUNITY.name)
    gpus(1, total=500, free=120)
    assert asked_for("extraction", engine="pyannote")
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    with pytest.raises(JobError) as refused:
        asked_for("extraction", engine="pyannote")
    needed = GPU_MEGABYTES["pyannote"] + OF_CUDA
    assert refused.value.code == "ENGINE_UNAVAILABLE"
    for part in (f"about {needed} MB", "has 500 MB", "120 MB are free", "SOLOIST_DEVICE=auto"):
        assert part in refused.value.message
    assert registry.resolve().name == "embedded"
    gpus(1, total=needed, free=0)  # of which a model that is kept warm may hold all
    assert asked_for("extraction", engine="pyannote")


def test_it_is_known_of_each_engine_with_weights_what_it_takes_of_a_gpu():
    assert set(GPU_MEGABYTES) | {"htdemucs-vocals"} == {name for model in MODELS.values() for name in model.engines}


def test_a_gpu_that_is_hidden_does_not_count(models: Path, gpus, monkeypatch: pytest.MonkeyPatch):
    gpus(1)
    put(models / COMMUNITY.name)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert registry.resolve().name == "embedded"


@pytest.fixture
def cached() -> Iterator[Path]:
    """Our model as the hub's library keeps it; the folder of its files."""
    repository = Path(constants.HF_HUB_CACHE) / f"models--{COMMUNITY.repository.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    put(repository / "snapshots" / REVISION)
    yield repository / "snapshots" / REVISION
    shutil.rmtree(repository)


def test_a_model_in_hugging_faces_cache_serves_where_it_is_complete(models: Path, cached: Path):
    stored = locate(COMMUNITY)
    assert stored
    assert (stored.folder, stored.revision) == (cached, REVISION)
    assert registry.resolve("pyannote")
    (cached / "plda" / "plda.npz").unlink()
    assert locate(COMMUNITY) is None


def test_what_a_named_engine_lacks_is_told_with_how_to_get_it(models: Path):
    with pytest.raises(EngineError) as refused:
        registry.resolve("pyannote")
    error = refused.value
    assert (error.code, error.permanent) == ("ENGINE_UNAVAILABLE", True)
    assert error.details["field"] == "engine"
    for part in ("The weights of", COMMUNITY.page, "HF_TOKEN", "manage.py models fetch pyannote", "copy the folder"):
        assert part in error.message


@pytest.mark.parametrize(
    ("engine", "asked", "command"),
    [
        ("pyannote", "pyannote.diarizer", "pip install torch"),
        ("embedded", "embedded.packages", "pip install torch"),
        ("htdemucs", "demucs.splitter", "pip install demucs"),
        ("htdemucs-vocals", "demucs.splitter", "pip install demucs"),
        ("rnnoise", "rnnoise.library", "pip install --no-deps pyrnnoise==0.4.5"),
    ],
)
def test_a_package_that_is_not_installed_is_told_with_the_command(
    engine: str, asked: str, command: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"audio_engine.backends.{asked}.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="not installed") as refused:
        registry.resolve(engine)
    assert refused.value.message.endswith(command)


def test_auto_does_without_what_cannot_be_fetched_and_asks_once(models: Path, gpus, token, caplog):
    gpus(1)
    registry.prepare()
    assert [record.message for record in caplog.records if "could not be fetched" in record.message]
    caplog.clear()
    registry.prepare()
    assert not caplog.records


def test_an_engine_is_only_for_its_own_tasks(scripted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ENGINES, "singer", f"{__name__}:Singer")
    assert registry.available("extraction") == {"scripted": None}
    assert registry.available("separation") == {"exemplars": None}
    assert registry.available() == {"scripted": None, "exemplars": None, "pauses": None, "singer": None}
    assert registry.resolve("auto", "singing").name == "singer"  # type: ignore[arg-type]
    assert registry.resolve("singer").name == "singer"
    with pytest.raises(EngineError) as refused:
        registry.resolve("singer", "diarization")
    assert refused.value.details == {"field": "engine", "allowed": ["auto", "scripted"]}


def test_a_named_engine_that_cannot_be_fetched_is_an_error(models: Path, token):
    with pytest.raises(EngineError, match="HF_HUB_OFFLINE forbids it"):
        registry.prepare("pyannote")


# --- kept warm, and not for ever


def test_models_stay_loaded_until_nobody_needs_them_for_a_while(scripted: str):
    first = registry.load(scripted)
    assert registry.load(scripted) is first
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    requests.put({"id": 1})
    assert server.next_request(requests, 0.2) == {"id": 1}
    assert registry.load(scripted) is first
    threading.Timer(0.6, requests.put, [{"id": 2}]).start()
    assert server.next_request(requests, 0.2) == {"id": 2}
    assert registry.load(scripted) is not first


def test_a_request_claims_only_what_it_asks_for_itself(scripted: str, sample: Path, tmp_path: Path):
    earlier = registry.load("exemplars")
    request = SpeakerRequest(sample, tmp_path, task="diarization", engine=scripted)
    run(request)
    asked_for_by_it = registry.backend(scripted)
    tried: list[str] = []

    def place() -> None:
        tried.append("")
        if len(tried) == 1:
            raise MemoryError

    registry.with_room(place, lambda _: True)
    assert len(tried) == 2
    assert registry.backend("exemplars") is not earlier
    assert registry.backend(scripted) is asked_for_by_it


def test_models_stay_loaded_where_no_idle_time_is_set(scripted: str):
    first = registry.load(scripted)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Timer(0.3, requests.put, [{"id": 1}]).start()
    assert server.next_request(requests, None) == {"id": 1}
    assert registry.load(scripted) is first

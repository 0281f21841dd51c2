"""From a folder to the network, and what is said where that does not work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from audio_engine import __main__ as command_line
from audio_engine import registry
from audio_engine.backends import devices
from audio_engine.backends.devices import WithinMemory
from audio_engine.backends.pixit import PixitSeparator, backend, loading
from audio_engine.backends.pixit.loading import StreamNetwork, load_network
from audio_engine.errors import EngineError
from audio_engine.models import MODELS
from jobs import options
from jobs.errors import JobError
from tests.audio_engine.pretended_gpu import pretended

SEPARATION, WAVLM = MODELS["separation-ami-1.0"], MODELS["wavlm-large"]
WEIGHTS = "separation-ami-1.0/pytorch_model.bin"


@pytest.fixture
def network(loaded: PixitSeparator) -> StreamNetwork:
    assert loaded._network
    return loaded._network


def test_the_network_gives_a_stream_for_each_voice_of_a_window(network: StreamNetwork):
    assert (network.samples, network.streams) == (32_000, 3)
    windows = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, (3, 32_000)).astype(np.float32))
    found = network(windows)
    assert (found.shape, found.dtype) == ((3, 3, 32_000), np.float32)
    assert np.isfinite(found).all()
    assert found.std() > 0
    alone = network(windows[1:2])
    assert np.allclose(alone[0], found[1], atol=1e-6)  # what shares its batch changes nothing


def test_it_computes_what_pyannote_computes(network: StreamNetwork):
    windows = torch.randn((1, 32_000), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        _, streams = network._network(windows[:, None])
    assert np.array_equal(network(windows)[0], streams[0].T.numpy())


def test_a_window_at_a_time_is_heard_where_memory_is_short(network: StreamNetwork, monkeypatch: pytest.MonkeyPatch):
    usual = network._network.forward

    def short_of_memory(waveforms: torch.Tensor) -> object:
        if len(waveforms) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return usual(waveforms)

    monkeypatch.setattr(network._network, "forward", short_of_memory)
    monkeypatch.setattr(network, "_within_memory", WithinMemory(network._forward))
    assert network(torch.zeros((4, 32_000))).shape == (4, 3, 32_000)


def test_weights_saved_by_older_libraries_load_too(models: Path):
    checkpoint = torch.load(models / WEIGHTS, weights_only=False)
    state = checkpoint["state_dict"]
    for number, name in ((0, "weight_g"), (1, "weight_v")):
        prefix = "wavlm.encoder.pos_conv_embed.conv"
        state[f"{prefix}.{name}"] = state.pop(f"{prefix}.parametrizations.weight.original{number}")
    torch.save(checkpoint, models / WEIGHTS)
    load_network(SEPARATION, WAVLM)


def test_the_model_that_is_asked_for_is_the_one_the_check_loads(models: Path, capsys: pytest.CaptureFixture[str]):
    assert command_line.main(["models", "check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "pixit: loads"
    assert command_line.main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert "separation-ami-1.0: here, " in listed
    assert "for pixit; MIT, conditions to accept at https://huggingface.co/pyannote/separation-ami-1.0" in listed
    assert "wavlm-large: here, 0.0 MB; for pixit; CC-BY-SA-3.0" in listed


# --- what is missing, told before any work


def test_models_that_are_not_here_are_told_with_how_to_get_them(models: Path):
    (models / WEIGHTS).unlink()
    missing = PixitSeparator().missing()
    assert missing
    for part in (SEPARATION.page, "HF_TOKEN", "manage.py models fetch pixit", "copy the folder separation-ami-1.0"):
        assert part in missing


def test_packages_that_are_not_here_are_told_with_the_commands(models: Path, monkeypatch: pytest.MonkeyPatch):
    usual = backend.find_spec
    monkeypatch.setattr(
        backend, "find_spec", lambda name: None if name in ("asteroid", "transformers") else usual(name)
    )
    assert PixitSeparator().missing() == (
        "Packages are not installed that it needs, transformers, asteroid: pip install 'transformers>=4.48.3'; "
        "pip install --no-deps asteroid==0.7.0"
    )


def test_a_job_that_names_it_where_it_cannot_run_is_refused_at_submission(models: Path):
    assert options.asked_for("extraction", separator="pixit").to_json()["separator"] == "pixit"
    (models / WEIGHTS).unlink()
    with pytest.raises(JobError) as refused:
        options.asked_for("extraction", separator="pixit")
    assert refused.value.code == "ENGINE_UNAVAILABLE"
    assert refused.value.details["field"] == "separator"
    assert "models fetch pixit" in refused.value.message
    assert options.asked_for("extraction").engines("extraction")["separator"] == ("auto", "separation")


def test_an_unknown_separator_is_refused_with_those_there_are(models: Path):
    with pytest.raises(JobError) as refused:
        options.asked_for("extraction", separator="embedded")
    assert refused.value.details == {"field": "separator", "rule": "must be one of auto, pixit, exemplars"}


def test_auto_takes_it_where_its_models_and_a_gpu_are(models: Path, monkeypatch: pytest.MonkeyPatch):
    assert registry.resolve("auto", "separation").name == "exemplars"
    monkeypatch.setattr(backend, "accelerator", lambda: "cuda")
    assert registry.resolve("auto", "separation").name == "pixit"
    (models / WEIGHTS).unlink()
    assert registry.resolve("auto", "separation").name == "exemplars"


# --- files that are here and are no such network


def refusal(match: str) -> None:
    with pytest.raises(EngineError, match=match) as refused:
        PixitSeparator().load()
    assert (refused.value.code, refused.value.permanent) == ("ENGINE_UNAVAILABLE", True)


def test_damaged_weights_are_told(models: Path):
    (models / WEIGHTS).write_bytes(b"no weights")
    refusal("separation-ami-1.0 on this machine cannot be loaded .*models check separation-ami-1.0")


def test_weights_of_another_shape_are_told(models: Path):
    shape = models / "wavlm-large" / "config.json"
    shape.write_text(json.dumps({**json.loads(shape.read_text()), "hidden_size": 64}))
    refusal("cannot be loaded")


def test_a_shape_that_is_none_is_told(models: Path):
    (models / "wavlm-large" / "config.json").write_text("{")
    refusal("cannot be loaded")


def test_another_network_is_told(models: Path):
    checkpoint = torch.load(models / WEIGHTS, weights_only=False)
    checkpoint["state_dict"] = {"encoder.weight": torch.zeros(2)}
    torch.save(checkpoint, models / WEIGHTS)
    refusal("cannot be loaded")


def test_a_package_that_cannot_be_imported_is_told(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["pyannote.audio.models.separation.ToTaToNet"], "ASTEROID_IS_AVAILABLE", False)
    refusal("'asteroid' must be installed")


def test_the_libraries_are_as_before_after_loading(network: StreamNetwork):
    from transformers import AutoModel

    assert sys.modules["pyannote.audio.models.separation.ToTaToNet"].AutoModel is AutoModel


def test_a_gpu_that_fails_is_done_without(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cuda"))
    assert load_network(SEPARATION, WAVLM).batch == loading.CPU_BATCH


def test_on_a_gpu_it_gives_what_it_gives_on_the_cpu(
    models: Path, network: StreamNetwork, monkeypatch: pytest.MonkeyPatch
):
    windows = torch.randn((3, 32_000), generator=torch.Generator().manual_seed(5)) / 10
    expected = network(windows)
    with pretended() as gpu:  # which refuses what mixes devices
        there = load_network(SEPARATION, WAVLM)
        assert there.batch == loading.GPU_BATCH
        rounded: list[bool] = []
        there._network.register_forward_pre_hook(lambda *_: rounded.append(torch.backends.cudnn.allow_tf32))
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
        gpu.reset()
        found = there(windows)
    assert rounded == [False]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (gpu.up, gpu.down) == (windows.nbytes, expected.nbytes)


@pytest.mark.parametrize(("free", "size"), [(64, 8), (6.25, 4), (0.1, 1)])  # MiB, four fifths of which may be taken
def test_batches_are_as_large_as_fits_into_the_memory_that_is_free(
    network: StreamNetwork, gpu_memory, monkeypatch: pytest.MonkeyPatch, free: float, size: int
):
    gpu_memory(free)
    monkeypatch.setattr(network._network, "to", lambda _: None)  # whose figures count from now on; it stays where it is
    mine = StreamNetwork(network._network)
    mine.place(torch.device("cuda"))
    assert mine.batch == size


def test_what_fits_is_found_by_halves_and_remembered(network: StreamNetwork, monkeypatch: pytest.MonkeyPatch):
    usual, tried = network._network.forward, []

    def small(waveforms: torch.Tensor) -> object:
        tried.append(len(waveforms))
        if len(waveforms) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return usual(waveforms)

    windows = torch.from_numpy(np.random.default_rng(6).normal(0, 0.1, (8, 32_000)).astype(np.float32))
    expected = network(windows)
    monkeypatch.setattr(network._network, "forward", small)
    mine = StreamNetwork(network._network)
    assert np.allclose(mine(windows), expected, atol=1e-6)
    mine(windows)
    assert tried == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]

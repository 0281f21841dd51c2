"""Our pyannote backend against pyannote.audio's own pipeline, on the same small weights."""

from __future__ import annotations

import gc
import hashlib
import socket
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pyannote.audio import Pipeline
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.telemetry import metrics
from pyannote.core import SlidingWindow, SlidingWindowFeature

from audio_engine.backends import devices
from audio_engine.backends import pyannote as backends
from audio_engine.backends.pyannote import loading, pipelines
from audio_engine.backends.pyannote.loading import configuration, load_pipeline
from audio_engine.errors import Canceled, EngineError
from audio_engine.memory import Samples
from audio_engine.models import MODELS
from audio_engine.progress import ignore_progress
from audio_engine.types import Diarization, SpeakerBounds, Stage, Turn
from audio_engine.voices import Voiceprint
from tests.audio_engine.pyannote import random_models

COMMUNITY = MODELS["speaker-diarization-community-1"]
Run = Callable[..., Diarization]
Batches = list[int]


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's processor is: float32 can be compared with pyannote.audio's."""
    monkeypatch.setattr(pipelines, "fast_bf16", lambda _: False)


def file_of(pcm: Samples) -> dict[str, Any]:
    return {"waveform": torch.from_numpy(pcm)[None], "sample_rate": 16_000, "uri": "recording"}


def own_output(models: Path, pcm: Samples, **bounds: int) -> Any:
    """What pyannote.audio's pipeline finds, loaded and run in its own ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Pipeline.from_pretrained(models / COMMUNITY.name)(file_of(pcm), **bounds)


def turns_of(annotation: Any, labels: list[str]) -> tuple[Turn, ...]:
    return tuple(
        Turn(segment.start, segment.end, labels.index(label))
        for segment, _, label in annotation.itertracks(yield_label=True)
    )


def first_come(annotation: Any) -> list[str]:
    return list(dict.fromkeys(label for _, _, label in annotation.itertracks(yield_label=True)))


class SameVoice:
    """Equal to a voiceprint of that direction, by the embedding network in `models`."""

    def __init__(self, models: Path, row: np.ndarray) -> None:
        weights = (models / COMMUNITY.name / "embedding" / "pytorch_model.bin").read_bytes()
        self.model = f"{COMMUNITY.name} {hashlib.sha256(weights).hexdigest()[:8]}"
        self.vector = pytest.approx(row / np.linalg.norm(row), abs=1e-4)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Voiceprint) and (other.model, other.vector) == (self.model, self.vector)


@pytest.mark.parametrize("make", [backends.exact, backends.fast])
@pytest.mark.parametrize("speakers", [None, 3])
def test_both_modes_find_what_pyannotes_own_pipeline_finds(models: Path, heard: Samples, run: Run, make, speakers):
    own = own_output(models, heard, **({"num_speakers": speakers} if speakers else {}))
    found = run(make(), SpeakerBounds(exact=speakers))
    labels = first_come(own.speaker_diarization)
    assert len(labels) == found.speakers == (speakers or 2)
    assert len(found.turns) > 20
    assert found.turns == turns_of(own.speaker_diarization, labels)
    assert found.exclusive == turns_of(own.exclusive_speaker_diarization, labels)
    rows = dict(zip(own.speaker_diarization.labels(), own.speaker_embeddings, strict=True))
    for label, voiceprint in zip(labels, found.voiceprints, strict=True):
        assert voiceprint == (SameVoice(models, rows[label]) if rows[label].any() else None)
    assert any(found.voiceprints)
    assert found.models == (COMMUNITY.name, f"pyannote.audio {backends.diarizer.version('pyannote.audio')}")


def test_each_window_and_speaker_has_the_same_embedding_in_both_modes(models: Path, heard: Samples):
    exact, fast = load_pipeline(COMMUNITY, "exact"), load_pipeline(COMMUNITY, "fast")
    file = file_of(heard)
    heard_by_exact, heard_by_fast = exact.get_segmentations(file), fast.get_segmentations(file)
    assert np.array_equal(heard_by_exact.data, heard_by_fast.data)
    heard_by_exact.data[3] = 0  # a window in which nobody speaks, and a speaker who says nothing in another
    heard_by_exact.data[5, :, 1] = 0
    for exclude_overlap in (True, False):
        slow = exact.get_embeddings(file, heard_by_exact, exclude_overlap)
        quick = fast.get_embeddings(file, heard_by_exact, exclude_overlap)
        assert np.abs(slow).max() > 1
        np.testing.assert_allclose(quick, slow, atol=1e-4)


def test_half_the_bits_turn_an_embedding_by_next_to_nothing(models: Path, heard: Samples, monkeypatch):
    pipeline, file = load_pipeline(COMMUNITY, "fast"), file_of(heard)
    activity = pipeline.get_segmentations(file)
    whole = pipeline.get_embeddings(file, activity)
    monkeypatch.setattr(pipelines, "fast_bf16", lambda _: True)
    computed, pooled = [], []
    network = pipeline._embedding.model_
    network.resnet.layer4.register_forward_hook(lambda _, __, frames: computed.append(frames.dtype))
    network.resnet.pool.register_forward_pre_hook(lambda _, given: pooled.append(given[0].dtype))
    half = pipeline.get_embeddings(file, activity)
    assert (set(computed), set(pooled)) == ({torch.bfloat16}, {torch.float32})
    assert not np.array_equal(half, whole)
    lengths = np.linalg.norm(half, axis=-1) * np.linalg.norm(whole, axis=-1)
    assert ((half * whole).sum(axis=-1) / lengths).min() > 0.999


def test_version_3_1_is_put_together_from_its_parts(models: Path, heard: Samples, run: Run):
    found = run(backends.version_3_1())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        configured = configuration(models / "speaker-diarization-3.1", SpeakerDiarization)
        own = Pipeline.from_pretrained(configured)(file_of(heard)).speaker_diarization
    labels = first_come(own)
    assert found.speakers == len(labels) > 1
    assert found.turns == turns_of(own, labels)
    assert [name.split()[0] for name in found.models] == [
        "speaker-diarization-3.1",
        "segmentation-3.0",
        "wespeaker-voxceleb-resnet34-LM",
        "pyannote.audio",
    ]


@pytest.mark.parametrize("make", [backends.exact, backends.fast, backends.version_3_1])
def test_more_speakers_than_there_is_speech_of_are_a_warning(models: Path, heard: Samples, tmp_path: Path, make):
    two_seconds = heard[: 2 * 16_000]
    found = make().diarize(two_seconds, SpeakerBounds(minimum=20), tmp_path, ignore_progress)
    assert 0 < found.speakers < 20
    assert found.warnings == (
        f"Only {found.speakers} of the 20 speakers asked for could be told apart in this recording.",
    )


def test_nobody_in_the_recording_is_no_error(own_models: Path, heard: Samples, run: Run):
    weights = own_models / COMMUNITY.name / "segmentation" / "pytorch_model.bin"
    weights.unlink()
    weights.parent.rmdir()
    random_models.segmentation(weights, heard, deaf=True)
    found = run(backends.fast())
    assert (found.turns, found.exclusive, found.speakers, found.voiceprints) == ((), (), 0, ())


def test_a_recording_on_the_disk_is_read_from_there(models: Path, heard: Samples, run: Run, tmp_path: Path):
    heard.tofile(tmp_path / "mono.f32")
    mapped = np.memmap(tmp_path / "mono.f32", dtype=np.float32, mode="r")
    backend = backends.fast()
    assert backend.diarize(mapped, SpeakerBounds(), tmp_path, ignore_progress) == run(backend)


def test_clusters_of_a_long_recording_are_found_on_a_sample_of_it(models: Path, heard: Samples, monkeypatch):
    pipeline = load_pipeline(COMMUNITY, "fast")
    seen: list[int] = []
    plda = pipeline.clustering.plda
    monkeypatch.setattr(pipeline.clustering, "plda", Spy(plda, seen))
    assert pipeline.clustering.most == 8_000
    whole = pipeline.run(heard, 16_000, SpeakerBounds(), None)
    pipeline.clustering.most = 12
    sampled = pipeline.run(heard, 16_000, SpeakerBounds(), None)
    assert seen[0] > 12
    assert seen[1] == 12
    extents = [output.speaker_diarization.get_timeline().support().duration() for output in (whole, sampled)]
    assert extents[0] == pytest.approx(extents[1])  # who speaks may change, not when


def test_clustering_takes_no_memory_for_pairs_of_windows(models: Path):
    random = np.random.default_rng(4)
    voices = random.normal(size=(2, 32))
    embeddings = (voices[:, None] + 0.1 * random.normal(size=(2, 6_000, 32))).swapaxes(0, 1).astype(np.float32)
    activity = np.zeros((6_000, 20, 2), dtype=np.float32)
    activity[:, :10, 0] = activity[:, 10:, 1] = 1  # one after the other
    segmentations = SlidingWindowFeature(activity, SlidingWindow(start=0, duration=2, step=0.2))
    clustering = load_pipeline(COMMUNITY, "fast").clustering
    clustering.most = 300
    tracemalloc.start()
    try:
        clusters, _, _ = clustering(embeddings, segmentations)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 << 20  # the pairs of 12,000 embeddings would take 576 MB
    assert (clusters == clusters[0]).all()
    assert set(clusters[0]) == {0, 1}


class Spy:
    """A PLDA that notes how many embeddings it is given."""

    def __init__(self, plda: Any, seen: list[int]) -> None:
        self.plda, self.seen, self.phi = plda, seen, plda.phi

    def __call__(self, embeddings: Any) -> Any:
        self.seen.append(len(embeddings))
        return self.plda(embeddings)


# --- running


def test_progress_never_falls_and_ends_at_one(models: Path, run: Run):
    reports: list[tuple[Stage, float]] = []
    run(backends.fast(), progress=lambda stage, fraction: reports.append((stage, fraction)))
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert list(dict.fromkeys(stage for stage, _ in reports)) == ["activity", "embedding", "resegmentation"]
    assert len(reports) > 6


@pytest.mark.parametrize("make", [backends.exact, backends.fast])
@pytest.mark.parametrize("at", ["activity", "embedding"])
def test_a_cancel_passes_through(models: Path, run: Run, make, at: Stage):
    def cancel(stage: Stage, fraction: float) -> None:
        if stage == at:
            raise Canceled

    with pytest.raises(Canceled):
        run(make(), progress=cancel)


def test_neither_loading_nor_running_uses_the_network(models: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    called: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        called.append(address)
        raise OSError("nobody may be called")

    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "1")
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert run(backends.version_3_1()).turns
    assert run(backends.fast()).turns
    assert run(backends.shared()).turns
    metrics.provider.force_flush()  # what would otherwise be sent later, by another thread
    assert not called


# --- memory


@pytest.fixture
def small_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Batches]:
    """Has the networks' convolutions run out of memory above so many windows; returns the batches that were tried."""

    def limit(most: int) -> Batches:
        tried: Batches = []
        for name in ("conv1d", "conv2d"):
            real = getattr(torch.nn.functional, name)

            def convolve(inputs: torch.Tensor, *args: Any, real: Any = real, **options: Any) -> torch.Tensor:
                tried.append(len(inputs))
                if len(inputs) > most:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
                return real(inputs, *args, **options)

            monkeypatch.setattr(torch.nn.functional, name, convolve)
        return tried

    return limit


@pytest.mark.parametrize(("exact", "most"), [(True, 8), (False, 1)])
def test_less_memory_than_a_batch_needs_means_smaller_batches(models: Path, heard: Samples, small_gpu, exact, most):
    pipelines = [load_pipeline(COMMUNITY, "exact" if exact else "fast") for _ in range(2)]
    if not exact:
        for pipeline in pipelines:
            pipeline.segmentation_batch_size = pipeline.embedding_batch_size = 4
    unhurried = pipelines[0].run(heard, 16_000, SpeakerBounds(), None)
    tried = small_gpu(most)
    hurried = pipelines[1].run(heard, 16_000, SpeakerBounds(), None)
    assert hurried.speaker_diarization == unhurried.speaker_diarization
    assert hurried.exclusive_speaker_diarization == unhurried.exclusive_speaker_diarization
    assert 0 < sum(size > most for size in tried) <= 6  # once for each size and network, not once for each batch
    assert tried.count(most) > 10


def test_too_little_memory_for_one_window_is_told(models: Path, run: Run, small_gpu):
    backend = backends.fast()
    backend.load()
    small_gpu(0)
    with pytest.raises(EngineError, match="memory is too small") as refused:
        run(backend)
    assert (refused.value.code, refused.value.permanent) == ("OUT_OF_MEMORY", False)


@pytest.mark.parametrize(
    ("free", "size"),
    [(64, 32), (24, 16), (9.9, 4), (2, 1), (0.1, 1)],  # MiB, four fifths of which may be taken
)
def test_batches_are_as_large_as_fits_into_the_memory_that_is_free(
    models: Path, heard: Samples, small_gpu, gpu_memory, free: float, size: int
):
    pipeline = load_pipeline(COMMUNITY, "fast")
    unhurried = pipeline.run(heard, 16_000, SpeakerBounds(), None)
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = 32
    gpu_memory(free)
    pipeline.device = torch.device("cuda")  # whose figures count from now on; the networks stay where they are
    pipeline.try_networks()
    pipeline.device = torch.device("cpu")
    tried = small_gpu(32)
    crowded = pipeline.run(heard, 16_000, SpeakerBounds(), None)
    assert set(tried) == {size}
    assert crowded.speaker_diarization == unhurried.speaker_diarization


def test_a_gpu_that_fails_is_done_without(models: Path, heard: Samples, monkeypatch: pytest.MonkeyPatch, caplog):
    usual = load_pipeline(COMMUNITY, "fast").run(heard, 16_000, SpeakerBounds(), None)
    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cuda:99"))
    pipeline = load_pipeline(COMMUNITY, "fast")
    assert "cuda:99 cannot be used, so the CPU is" in caplog.text
    assert (pipeline.segmentation_batch_size, pipeline.embedding_batch_size) == loading.CPU_BATCHES
    found = pipeline.run(heard, 16_000, SpeakerBounds(), None)
    assert found.speaker_diarization == usual.speaker_diarization


@pytest.mark.parametrize("make", [backends.exact, backends.fast])
def test_what_is_kept_of_a_gpus_memory_is_handed_back_after_a_run(models: Path, run: Run, monkeypatch, make):
    given_back: list[str] = []
    reached = ""

    def cancel(stage: Stage, _: float) -> None:
        nonlocal reached
        reached = stage
        if stage == "embedding":
            raise Canceled

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(reached))
    with pytest.raises(Canceled):
        run(make(), progress=cancel)
    assert given_back == ["embedding"]


def test_the_networks_see_batches_of_one_shape(models: Path, heard: Samples, small_gpu):
    pipeline = load_pipeline(COMMUNITY, "fast")
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = 4
    tried = small_gpu(32)
    pipeline.run(heard, 16_000, SpeakerBounds(), None)
    assert len(tried) > 20
    assert set(tried) == {4}


# --- failures to load


def damage_weights(folder: Path) -> None:
    weights = folder / "embedding" / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:1000])


def other_architecture(folder: Path) -> None:
    weights = folder / "embedding" / "pytorch_model.bin"
    checkpoint = torch.load(weights, weights_only=False)
    del checkpoint["state_dict"]["resnet.seg_1.weight"]
    torch.save(checkpoint, weights)


def newer_pyannote(folder: Path) -> None:
    written = yaml.safe_load((folder / "config.yaml").read_text())
    written["dependencies"]["pyannote.audio"] = "9.0.0"
    (folder / "config.yaml").write_text(yaml.safe_dump(written))


def not_yaml(folder: Path) -> None:
    (folder / "config.yaml").write_text("{")


def empty_configuration(folder: Path) -> None:
    (folder / "config.yaml").write_text("")


def damaged_plda(folder: Path) -> None:
    (folder / "plda" / "plda.npz").write_bytes(b"PK")


@pytest.mark.parametrize(
    "damage", [damage_weights, other_architecture, newer_pyannote, not_yaml, empty_configuration, damaged_plda]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy's files, open as it fails
def test_files_that_cannot_be_loaded_are_told_with_what_to_do(own_models: Path, damage: Callable[[Path], None]):
    damage(own_models / COMMUNITY.name)
    with pytest.raises(EngineError, match="models check speaker-diarization-community-1") as refused:
        backends.fast().load()
    assert refused.value.code == "ENGINE_UNAVAILABLE"
    assert str(own_models) not in refused.value.message  # it reaches users
    del refused
    gc.collect()

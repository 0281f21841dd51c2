"""Our Whisper backend against faster-whisper's own call, on the same small weights."""

from __future__ import annotations

import ctypes
import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.transcribe import Segment

from audio_engine.__main__ import main
from audio_engine.backends import whisper as backends
from audio_engine.backends.whisper import loading, transcriber
from audio_engine.backends.whisper.transcriber import WhisperTranscriber
from audio_engine.errors import Canceled, EngineError
from audio_engine.memory import Samples
from audio_engine.models import MODELS
from audio_engine.progress import ignore_progress
from audio_engine.transcription.languages import LANGUAGES, language_code
from audio_engine.types import Stage
from tests.audio_engine.resident import mapped

from .conftest import NAME

SECONDS = 30.0
WINDOWS = [(0.0, 7.25), (8.0, 14.5), (15.0, 22.0), (22.5, 30.0)]


@pytest.fixture
def backend(whisper_models: Path) -> WhisperTranscriber:
    return backends.large_v3_turbo()


def own_segments(models: Path, pcm: Samples, language: str | None) -> tuple[list[Segment], Any]:
    """What faster-whisper finds, loaded and run in its own ways."""
    pipeline = BatchedInferencePipeline(WhisperModel(str(models / NAME), device="cpu", compute_type="int8"))
    segments, info = pipeline.transcribe(
        pcm,
        language=language,
        word_timestamps=True,
        clip_timestamps=[{"start": start, "end": end} for start, end in WINDOWS],
        batch_size=loading.CPU_BATCH,
        language_detection_segments=transcriber.LANGUAGE_WINDOWS,
    )
    return list(segments), info


@pytest.mark.parametrize("language", ["", "en"])
def test_words_times_and_language_are_faster_whispers_own(backend, whisper_models, heard, language):
    expected, info = own_segments(whisper_models, heard, language or None)
    found = backend.transcribe(heard, WINDOWS, language, ignore_progress)
    words = [word for segment in expected for word in segment.words or ()]
    assert len(words) > 20
    assert len({word.word for word in words}) > 5  # it listens: not one word over and over
    assert [(word.start, word.end, word.text, word.probability) for word in found.words] == [
        (min(word.start, SECONDS), min(word.end, SECONDS), word.word, pytest.approx(word.probability)) for word in words
    ]
    assert found.language == info.language
    assert found.language_probability == (None if language else pytest.approx(info.language_probability))


def test_long_recordings_are_heard_in_pieces_to_the_same_end(backend, heard, monkeypatch):
    at_once = backend.transcribe(heard, WINDOWS, "en", ignore_progress)
    monkeypatch.setattr(transcriber, "WINDOWS_A_PIECE", 1)
    in_pieces = backend.transcribe(heard, WINDOWS, "en", ignore_progress)
    assert [word.text for word in in_pieces.words] == [word.text for word in at_once.words]
    assert [word.start for word in in_pieces.words] == pytest.approx([word.start for word in at_once.words], abs=0.03)


def test_progress_rises_to_the_end_and_may_cancel(backend, heard):
    told: list[tuple[Stage, float]] = []
    backend.transcribe(heard, WINDOWS, "en", lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert {stage for stage, _ in told} == {"transcription"}

    def cancel(stage: Stage, fraction: float) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        backend.transcribe(heard, WINDOWS, "en", cancel)


def test_silence_has_no_words(backend, heard):
    found = backend.transcribe(heard, [], "", ignore_progress)
    assert (found.words, found.language) == ((), "")


def test_it_says_which_model_heard_the_words(backend, heard):
    assert [name.split()[0] for name in backend.transcribe(heard, [], "", ignore_progress).models] == [
        NAME,
        "faster-whisper",
    ]


def test_out_of_memory_goes_on_with_smaller_batches(backend, heard, monkeypatch):
    expected = backend.transcribe(heard, WINDOWS, "en", ignore_progress)
    forward, sizes = BatchedInferencePipeline.forward, []

    def small(self: Any, features: Any, *args: Any) -> Any:
        sizes.append(len(features))
        if len(features) > 1:
            raise RuntimeError("CUDA failed with error out of memory")
        return forward(self, features, *args)

    monkeypatch.setattr(BatchedInferencePipeline, "forward", small)
    found = backend.transcribe(heard, WINDOWS, "en", ignore_progress)
    assert [word.text for word in found.words] == [word.text for word in expected.words]
    assert sizes == [4, 2, 1, 1, 1, 1]


def test_too_little_memory_for_one_window_is_said(backend, heard, monkeypatch):
    def never(*_: Any) -> Any:
        raise RuntimeError("CUDA failed with error out of memory")

    backend.load()
    monkeypatch.setattr(BatchedInferencePipeline, "forward", never)
    with pytest.raises(EngineError) as failed:
        backend.transcribe(heard, WINDOWS, "en", ignore_progress)
    assert (failed.value.code, failed.value.permanent) == ("OUT_OF_MEMORY", False)


def test_a_gpu_that_does_not_work_leaves_the_cpu(backend, heard, monkeypatch, caplog):
    monkeypatch.setattr(loading.ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(loading.ctranslate2, "get_supported_compute_types", lambda _: {"float32", "int8"})
    backend.load()
    assert "so the CPU is" in caplog.text
    assert backend.transcribe(heard, WINDOWS, "en", ignore_progress).words


@pytest.mark.parametrize(
    (
        "free",
        "size",
    ),  # megabytes after a window of 100; four fifths may be taken, and that one's place is there already
    [(80_000, 16), (1_900, 16), (1_800, 8), (400, 4), (100, 1), (0, 1)],
)
def test_batches_are_as_large_as_fits_into_the_gpus_memory(whisper_models, gpus, monkeypatch, free, size):
    """On a GPU that is the CPU, and of which a window takes 100 MB."""
    real, hear = WhisperModel, loading._try
    gpus(1, total=80_000, free=free + 100)
    monkeypatch.setattr(loading.ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(loading.ctranslate2, "get_supported_compute_types", lambda _: {"float32"})
    monkeypatch.setattr(loading, "WhisperModel", lambda *args, **options: real(*args, **options | {"device": "cpu"}))

    def hear_on_gpu(pipeline: Any) -> None:
        hear(pipeline)
        gpus(1, total=80_000, free=free)

    monkeypatch.setattr(loading, "_try", hear_on_gpu)
    _, batch = loading.load_pipeline(MODELS[NAME])
    assert batch == size


def test_with_nothing_but_a_gpu_allowed_it_is_said_why_that_fails(backend, gpus, monkeypatch):
    gpus(1, total=8_000, free=300)
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    with pytest.raises(EngineError, match=r"CTranslate2 finds none\. It has 8,000 MB of memory, 300 MB") as refused:
        backend.load()
    assert (refused.value.code, refused.value.permanent) == ("ENGINE_UNAVAILABLE", True)
    monkeypatch.setattr(loading.ctranslate2, "get_cuda_device_count", lambda: 1)

    def crowded(*_: Any, **__: Any) -> Any:
        raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr(loading, "WhisperModel", crowded)
    monkeypatch.setattr(loading.ctranslate2, "get_supported_compute_types", lambda _: {"float32"})
    with pytest.raises(EngineError, match="out of memory") as failed:
        backend.load()
    assert (failed.value.code, failed.value.permanent) == ("OUT_OF_MEMORY", False)


def test_cudas_libraries_are_loaded_from_nvidias_packages(tmp_path, monkeypatch):
    for name in ("libcublas.so.12", "libcublasLt.so.12", "libcublas.so.13"):
        (tmp_path / "nvidia" / "cublas" / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nvidia" / "cublas" / "lib" / name).touch()
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path / "nvidia")])
    monkeypatch.setattr(loading, "find_spec", lambda _: package)
    loaded = []
    monkeypatch.setattr(loading.ctypes, "CDLL", lambda path, mode: loaded.append((Path(path).name, mode)))
    loading._preload(loading.CUDA_LIBRARIES)
    assert loaded == [(name, ctypes.RTLD_GLOBAL) for name in ("libcublasLt.so.12", "libcublas.so.12")]


def test_it_never_uses_the_network(backend, heard, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert backend.transcribe(heard, WINDOWS, "", ignore_progress).words


def test_no_more_than_a_piece_is_in_memory(backend, monkeypatch):
    """The features of a day's windows would take 4 GB."""
    backend.load()
    sizes = []

    def watch(self: Any, features: Any, *args: Any) -> Any:
        sizes.append(features.nbytes)
        return iter(())

    monkeypatch.setattr(BatchedInferencePipeline, "_batched_segments_generator", watch)
    count = transcriber.WINDOWS_A_PIECE + 8
    pcm = np.broadcast_to(np.float32(0.1), (count * 30 * 16_000,))
    backend.transcribe(pcm, [(30.0 * n, 30.0 * n + 29.0) for n in range(count)], "en", ignore_progress)
    assert len(sizes) == 2
    assert max(sizes) < 50e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_of_a_recording_on_the_disk_no_more_than_a_piece_stays_in_memory(backend, tmp_path, monkeypatch):
    backend.load()
    monkeypatch.setattr(BatchedInferencePipeline, "_batched_segments_generator", lambda *_: iter(()))
    monkeypatch.setattr(transcriber, "WINDOWS_A_PIECE", 2)
    (tmp_path / "pcm").write_bytes(bytes(12 * 30 * 16_000 * 4))
    pcm = np.memmap(tmp_path / "pcm", np.float32, "r")
    before = mapped()
    backend.transcribe(pcm, [(30.0 * n, 30.0 * n + 29.0) for n in range(12)], "en", ignore_progress)
    assert mapped() - before < 4 << 10  # of 23 MB


# --- what may be missing


def test_without_weights_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path))
    missing = backends.small().missing()
    assert missing is not None
    assert "Systran/faster-whisper-small (486 MB)" in missing
    assert "manage.py models fetch whisper-small" in missing
    with pytest.raises(EngineError) as refused:
        backends.small().load()
    assert refused.value.code == "ENGINE_UNAVAILABLE"


def test_without_the_package_it_says_how_to_get_it(backend, monkeypatch):
    monkeypatch.setattr(transcriber, "find_spec", lambda _: None)
    assert backend.missing() == "The package faster-whisper is not installed: pip install 'faster-whisper==1.2.*'"


@pytest.mark.parametrize("file", ["model.bin", "tokenizer.json"])
def test_damaged_files_are_named_with_the_remedy(tiny_whisper, tmp_path, monkeypatch, file):
    shutil.copytree(tiny_whisper, tmp_path / "models")
    (tmp_path / "models" / NAME / file).write_bytes(b"damaged")
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(tmp_path / "models"))
    with pytest.raises(EngineError) as refused:
        backends.large_v3_turbo().load()
    assert refused.value.code == "ENGINE_UNAVAILABLE"
    assert f"models fetch {NAME}" in refused.value.message


def test_models_are_listed_with_size_and_licence_and_checked(backend, tmp_path, capsys):
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert f"{NAME}: here, " in listed
    assert "whisper-small: not here, 486 MB to fetch; for whisper-small; MIT" in listed
    assert main(["models", "check", NAME]) == 0
    assert f"{NAME}: loads" in capsys.readouterr().out


# --- languages


def test_the_languages_are_whispers():
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(_LANGUAGE_CODES) == LANGUAGES


@pytest.mark.parametrize(
    ("tag", "code"), [("en", "en"), ("en-US", "en"), (" PT_br", "pt"), ("jv", "jw"), ("tlh", None), ("", None)]
)
def test_language_tags_lead_to_whispers_codes(tag, code):
    assert language_code(tag) == code

"""No engine calls anybody while it loads its models and works, and each says which they were; pyannote's and Whisper's
have tests of their own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub.constants
import pytest
import soundfile

from audio_engine import registry
from audio_engine.backends.demucs import cleaner
from audio_engine.music import StemsRequest
from audio_engine.pipeline import run
from audio_engine.sound import DenoisingRequest
from audio_engine.types import Request, SpeakerRequest
from tests.audio_engine import scripted as scripted_engines

SECONDS = 4
WORK: dict[str, Callable[[Path, Path], Request]] = {
    "embedded": lambda source, out: SpeakerRequest(source, out, engine="embedded", voiceprints=True),
    "exemplars": lambda source, out: SpeakerRequest(source, out, engine="scripted", separator="exemplars"),
    "pixit": lambda source, out: SpeakerRequest(source, out, engine="scripted", separator="pixit"),
    "pauses": lambda source, out: SpeakerRequest(source, out, engine="scripted", clean_background=True),
    "htdemucs-vocals": lambda source, out: SpeakerRequest(
        source, out, engine="scripted", clean_background=True, cleaner="htdemucs-vocals"
    ),
    "rnnoise": lambda source, out: DenoisingRequest(source, out, engine="rnnoise"),
    "spectral": lambda source, out: DenoisingRequest(source, out, engine="spectral"),
    "htdemucs": lambda source, out: StemsRequest(source, out, engine="htdemucs"),
    "basic": lambda source, out: StemsRequest(source, out, engine="basic"),
}

MODELS = {  # what the name and version of one of them starts with
    "embedded": "silero-vad ",
    "pixit": "separation-ami-1.0",
    "htdemucs-vocals": "htdemucs",
    "rnnoise": "pyrnnoise ",
    "htdemucs": "htdemucs",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small networks of random weights."""
    from tests.audio_engine.demucs import tiny

    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder / "htdemucs", "htdemucs")
    if find_spec("transformers") and find_spec("asteroid"):
        from tests.audio_engine.pixit import random_pixit

        random_pixit.pixit(folder)
    return folder


@pytest.fixture
def called(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Whom anybody has tried to reach, in a process that has just started and may."""
    addresses: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        addresses.append(address)
        raise OSError("nobody may be called")

    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(models))
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(registry, "ENGINES", {**registry.ENGINES, "scripted": scripted_engines.PATH})
    monkeypatch.setattr(cleaner, "pieces_with_music", lambda *_: frozenset({0}))  # or its network is not asked
    registry.unload()
    yield addresses
    registry.unload()


@pytest.mark.parametrize("engine", WORK)
def test_nobody_is_called_and_the_result_says_which_models_worked(
    engine: str, called: list[object], sample: Path, tmp_path: Path
) -> None:
    if missing := registry.available()[engine]:
        pytest.skip(missing)
    talk, rate = soundfile.read(sample, frames=SECONDS * 16_000)
    soundfile.write(tmp_path / "talk.wav", talk, rate)
    result = run(WORK[engine](tmp_path / "talk.wav", tmp_path / "out"))
    assert engine in (result.engine, getattr(result, "separator", ""), getattr(result, "cleaner", ""))
    if engine in MODELS:
        assert [model for model in result.models if model.startswith(MODELS[engine])]
    assert not called


def test_whoever_calls_is_heard_of(called: list[object]) -> None:
    with pytest.raises(Exception, match="nobody may be called"):
        huggingface_hub.HfApi().model_info("nobody/nothing")
    assert called

"""No list, of any surface, asks the database more often the more it holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import APIKey, User
from jobs import files, lifecycle, webhooks
from jobs.models import Track, Voiceprint
from jobs.options import DenoisingOptions, DialogueOptions, SpeakerOptions, StemsOptions, TranscriptionOptions
from tests.api.programs import result
from tests.compat.programs import VendorProgram

LISTS = [
    "/api/v1/jobs",
    "/api/v1/speaker/jobs",
    "/api/v1/transcription/jobs",
    "/api/v1/denoiser/jobs",
    "/api/v1/stem-extraction/jobs",
    "/api/v1/voiceprints",
    "/api/v1/webhooks/endpoints",
    "/api/v1/webhooks/deliveries",
    "/api/v1/credits/usage",
    "/api/v1/api-wallet/usage",
    "/api/v1/auth/api-keys",
    "/pyannoteai/v1/jobs",
    "/pyannoteai/v2/jobs",
    "/timbr/v1/jobs",
]
SURFACES = {"diarization": "pyannoteai", "dialogue": "timbr", "denoising": "timbr"}
SOUND = {"noise_db": None, "loudness_lufs": None, "peak": 0.5}
OPTIONS = {
    "extraction": SpeakerOptions(),
    "diarization": SpeakerOptions(voiceprints=True),
    "transcription": TranscriptionOptions(),
    "dialogue": DialogueOptions(),
    "denoising": DenoisingOptions(),
    "stems": StemsOptions(engine="basic", stems=("vocals",)),
}
FOUND = {
    "transcription": {"language": "en", "language_probability": None, "sentences": 0, "words": 0},
    "dialogue": {"speech_seconds": 1.0},
    "denoising": {"noise_reduction_db": 3.0, "before": SOUND, "after": SOUND},
    "stems": {"stems": [{"stem": "vocals", "rms_db": -20.0, "peak": 0.5}]},
}
NAMES = {"extraction": "speaker_0", "dialogue": "speech", "denoising": "denoised", "stems": "vocals"}


@pytest.fixture
def add(alice: User, media, recording) -> Callable[[], None]:
    """One more of everything that is listed."""
    numbers = count(1)

    def add() -> None:
        number = next(numbers)
        APIKey.issue(alice, "another")
        endpoint = webhooks.create(alice, f"https://example.org/{number}", ["job.failed"])
        webhooks.test(endpoint)
        for task, options in OPTIONS.items():
            surface = lifecycle.Surface(SURFACES[task], {}) if task in SURFACES else None
            job = lifecycle.submit(media, task, options, **({"surface": surface} if surface else {}))
            running = lifecycle.claim("engine", "tests")
            assert running == job
            name = f"{NAMES.get(task, task)}.wav"
            kept = files.store(recording, running.folder() / name)
            found = {**result("diarization", media), **FOUND.get(task, {})}
            lifecycle.succeed(running, found, [lifecycle.StoredFile(Track.Kind.AUDIO, kept, 96_044)])
        Voiceprint.objects.create(owner=alice, name=f"Voice {number}", job=job, model="scripted 1", engine="embedded")

    return add


@pytest.mark.parametrize("address", LISTS)
def test_a_list_of_more_takes_no_more_queries(address, alice, add):
    prefix, _, path = address.rpartition("/")
    program = VendorProgram(prefix, f"Bearer {APIKey.issue(alice, 'tests')[1]}")

    def asked() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            answer = program.send("get", path)
        assert answer.status_code == 200, answer.content
        return len(queries), len(answer.content)

    add()
    asked()  # which notes the key's use
    few, short = asked()
    for _ in range(3):
        add()
    many, long = asked()
    assert long > short
    assert many == few

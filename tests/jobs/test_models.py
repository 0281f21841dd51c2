"""Models that no package ships: the worker fetches them, the engine gets no token and no network."""

from __future__ import annotations

import pytest

from accounts import ledger
from jobs import ingest, lifecycle, tasks, worker
from jobs.models import Job
from jobs.options import SpeakerOptions

pytestmark = pytest.mark.django_db(transaction=True)


def test_models_that_cannot_be_fetched_fail_the_job_that_asked_for_them(alice, media, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    monkeypatch.delenv("HF_HUB_OFFLINE")  # the library has read it before and still obeys
    before = ledger.available(alice)
    job = lifecycle.submit(media, "extraction", SpeakerOptions(engine="pyannote"))
    tasks.work_engine()
    failed = Job.objects.get(pk=job.pk)
    assert (failed.status, failed.error_code) == (Job.Status.FAILED, "ENGINE_UNAVAILABLE")
    assert "could not be fetched" in failed.error_message
    assert not worker._engine.running
    assert ledger.available(alice) == before


def test_the_engine_gets_the_models_folder_the_device_and_no_token(monkeypatch, settings):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    settings.DEVICE = "gpu"
    environment = ingest.environment(threads=2)
    assert environment["SOLOIST_MODELS_DIR"] == str(settings.MODELS_DIR)
    assert environment["SOLOIST_DEVICE"] == "gpu"
    assert "hf_secret" not in environment.values()

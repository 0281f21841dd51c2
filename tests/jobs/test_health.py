"""The probes say what is true, to whoever asks and by whatever name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from jobs import lifecycle
from jobs.models import Job
from jobs.options import SpeakerOptions

pytestmark = pytest.mark.django_db


def test_probes_answer_under_any_host_name_and_without_https(client, settings):
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["soloist.example.org"]
    for probe in ("/healthz", "/readyz"):
        answer = client.get(probe, headers={"host": "10.0.0.7:8000"})
        assert (answer.status_code, answer.json()) == (200, {"ok": True, "problems": []})


def test_a_database_that_does_not_answer_is_told(client, monkeypatch):
    def refuse() -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["The database does not answer."])


def test_missing_migrations_are_told_where_only_readiness_is_asked(client):
    MigrationRecorder.Migration.objects.filter(app="jobs").delete()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "migrate" in answer.json()["problems"][0]


def test_work_that_nobody_takes_makes_the_service_unready(client, media):
    job = lifecycle.submit(media, "extraction", SpeakerOptions())
    assert client.get("/readyz").status_code == 200
    Job.objects.filter(pk=job.pk).update(queued_at=timezone.now() - timedelta(minutes=3))
    assert "engine" in client.get("/readyz").json()["problems"][0]
    lifecycle.claim("engine", "worker-1")
    assert client.get("/readyz").status_code == 200

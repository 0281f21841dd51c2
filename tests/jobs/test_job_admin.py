"""What staff can do with jobs and what they cannot, through the pages they use."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.urls import reverse

from accounts import ledger
from accounts.models import User
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job, JobEvent, Track
from jobs.options import SpeakerOptions

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, charlie):
    client.force_login(charlie)
    return client


@pytest.fixture
def job(media) -> Job:
    return lifecycle.submit(media, "extraction", SpeakerOptions())


@pytest.fixture
def running(job) -> Job:
    claimed = lifecycle.claim("engine", "worker-1")
    assert claimed
    return claimed


@pytest.fixture
def failed(running) -> Job:
    return lifecycle.fail(running, JobError("PROCESSING_FAILED", "Nobody speaks in this recording."))


def operate(client, action: str, job: Job, **fields: Any) -> str:
    fields |= {"action": action, "_selected_action": job.pk, "index": 0}
    return client.post(reverse("admin:jobs_job_changelist"), fields, follow=True).content.decode()


def text(client, view: str, *args: Any) -> str:
    page = client.get(reverse(view, args=args))
    assert page.status_code == 200
    return page.content.decode()


def logged(user: User) -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.filter(user=user).order_by("pk")]


def test_failed_jobs_come_first(staff, media, failed):
    newer = lifecycle.submit(media, "diarization", SpeakerOptions())
    shown = staff.get(reverse("admin:jobs_job_changelist")).context["cl"].result_list
    assert [job.pk for job in shown] == [failed.pk, newer.pk]


def test_a_failed_job_that_was_retried_does_not_stay_on_top(staff, failed):
    again = lifecycle.retry(failed)
    shown = staff.get(reverse("admin:jobs_job_changelist")).context["cl"].result_list
    assert [job.pk for job in shown] == [again.pk, failed.pk]


def test_the_line_above_the_list_counts_jobs_and_workers(staff, media, running):
    lifecycle.submit(media, "extraction", SpeakerOptions())
    page = text(staff, "admin:jobs_job_changelist")
    board = re.sub(r"<[^>]*>|\s+", " ", page.split('<p id="board">')[1].split("</p>")[0])
    assert "running 1" in board
    assert "queued 1" in board
    assert "1 worker at work" in board


@pytest.mark.parametrize("term", ["number", "uuid", "name", "owner"])
def test_a_job_is_found_by_what_a_user_would_quote(staff, job, media, term):
    quoted = {"number": job.number, "uuid": job.uuid, "name": job.name, "owner": job.owner.email}[term]
    found = staff.get(reverse("admin:jobs_job_changelist"), {"q": str(quoted)}).context["cl"].result_list
    assert list(found) == [job]


@pytest.mark.parametrize(
    "lookup", ["status__exact=queued", "task__exact=extraction", "error_code=", "owner__id__exact={}"]
)
def test_jobs_are_filtered(staff, job, bob, lookup):
    address = reverse("admin:jobs_job_changelist") + "?"
    assert list(staff.get(address + lookup.format(job.owner.pk)).context["cl"].result_list) == [job]
    assert not staff.get(address + "owner__id__exact=" + str(bob.pk)).context["cl"].result_list


def test_a_long_name_leaves_room_for_the_other_columns(staff, job):
    Job.objects.filter(pk=job.pk).update(name="L" * 250)
    assert f">{'L' * 59}…</a>" in text(staff, "admin:jobs_job_changelist")


def test_a_jobs_page_shows_its_error_and_its_history(staff, failed):
    page = text(staff, "admin:jobs_job_change", failed.pk)
    assert "Nobody speaks in this recording." in page
    assert "PROCESSING_FAILED" in page
    assert "3.0 s, pcm_s16le" in page
    assert page.count("status running") == 1


def test_a_finished_jobs_page_lists_its_files(staff, running):
    file = lifecycle.StoredFile(Track.Kind.AUDIO, f"{running.folder()}/speaker_0.wav", 96_044, 0)
    done = lifecycle.succeed(running, {}, [file])
    page = text(staff, "admin:jobs_job_change", done.pk)
    assert file.name in page
    assert "93.8" in page  # KB


def test_staff_put_a_running_job_back_into_its_queue(staff, charlie, running):
    operate(staff, "requeue", running)
    running.refresh_from_db()
    assert running.status == Job.Status.QUEUED
    assert running.events.last().actor == charlie
    assert logged(charlie) == ["Run again."]


def test_staff_retry_a_failed_job_as_a_new_run(staff, charlie, failed):
    page = operate(staff, "requeue", failed, from_job=failed.pk)
    again = Job.objects.get(retry_of=failed)
    assert again.status == Job.Status.QUEUED
    assert str(again.uuid) in page  # the new run's page
    assert JobEvent.objects.filter(job=again).first().actor == charlie


def test_a_retry_that_the_owner_cannot_pay_is_told(staff, failed, charlie):
    ledger.adjust(failed.owner, -ledger.available(failed.owner), reason="Spent", actor=charlie)
    assert "Insufficient credits" in operate(staff, "requeue", failed)
    assert not Job.objects.filter(retry_of=failed).exists()


def test_staff_cancel_a_running_job_and_its_credits_come_back(staff, charlie, running):
    assert ledger.recount(running.owner)[1] > 0
    operate(staff, "cancel", running, from_job=running.pk)
    running.refresh_from_db()
    assert running.status == Job.Status.CANCELED
    assert running.events.last().actor == charlie
    assert ledger.recount(running.owner)[1] == 0


def test_a_finished_job_cannot_be_canceled_and_staff_are_told(staff, charlie, failed):
    assert "already finished" in operate(staff, "cancel", failed)
    assert logged(charlie) == []


def test_a_job_that_changed_meanwhile_is_told(staff, running, monkeypatch):
    def too_late(*args: Any, **kwargs: Any) -> None:
        raise lifecycle.Conflict(running)

    monkeypatch.setattr(lifecycle, "requeue", too_late)
    assert "changed meanwhile" in operate(staff, "requeue", running)


def test_a_job_is_deleted_with_its_files_after_a_question(staff, charlie, running):
    recording = running.media.file
    assert default_storage.exists(recording)
    assert "for good" in operate(staff, "delete", running)
    assert Job.objects.filter(pk=running.pk).exists()
    operate(staff, "delete", running, confirmed="yes", from_job=running.pk)
    assert not Job.objects.filter(pk=running.pk).exists()
    assert not default_storage.exists(recording)
    assert ledger.recount(running.owner)[1] == 0
    assert LogEntry.objects.get(user=charlie).is_deletion()


def test_djangos_own_deletion_of_jobs_is_closed(staff, job):
    assert staff.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"}).status_code == 403
    assert 'value="delete_selected"' not in text(staff, "admin:jobs_job_changelist")


def test_staff_who_may_only_look_get_no_buttons(client, bob, running):
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(codename="view_job"))
    client.force_login(bob)
    assert 'name="action"' not in text(client, "admin:jobs_job_change", running.pk)
    operate(client, "cancel", running)
    running.refresh_from_db()
    assert running.status == Job.Status.RUNNING

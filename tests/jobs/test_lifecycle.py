"""Every transition of a job, who may make it, and what it does to the money, the events and the queue."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import PurePosixPath

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Q
from django.utils import timezone
from django_q.models import OrmQ

from accounts import ledger
from accounts.models import CreditBalance, CreditEntry
from jobs import deleting, lifecycle, queue
from jobs.errors import JobError
from jobs.lifecycle import Conflict, StoredFile
from jobs.models import Job, JobEvent, Media, Track, owned_by
from jobs.options import SpeakerOptions
from tests.racing import race

pytestmark = [pytest.mark.money, pytest.mark.django_db]
Status = Job.Status
START = 1_000_000
PRICE = 17  # three seconds at 5.5, rounded up
URL = "https://example.org/talk.wav"


@pytest.fixture
def queued(media) -> Job:
    return lifecycle.submit(media, "extraction", SpeakerOptions())


@pytest.fixture
def running(queued) -> Job:
    return claim("engine")


@pytest.fixture
def pending(alice) -> Job:
    return lifecycle.submit_url(alice, URL, "talk.wav", "diarization", SpeakerOptions())


@pytest.fixture
def fetching(pending) -> Job:
    return claim("io")


def claim(lane: queue.Lane) -> Job:
    job = lifecycle.claim(lane, "worker-1")
    assert job is not None
    return job


def statuses(job: Job) -> list[str]:
    return [event.data["status"] for event in job.events.filter(kind="state")]


def check_books(*jobs: Job) -> None:
    """What holds at any time: dense events, the ledger in step with the status, and its sums with the balances."""
    for job in map(fresh, jobs):
        assert [event.seq for event in job.events.all()] == list(range(1, job.event_seq + 1))
        kinds = set(CreditEntry.objects.filter(job=job.uuid).values_list("kind", flat=True))
        held = {"hold"} if job.credits is not None else set()
        closing = {Status.SUCCEEDED: {"capture"}, Status.FAILED: {"release"}, Status.CANCELED: {"release"}}
        assert kinds == (held | closing.get(Status(job.status), set()) if held else set())
        balance = CreditBalance.objects.get(user=job.owner)
        assert ledger.recount(job.owner) == (balance.available, balance.held)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def store(name: PurePosixPath) -> StoredFile:
    return StoredFile(Track.Kind.AUDIO, default_storage.save(str(name), ContentFile(b"RIFF")), 4, speaker=0)


def messages(lane: queue.Lane) -> int:
    return OrmQ.objects.filter(key=lane).count()


# --- from submission to the end


def test_a_submitted_recording_is_queued_its_price_held_and_a_worker_woken(alice, queued):
    assert (queued.status, queued.credits, queued.number) == (Status.QUEUED, PRICE, queued.pk)
    assert ledger.available(alice) == START - PRICE
    assert statuses(queued) == ["pending", "queued"]
    assert (messages("engine"), messages("io")) == (1, 0)
    check_books(queued)


def test_a_url_costs_nothing_before_its_length_is_known(alice, pending):
    assert (pending.status, pending.credits) == (Status.PENDING, None)
    assert ledger.available(alice) == START
    assert (messages("engine"), messages("io")) == (0, 1)
    check_books(pending)


def test_a_recording_that_cannot_be_paid_is_not_taken(alice, charlie, media):
    ledger.adjust(alice, PRICE - 1 - START, reason="", actor=charlie)
    with pytest.raises(ledger.InsufficientCredits):
        lifecycle.submit(media, "extraction", SpeakerOptions())
    assert not Job.objects.exists()
    assert messages("engine") == 0


def test_a_url_is_not_taken_where_not_even_a_second_can_be_paid(alice, charlie):
    ledger.adjust(alice, 5 - START, reason="", actor=charlie)
    with pytest.raises(ledger.InsufficientCredits):
        lifecycle.submit_url(alice, URL, "talk", "extraction", SpeakerOptions())
    assert not Job.objects.exists()


def test_a_claim_takes_the_job_under_a_lease_and_raises_its_attempt(queued):
    job = claim("engine")
    assert (job.pk, job.status, job.attempt, job.worker) == (queued.pk, Status.RUNNING, 1, "worker-1")
    assert job.lease_until > timezone.now()
    assert lifecycle.claim("engine", "worker-2") is None
    assert lifecycle.claim("io", "worker-2") is None


def test_claims_go_by_priority_and_then_by_age(media):
    first, second, urgent = (lifecycle.submit(media, "extraction", SpeakerOptions()) for _ in range(3))
    Job.objects.filter(pk=urgent.pk).update(priority=5)
    assert [claim("engine").pk for _ in range(3)] == [urgent.pk, first.pk, second.pk]


def test_success_shows_the_files_and_takes_the_price(alice, running):
    done = lifecycle.succeed(running, {"turns": []}, [store(running.folder() / "speaker_0.wav")])
    assert (done.status, done.progress, done.lease_until, done.result) == (Status.SUCCEEDED, 1.0, None, {"turns": []})
    assert [track.name for track in done.tracks.all()] == ["speaker_0.wav"]
    assert ledger.available(alice) == START - PRICE
    assert CreditBalance.objects.get(user=alice).held == 0
    check_books(done)


def test_failure_says_why_and_gives_the_price_back(alice, running):
    failed = lifecycle.fail(running, JobError("PROCESSING_FAILED", details={"reason": "Silence"}))
    assert (failed.error_code, failed.error_details) == ("PROCESSING_FAILED", {"reason": "Silence"})
    assert failed.events.last().data["error_code"] == "PROCESSING_FAILED"
    assert ledger.available(alice) == START
    check_books(failed)


def test_a_fetched_recording_is_queued_and_held(alice, fetching, media):
    queued = lifecycle.fetched(fetching, media)
    assert (queued.status, queued.credits, queued.media) == (Status.QUEUED, PRICE, media)
    assert (queued.worker, queued.lease_until) == ("", None)
    assert statuses(queued) == ["pending", "fetching", "queued"]
    assert claim("engine").attempt == 2
    check_books(queued)


def test_a_fetched_recording_that_cannot_be_paid_fails_the_job(alice, charlie, fetching, media):
    ledger.adjust(alice, PRICE - 1 - START, reason="", actor=charlie)
    failed = lifecycle.fetched(fetching, media)
    assert (failed.status, failed.error_code, failed.media) == (Status.FAILED, "INSUFFICIENT_CREDITS", None)
    assert failed.error_details == {"required": PRICE, "available": PRICE - 1}
    assert ledger.available(alice) == PRICE - 1
    check_books(failed)


def test_a_url_that_cannot_be_fetched_fails_without_a_charge(alice, fetching):
    failed = lifecycle.fail(fetching, JobError("URL_UNREACHABLE"))
    assert failed.status == Status.FAILED
    assert ledger.available(alice) == START
    check_books(failed)


# --- progress


def test_a_report_renews_the_lease_and_tells_progress(running):
    expire(running)
    lifecycle.report(running, "embedding", 0.25)
    job = fresh(running)
    assert (job.stage, job.progress) == ("embedding", 0.25)
    assert job.lease_until > timezone.now()
    assert job.events.last().data == {"stage": "embedding", "progress": 0.25}
    check_books(running)


def test_a_bare_report_writes_no_event(running):
    before = running.events.count()
    lifecycle.report(running)
    assert running.events.count() == before


def test_a_report_on_work_that_is_not_wanted_is_a_conflict(running):
    lifecycle.cancel(running)
    with pytest.raises(Conflict):
        lifecycle.report(running, "embedding", 0.5)
    assert fresh(running).stage == ""
    check_books(running)


# --- what goes wrong


def test_lost_work_is_queued_again_until_it_was_lost_too_often(alice, queued, settings):
    settings.MAX_ATTEMPTS = 3
    for losses in (1, 2):
        again = lifecycle.lose(claim("engine"), JobError("WORKER_LOST"))
        assert (again.status, again.losses, again.progress, again.worker) == (Status.QUEUED, losses, 0, "")
    failed = lifecycle.lose(claim("engine"), JobError("WORKER_LOST"))
    assert (failed.status, failed.error_code, failed.attempt) == (Status.FAILED, "WORKER_LOST", 3)
    assert ledger.available(alice) == START
    check_books(failed)


def test_work_given_back_by_a_worker_that_stops_is_not_a_loss(running):
    again = lifecycle.requeue(running)
    assert (again.status, again.losses, again.lease_until) == (Status.QUEUED, 0, None)
    assert messages("engine") == 2
    check_books(again)


def test_a_lost_fetch_is_pending_again(fetching):
    assert lifecycle.lose(fetching, JobError("WORKER_LOST")).status == Status.PENDING
    assert claim("io").attempt == 2


def test_work_that_waits_or_has_ended_cannot_be_requeued(queued):
    with pytest.raises(JobError):
        lifecycle.requeue(queued)
    with pytest.raises(JobError):
        lifecycle.requeue(lifecycle.cancel(queued))


@pytest.mark.parametrize("verb", ["report", "succeed", "fail", "lose", "requeue"])
def test_a_worker_that_was_replaced_can_do_nothing(alice, running, verb):
    lifecycle.lose(running, JobError("WORKER_LOST"))
    current = claim("engine")
    arguments = {"succeed": ({}, []), "fail": (JobError("ENGINE_FAILED"),), "lose": (JobError("ENGINE_FAILED"),)}
    with pytest.raises(Conflict):
        getattr(lifecycle, verb)(running, *arguments.get(verb, ()))
    assert fresh(running).attempt == current.attempt == 2
    assert fresh(running).status == Status.RUNNING
    check_books(running)


@pytest.mark.parametrize("end", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
@pytest.mark.parametrize("verb", ["succeed", "fail", "lose", "cancel", "requeue", "report"])
def test_what_has_ended_never_changes(running, end, verb):
    ways = {
        Status.SUCCEEDED: partial(lifecycle.succeed, running, {}, []),
        Status.FAILED: partial(lifecycle.fail, running, JobError("ENGINE_FAILED")),
        Status.CANCELED: partial(lifecycle.cancel, running),
    }
    ended = ways[end]()
    before = Job.objects.filter(pk=running.pk).values().get()
    arguments = {"succeed": ({}, []), "fail": (JobError("ENGINE_FAILED"),), "lose": (JobError("ENGINE_FAILED"),)}
    for snapshot in (running, ended):
        if verb == "report" and snapshot is ended:
            continue  # no worker holds one
        with pytest.raises((Conflict, JobError)):
            getattr(lifecycle, verb)(snapshot, *arguments.get(verb, ()))
    assert Job.objects.filter(pk=running.pk).values().get() == before
    check_books(running)


# --- cancel, retry, delete


@pytest.mark.parametrize("state", ["pending", "fetching", "queued", "running"])
def test_unfinished_work_can_be_canceled_and_costs_nothing(request, alice, state):
    job = lifecycle.cancel(request.getfixturevalue(state), actor=alice)
    assert job.status == Status.CANCELED
    assert job.finished_at is not None
    assert job.events.last().actor == alice
    assert ledger.available(alice) == START
    check_books(job)


def test_canceled_work_is_not_claimed(queued):
    lifecycle.cancel(queued)
    assert lifecycle.claim("engine", "worker-1") is None


def test_a_retry_is_a_new_run_under_the_same_number(alice, running):
    failed = lifecycle.fail(running, JobError("ENGINE_FAILED"))
    again = lifecycle.retry(failed)
    assert (again.number, again.status, again.retry_of) == (failed.number, Status.QUEUED, failed)
    assert again.uuid != failed.uuid
    assert list(owned_by(alice)) == [again]
    assert fresh(failed).status == Status.FAILED
    third = lifecycle.retry(lifecycle.cancel(again))
    assert third.number == failed.number
    assert list(owned_by(alice)) == [third]
    check_books(failed, again, third)


def test_a_retry_keeps_what_was_asked_for(media):
    options = SpeakerOptions(num_speakers=3, overlap="mute", compact=True)
    again = lifecycle.retry(lifecycle.cancel(lifecycle.submit(media, "extraction", options)))
    assert (SpeakerOptions(**again.options), again.task, again.media) == (options, "extraction", media)


def test_a_url_that_was_never_fetched_is_fetched_by_the_retry(fetching):
    again = lifecycle.retry(lifecycle.fail(fetching, JobError("URL_UNREACHABLE")))
    assert (again.status, again.source_url) == (Status.PENDING, URL)


def test_only_what_failed_or_was_canceled_is_retried_and_only_once(running):
    with pytest.raises(JobError, match="Only a failed"):
        lifecycle.retry(running)
    failed = lifecycle.fail(running, JobError("ENGINE_FAILED"))
    lifecycle.retry(failed)
    with pytest.raises(JobError):
        lifecycle.retry(failed)


def test_success_is_not_retried(running):
    with pytest.raises(JobError):
        lifecycle.retry(lifecycle.succeed(running, {}, []))


def test_deleting_removes_all_runs_with_their_files_and_keeps_the_ledger(alice, running):
    failed = lifecycle.fail(running, JobError("ENGINE_FAILED"))
    lifecycle.retry(failed)
    second = claim("engine")
    done = lifecycle.succeed(second, {}, [store(second.folder() / "speaker_0.wav")])
    recording, track = done.media.file, done.tracks.get().file
    deleting.delete(done)
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert not JobEvent.objects.exists()
    assert not default_storage.exists(recording)
    assert not default_storage.exists(track)
    assert CreditEntry.objects.filter(job__in=[failed.uuid, done.uuid]).count() == 4


def test_deleting_work_under_way_cancels_it_first(alice, running):
    deleting.delete(running)
    assert ledger.available(alice) == START
    with pytest.raises(Conflict):
        lifecycle.report(running)
    with pytest.raises(Conflict):
        lifecycle.succeed(running, {}, [])


def test_deleting_a_job_leaves_a_recording_that_another_one_uses(queued, media):
    other = lifecycle.submit(media, "diarization", SpeakerOptions())
    deleting.delete(queued)
    assert default_storage.exists(media.file)
    deleting.delete(other)
    assert not default_storage.exists(media.file)


def test_a_deletion_that_was_cut_short_can_be_repeated(queued, media):
    default_storage.delete(media.file)
    deleting.delete(queued)
    assert not Job.objects.exists()


# --- the sweep


def test_the_sweep_requeues_work_whose_lease_ran_out_and_wakes_its_lane(running, fetching):
    OrmQ.objects.all().delete()
    expire(running)
    expire(fetching)
    lifecycle.sweep()
    assert (fresh(running).status, fresh(running).losses) == (Status.QUEUED, 1)
    assert (fresh(fetching).status, fresh(fetching).losses) == (Status.PENDING, 1)
    assert (messages("engine"), messages("io")) == (1, 1)


def test_the_sweep_leaves_work_with_a_lease_alone(running):
    lifecycle.sweep()
    assert fresh(running).status == Status.RUNNING


def test_the_sweep_replaces_a_lost_message_and_piles_up_none(queued):
    OrmQ.objects.all().delete()
    for _ in range(3):
        lifecycle.sweep()
    assert messages("engine") == 1


def test_the_sweep_ends_work_that_was_lost_too_often(alice, queued, settings):
    settings.MAX_ATTEMPTS = 2
    for _ in range(2):
        expire(claim("engine"))
        lifecycle.sweep()
    assert (fresh(queued).status, fresh(queued).error_code) == (Status.FAILED, "WORKER_LOST")
    assert ledger.available(alice) == START
    check_books(queued)


# --- all at once

race_test = pytest.mark.django_db(transaction=True)


@pytest.mark.race
@race_test
def test_eight_workers_that_are_woken_for_three_jobs_do_each_once(media):
    jobs = [lifecycle.submit(media, "extraction", SpeakerOptions()) for _ in range(3)]
    claimed = race([partial(lifecycle.claim, "engine", f"worker-{n}") for n in range(8)])
    assert sorted(job.pk for job in claimed if job) == [job.pk for job in jobs]
    assert all(fresh(job).attempt == 1 for job in jobs)
    check_books(*jobs)


@pytest.mark.race
@race_test
def test_finishing_canceling_failing_and_losing_at_once_have_one_winner(media):
    for _ in range(12):
        lifecycle.submit(media, "extraction", SpeakerOptions())
        job = claim("engine")
        verbs = [
            partial(lifecycle.succeed, job, {}, []),
            partial(lifecycle.cancel, job),
            partial(lifecycle.fail, job, JobError("ENGINE_FAILED")),
            partial(lifecycle.cancel, job),
        ]
        results = race(verbs, expected=(Conflict, JobError))
        assert sum(isinstance(result, Job) for result in results) == 1
        assert sum(status in Job.TERMINAL for status in statuses(job)) == 1
        check_books(job)


@pytest.mark.race
@race_test
def test_many_sweeps_at_once_count_one_loss(media):
    for _ in range(5):
        lifecycle.submit(media, "extraction", SpeakerOptions())
        job = claim("engine")
        expire(job)
        race([lifecycle.sweep] * 6)
        assert (fresh(job).status, fresh(job).losses) == (Status.QUEUED, 1)
        check_books(job)
        lifecycle.cancel(job)


@pytest.mark.race
@race_test
def test_a_worker_that_finishes_while_it_is_swept_either_wins_or_changes_nothing(media):
    for _ in range(8):
        lifecycle.submit(media, "extraction", SpeakerOptions())
        job = claim("engine")
        expire(job)
        race([lifecycle.sweep, partial(lifecycle.succeed, job, {}, []), lifecycle.sweep], expected=Conflict)
        assert fresh(job).status in (Status.SUCCEEDED, Status.QUEUED)
        check_books(job)
        Job.objects.filter(~Q(status__in=Job.TERMINAL), pk=job.pk).exists() and lifecycle.cancel(job)


@pytest.mark.race
@race_test
def test_two_retries_at_once_make_one_run(media):
    for _ in range(5):
        canceled = lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))
        results = race([partial(lifecycle.retry, canceled)] * 4, expected=JobError)
        assert sum(isinstance(result, Job) for result in results) == 1
        assert Job.objects.filter(retry_of=canceled).count() == 1


@pytest.mark.race
@race_test
def test_reports_from_several_sides_leave_no_gap_in_the_events(media):
    lifecycle.submit(media, "extraction", SpeakerOptions())
    job = claim("engine")
    reports = [partial(lifecycle.report, fresh(job), "embedding", n / 20) for n in range(10)]
    race([*reports, partial(lifecycle.cancel, job)], expected=Conflict)
    check_books(job)

"""What may be asked of a recording is checked before a job costs anything, whoever asks."""

from __future__ import annotations

import pytest

from accounts import ledger
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job
from jobs.options import SpeakerOptions

pytestmark = [pytest.mark.django_db, pytest.mark.money]

URL = "https://example.org/talk.wav"
TOO_LATE = SpeakerOptions(turns=((3600.0, 3601.0, 0, None),))  # for any recording of these tests


def test_turns_after_a_recordings_end_are_refused(alice, media):
    before = ledger.available(alice)
    with pytest.raises(JobError, match="must lie in the recording of") as refused:
        lifecycle.submit(media, "extraction", TOO_LATE)
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", "turns")
    assert not Job.objects.exists()
    assert ledger.available(alice) == before


def test_turns_that_a_job_before_heard_are_taken_also_where_packets_tell_of_less(media):
    job = lifecycle.submit(media, "extraction", TOO_LATE, decoded_seconds=3600.1)
    assert lifecycle.retry(lifecycle.cancel(job)).options == job.options


def test_a_fetched_recording_that_ends_before_the_turns_given_for_it_fails_the_job(alice, media):
    before = ledger.available(alice)
    lifecycle.submit_url(alice, URL, "talk.wav", "extraction", TOO_LATE)
    failed = lifecycle.fetched(lifecycle.claim("io", "a worker"), media)
    assert (failed.status, failed.error_code, failed.media) == (Job.Status.FAILED, "INVALID_OPTION", None)
    assert "must lie in the recording of" in failed.error_message
    assert ledger.available(alice) == before
    assert ledger.recount(alice) == (before, 0)


@pytest.mark.parametrize(
    ("url", "code"), [("http://127.0.0.1/a.wav", "URL_NOT_ALLOWED"), ("ftp://example.org/a.wav", "INVALID_URL")]
)
def test_a_url_that_is_not_allowed_makes_no_job(alice, url, code):
    with pytest.raises(JobError) as refused:
        lifecycle.submit_url(alice, url, "talk.wav", "extraction", SpeakerOptions())
    assert refused.value.code == code
    assert not Job.objects.exists()

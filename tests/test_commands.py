"""The commands that operators and scripts type."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import ledger
from accounts.models import APIKey, User
from audio_engine.models import MODELS
from jobs import lifecycle
from jobs.models import Job
from jobs.options import SpeakerOptions

pytestmark = pytest.mark.django_db


def create_account(*args: str, stdin: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    if monkeypatch:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    call_command("create_account", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_an_account_gets_the_configured_credits_and_no_password(settings):
    settings.SIGNUP_CREDITS = 321
    out, err = create_account("Dora@Example.org")
    dora = User.objects.get(email="dora@example.org")
    assert ledger.available(dora) == 321
    assert not dora.is_staff
    assert not dora.has_usable_password()
    assert out == ""
    assert "changepassword dora@example.org" in err


def test_only_the_key_goes_to_standard_output():
    out, err = create_account("dora@example.org", "--api-key", "ci", "--credits", "5")
    key = APIKey.objects.get(user__email="dora@example.org")
    assert key.digest == APIKey.digest_of(out.strip())
    assert key.name == "ci"
    assert out.strip() not in err
    assert ledger.available(key.user) == 5


def test_a_staff_account_may_use_the_whole_admin():
    create_account("dora@example.org", "--staff")
    dora = User.objects.get(email="dora@example.org")
    assert (dora.is_staff, dora.is_superuser) == (True, True)


def test_the_password_comes_from_standard_input(monkeypatch):
    create_account("dora@example.org", "--password-stdin", stdin="correct horse battery\n", monkeypatch=monkeypatch)
    assert User.objects.get(email="dora@example.org").check_password("correct horse battery")


def test_a_weak_password_is_refused_and_no_account_is_made(monkeypatch):
    with pytest.raises(CommandError, match="too common"):
        create_account("dora@example.org", "--password-stdin", stdin="password\n", monkeypatch=monkeypatch)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nobody"], "'nobody' is not an e-mail address"),
        (["dora@example.org", "--credits", "-1"], "--credits must be 0 or more"),
        (["dora@example.org", "--api-key", ""], "1 to 100 characters"),
        (["dora@example.org", "--api-key", "k" * 101], "1 to 100 characters"),
    ],
)
def test_wrong_arguments_are_told_and_no_account_is_made(args, words):
    with pytest.raises(CommandError, match=words):
        create_account(*args)
    assert not User.objects.exists()


def test_a_second_account_of_the_same_address_is_refused(alice):
    with pytest.raises(CommandError, match="already an account"):
        create_account(alice.email.upper())


# --- doctor


def doctor() -> str:
    out = io.StringIO()
    call_command("doctor", stdout=out)
    return out.getvalue()


def test_the_doctor_finds_nothing_wrong_with_a_good_installation():
    said = doctor()
    assert "WRONG" not in said
    assert "embedded: can run" in [line.strip() for line in said.splitlines()]


def test_the_doctor_tells_of_a_storage_that_cannot_be_written(monkeypatch):
    def refuse(*args: object) -> None:
        raise PermissionError("Permission denied")

    monkeypatch.setattr(default_storage._wrapped, "_save", refuse)
    with pytest.raises(CommandError, match=r"Look at: storage\."):
        doctor()


def test_the_doctor_tells_of_work_that_nobody_takes(media):
    job = lifecycle.submit(media, "extraction", SpeakerOptions())
    Job.objects.filter(pk=job.pk).update(queued_at=timezone.now() - timedelta(minutes=3))
    with pytest.raises(CommandError, match=r"Look at: work\."):
        doctor()
    lifecycle.claim("engine", "worker-1")
    assert "nothing has waited for long" in doctor()


# --- models


def models(*arguments: str) -> str:
    out = io.StringIO()
    call_command("models", *arguments, stdout=out)
    return out.getvalue()


def test_models_are_listed_with_their_folder_and_licence(settings):
    said = models("list")
    assert f"Models folder: {settings.MODELS_DIR}" in said
    assert "speaker-diarization-community-1: not here, 33 MB to fetch; for pyannote, pyannote-shared, " in said
    assert f"CC-BY-4.0, conditions to accept at {MODELS['speaker-diarization-community-1'].page}" in said


def test_what_is_wrong_with_models_ends_the_command():
    with pytest.raises(CommandError, match="There is no model 'nothing'"):
        models("fetch", "nothing")
    with pytest.raises(CommandError, match=r"segmentation-3\.0 is not here"):
        models("check", "segmentation-3.0")
    with pytest.raises(CommandError, match="HF_HUB_OFFLINE forbids it"):
        models("fetch")

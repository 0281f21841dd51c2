"""What operators write into the environment."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import env


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("SOLOIST_RATE_LIMIT", "7", 7),
        ("SOLOIST_SIGNUP_OPEN", "no", False),
        ("SOLOIST_SIGNUP_OPEN", "True", True),
        ("SOLOIST_ALLOWED_HOSTS", "a.example.org,b.example.org", ["a.example.org", "b.example.org"]),
        ("SOLOIST_CREDITS_PER_SECOND", '{"extraction": "1"}', {"extraction": "1"}),
        ("SOLOIST_RATE_LIMIT", "", 100),
        ("SOLOIST_SIGNUP_OPEN", "", True),
    ],
)
def test_a_variable_has_its_type_and_an_empty_one_its_default(monkeypatch, name, written, value):
    monkeypatch.setenv(name, written)
    assert env.read(name) == value


@pytest.mark.parametrize(
    ("name", "written"),
    [("SOLOIST_RATE_LIMIT", "many"), ("SOLOIST_SIGNUP_OPEN", "closed"), ("SOLOIST_CREDITS_PER_SECOND", "{5.5")],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_variables_name(monkeypatch, name, written):
    monkeypatch.setenv(name, written)
    with pytest.raises(ImproperlyConfigured, match=name):
        env.read(name)


def test_a_device_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("SOLOIST_DEVICE", "gpu")
    assert env.device() == "gpu"
    monkeypatch.setenv("SOLOIST_DEVICE", "cuda")
    with pytest.raises(ImproperlyConfigured, match="SOLOIST_DEVICE is 'cuda'; it has to be one of auto, cpu, gpu"):
        env.device()


def test_a_task_without_a_price_of_its_own_keeps_the_default(monkeypatch):
    monkeypatch.setenv("SOLOIST_CREDITS_PER_SECOND", '{"extraction": 0.1}')
    assert env.prices()["extraction"] == Decimal("0.1")
    assert env.prices()["diarization"] == Decimal("5.5")


def test_the_secret_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path):
    key = env.secret_key(tmp_path)
    assert len(key) > 50
    assert env.secret_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_configured_secret_key_is_not_written_down(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SOLOIST_SECRET_KEY", "from the environment")
    assert env.secret_key(tmp_path) == "from the environment"
    assert list(tmp_path.iterdir()) == []

"""What may be asked of a job of each task."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from audio_engine.formats import REQUESTS
from audio_engine.types import TASKS
from jobs.errors import JobError
from jobs.options import OPTIONS, SpeakerOptions, asked_for, stored


@pytest.mark.parametrize("task", TASKS)
def test_options_of_every_task_become_the_engines_request(task):
    options = asked_for(task)
    assert type(options) is OPTIONS[task]
    assert stored(task, options.to_json()) == options
    request = options.request(task, source=Path("in"), output=Path("out"))
    assert (type(request), request.task, request.engine) == (REQUESTS[task], task, "auto")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_price(settings, task):
    assert settings.CREDITS_PER_SECOND[task] >= Decimal(0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"volume": 11}, "volume"),
        ({"engine": "nobody"}, "engine"),
        ({"min_speakers": 3, "max_speakers": 2}, "min_speakers"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options, field):
    with pytest.raises(JobError) as refused:
        asked_for("extraction", **options)
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID_OPTION", field)


def test_every_option_reaches_the_engine():
    options = SpeakerOptions(min_speakers=2, max_speakers=4, overlap="mute", clean_background=True, compact=True)
    request = options.request("extraction", source=Path("in"), output=Path("out"), title="talk")
    assert (request.speakers.minimum, request.speakers.maximum, request.title) == (2, 4, "talk")
    assert (request.overlap, request.clean_background, request.compact) == ("mute", True, True)

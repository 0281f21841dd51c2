from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from audio_engine.types import TASKS, Stage
from jobs.errors import ERRORS
from jobs.models import Job
from jobs.portal.words import ADVICE
from jobs.wording import STAGE_WORDS, STAGES_OF, STATUS_WORDS, clock, in_words, steps, time_left

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_every_status_and_stage_has_words() -> None:
    assert STATUS_WORDS.keys() == set(Job.Status)
    assert STAGE_WORDS.keys() == {"download", *get_args(Stage)}


def test_there_is_advice_for_whatever_is_wrong_with_a_link() -> None:
    assert {code for code in ERRORS if code.startswith("URL_")} | {"EXTRACTION_FAILED"} <= ADVICE.keys()


def test_every_task_goes_through_stages_that_have_words() -> None:
    assert STAGES_OF.keys() == set(TASKS)
    assert {stage for stages in STAGES_OF.values() for stage in stages} <= STAGE_WORDS.keys()


@pytest.mark.parametrize(
    ("task", "url", "first", "last"),
    [
        ("extraction", "", "decode", "tracks"),
        ("extraction", "https://example.org/talk.wav", "download", "tracks"),
        ("diarization", "", "decode", "resegmentation"),
    ],
)
def test_a_job_goes_through_the_stages_of_its_task_and_source(task: str, url: str, first: str, last: str) -> None:
    stages = [stage for stage, _ in steps(Job(task=task, source_url=url))]
    assert (stages[0], stages[-1]) == (first, last)


def test_only_a_job_that_splits_overlaps_says_so() -> None:
    said = [
        [stage for stage, _ in steps(Job(task="extraction", options=options))] for options in ({}, {"overlap": "keep"})
    ]
    assert ["overlaps" in stages for stages in said] == [True, False]


def test_only_a_denoising_that_hears_the_pauses_listens_for_them_first() -> None:
    wanted = [
        {"quality": "ultra", "engine": "spectral"},
        {"engine": "spectral"},
        {"quality": "ultra", "engine": "rnnoise"},
    ]
    said = [[stage for stage, _ in steps(Job(task="denoising", options=options))] for options in wanted]
    assert said == [["decode", "activity", *said[1]], ["denoising", "levelling"], said[1]]


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (7.9, "0:07"), (751, "12:31"), (3729, "1:02:09")])
def test_positions_are_shown_as_on_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "1 second"), (59.6, "1 min"), (751, "12 min 31 s"), (3600, "1 h"), (3729, "1 h 2 min")]
)
def test_lengths_are_said_in_words(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


@pytest.mark.parametrize(
    ("elapsed", "progress", "said"),
    [
        (1, 0.5, ""),
        (60, 0.01, ""),
        (60, 1.0, ""),
        (10, 0.5, "about 10 seconds left"),
        (60, 0.5, "about a minute left"),
        (600, 0.25, "about 30 minutes left"),
        (7200, 0.5, "about 2 hours left"),
    ],
)
def test_time_left_is_told_once_it_can_be(elapsed: int, progress: float, said: str) -> None:
    assert time_left(NOON, NOON + timedelta(seconds=elapsed), progress) == said

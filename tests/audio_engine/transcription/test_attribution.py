from __future__ import annotations

import time

import pytest

from audio_engine.transcription.attribution import Speakers, attribute, attribute_lines
from audio_engine.transcription.transcript import Sentence, Word
from audio_engine.types import Turn

from .spoken import said

INTERVIEW = (Turn(0.0, 2.0, 0), Turn(2.5, 4.0, 1), Turn(4.0, 6.0, 0))


def speakers(words: list[Word], turns: tuple[Turn, ...] = INTERVIEW) -> list[int | None]:
    return [word.speaker for word in attribute(words, turns)]


def test_a_word_goes_to_whoever_speaks_for_most_of_it():
    words = [Word(0.5, 0.9, " How"), Word(1.8, 2.9, " are"), Word(3.9, 4.05, " Fine"), Word(3.9, 4.3, " thanks")]
    assert speakers(words) == [0, 1, 1, 0]


def test_a_word_in_a_pause_goes_to_the_nearest_turn():
    assert speakers([Word(2.0, 2.1, " you"), Word(2.4, 2.5, " Well"), Word(7.0, 7.5, " Bye")]) == [0, 1, 0]


def test_a_word_before_all_turns_goes_to_the_first():
    assert speakers([Word(0.0, 0.4, " So")], (Turn(1.0, 2.0, 3),)) == [3]


def test_where_two_speak_equally_long_the_one_before_goes_on():
    assert speakers([Word(3.0, 3.5, " I"), Word(3.5, 4.5, " think")]) == [1, 1]


def test_a_word_without_length_belongs_to_the_turn_around_it():
    assert speakers([Word(3.0, 3.0, " uh"), Word(4.0, 4.0, " oh")]) == [1, 0]


def test_several_turns_of_one_speaker_count_together():
    interrupted = (Turn(0.0, 0.4, 0), Turn(0.4, 0.9, 1), Turn(0.9, 1.3, 0))
    assert speakers([Word(0.0, 1.3, " interrupted")], interrupted) == [0]


def test_without_turns_nobody_said_it():
    assert speakers(said("Hello there"), ()) == [None, None]


def test_turns_may_come_in_any_order():
    assert speakers(said("one two three", start=2.6), tuple(reversed(INTERVIEW))) == [1, 1, 1]


def test_the_text_and_times_of_words_stay():
    word = Word(0.5, 0.9, " How", 0.7)
    assert attribute([word], INTERVIEW) == (Word(0.5, 0.9, " How", 0.7, 0),)


def test_lines_of_subtitles_get_speakers_and_keep_their_text():
    lines = (Sentence(0.0, 2.4, "- How are you?\n<i>(smiles)</i>"), Sentence(2.4, 5.0, "Fine, thanks."))
    named = attribute_lines(lines, INTERVIEW)
    assert [line.speaker for line in named] == [0, 1]
    assert [line.text for line in named] == [line.text for line in lines]


@pytest.mark.timeout(20)
def test_a_day_of_talk_takes_seconds():
    turns = [Turn(2.0 * n, 2.0 * n + 2.0, n % 3) for n in range(43_200)]
    words = [Word(0.36 * n, 0.36 * n + 0.3, " word") for n in range(240_000)]
    began = time.monotonic()
    found = attribute(words, turns)
    assert time.monotonic() - began < 10
    assert found[-1].speaker == Speakers(turns).during(words[-1].start, words[-1].end)

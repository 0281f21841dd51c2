from __future__ import annotations

import pytest

from audio_engine.transcription.sentences import LONGEST_SENTENCE, sentences
from audio_engine.transcription.transcript import Word

from .spoken import said


def texts(words: list[Word]) -> list[str]:
    return [sentence.text for sentence in sentences(words)]


@pytest.mark.parametrize(
    ("said_in_one_go", "expected"),
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Mr. Smith met Dr. Jones.", ["Mr. Smith met Dr. Jones."]),
        ("John F. Kennedy spoke.", ["John F. Kennedy spoke."]),
        ("It happened in the U.S. Army.", ["It happened in the U.S. Army."]),
        ("Fruit, e.g. apples. Or pears.", ["Fruit, e.g. apples.", "Or pears."]),
        ("It is 3. 5 metres.", ["It is 3. 5 metres."]),
        ("That was 2019. Then we left.", ["That was 2019.", "Then we left."]),
        ("Das kostet ca. zehn Euro. Ist das viel?", ["Das kostet ca. zehn Euro.", "Ist das viel?"]),
        ('She said "Stop." Then she left.', ['She said "Stop."', "Then she left."]),
        ("Wait… what? No…", ["Wait…", "what?", "No…"]),
        ("no marks at all", ["no marks at all"]),
        ("क्या हाल है? ठीक है। धन्यवाद", ["क्या हाल है?", "ठीक है।", "धन्यवाद"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(said_in_one_go, expected):
    assert texts(said(said_in_one_go)) == expected


def test_scripts_without_blanks_get_none():
    words = [Word(n * 0.2, n * 0.2 + 0.2, char) for n, char in enumerate(["你", "好。", "你", "好", "吗？"])]
    assert texts(words) == ["你好。", "你好吗？"]


def test_a_sentence_has_one_speaker():
    words = [*said("I thought we", speaker=0), *said("could go. Yes.", start=0.9, speaker=1)]
    assert [(s.text, s.speaker) for s in sentences(words)] == [("I thought we", 0), ("could go.", 1), ("Yes.", 1)]


def test_a_long_pause_ends_a_sentence():
    assert texts([*said("well then"), *said("let us see", start=4.0)]) == ["well then", "let us see"]


def test_talk_without_marks_is_cut_at_its_longest_pause():
    before, after = said("blah " * 70), said("blah " * 60, start=21.5)
    found = sentences([*before, *after])
    assert [len(sentence.words) for sentence in found] == [70, 60]


def test_no_sentence_is_longer_than_the_longest():
    found = sentences(said("la " * 1000))
    assert all(sentence.end - sentence.start <= LONGEST_SENTENCE for sentence in found)
    assert sum(len(sentence.words) for sentence in found) == 1000


def test_a_sentence_begins_and_ends_with_its_words():
    (sentence,) = sentences(said("How are you?", start=12.0))
    assert (sentence.start, sentence.end) == (12.0, 12.9)
    assert sentence.probability == pytest.approx(0.9)


def test_nothing_said_is_no_sentence():
    assert sentences([]) == ()

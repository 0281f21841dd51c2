from __future__ import annotations

import pytest

from audio_engine.lingual import said, spans
from audio_engine.transcription.transcript import Word


def words(*texts: str) -> list[Word]:
    return [Word(float(place), place + 0.5, f" {text}") for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    "sounds",
    [
        ["Hmm."], ["Mm-hmm,"], ["mhm"], ["Haha!"], ["ha", "ha", "ha"], ["hehehe"], ["Hihi"], ["Ahh"],
        ["[laughter]"], ["[heavy", "breathing]"], ["(coughs)"], ["*sighs*"], ["*clears", "throat*"], ["♪", "la", "♪"],
    ],
)  # fmt: skip
def test_sounds_that_are_written_down_are_no_words(sounds: list[str]) -> None:
    assert [word.text for word in said(words("Well,", *sounds, "yes."))] == [" Well,", " yes."]


@pytest.mark.parametrize(
    "word", ["a", "I", "am", "him", "hum", "home", "human", "he's", "Hi,", "who", "3", "ありがとう", "Ohm"]
)
def test_words_that_look_like_sounds_stay(word: str) -> None:
    assert len(said(words(word))) == 1


def test_words_are_one_stretch_across_short_pauses_only() -> None:
    said = [Word(0.0, 0.4, "a"), Word(0.6, 1.0, "b"), Word(1.5, 1.98, "c")]
    assert spans(said, 100, 200).tolist() == [[0, 105], [145, 200]]
    assert spans([], 100, 200).tolist() == []

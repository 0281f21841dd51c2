from __future__ import annotations

import io
import json

import pytest
import srt
import webvtt

from audio_engine.transcription.captions import COLUMNS, LONGEST, cues, width
from audio_engine.transcription.sentences import sentences
from audio_engine.transcription.transcript import Sentence, Transcript, Word, transcript_from_json, transcript_json
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS, as_json, as_srt, as_txt, as_vtt

from .spoken import said

SPEECH = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, "
    "and dedicated to the proposition that all men are created equal."
)
DIALOGUE = Transcript(
    "en", 0.97, sentences([*said("Who wrote that? Tell me.", speaker=0), *said("Lincoln.", start=2.0, speaker=1)])
)
NAMES = {0: "Anna", 1: "B. <Ben> & Co"}.__getitem__


def talk(words: list[Word]) -> Transcript:
    return Transcript("en", 0.9, sentences(words))


def test_a_long_sentence_becomes_captions_of_two_lines_that_fit():
    transcript = talk(said(SPEECH))
    found = list(cues(transcript))
    assert len(found) > 1
    assert all(len(cue.lines) <= 2 and all(width(line) <= COLUMNS for line in cue.lines) for cue in found)
    assert " ".join(line for cue in found for line in cue.lines) == SPEECH
    assert all(cue.end - cue.start <= LONGEST for cue in found)


def test_captions_are_cut_between_clauses():
    found = list(
        cues(talk(said("When the train had left the station without any of us, we walked home through the rain.")))
    )
    assert [" ".join(cue.lines) for cue in found] == [
        "When the train had left the station without any of us,",
        "we walked home through the rain.",
    ]


def test_slow_talk_is_cut_by_its_time():
    found = list(cues(talk(said("very slow words " * 4, every=1.5))))
    assert all(cue.end - cue.start <= LONGEST for cue in found)


def test_a_short_sentence_is_one_caption_on_one_line():
    (cue,) = cues(talk(said("How are you?")))
    assert cue.lines == ("How are you?",)


def test_wide_characters_take_two_columns():
    characters = "今天天气非常好我们一起去公园散步然后吃晚饭再看电影" * 2
    found = list(cues(talk([Word(n * 0.1, n * 0.1 + 0.1, char) for n, char in enumerate(characters)])))
    assert all(width(line) <= COLUMNS for cue in found for line in cue.lines)
    assert "".join(line for cue in found for line in cue.lines) == characters


def test_one_word_longer_than_a_line_stays_whole():
    (cue,) = cues(talk(said("x" * 60)))
    assert cue.lines == ("x" * 60,)


def test_words_can_be_captions_of_their_own():
    found = list(cues(DIALOGUE, words=True))
    assert [cue.lines for cue in found] == [("Who",), ("wrote",), ("that?",), ("Tell",), ("me.",), ("Lincoln.",)]
    assert (found[1].start, found[1].end) == (0.3, 0.6)


def test_srt_names_who_speaks_and_is_read_by_others():
    found = list(srt.parse(as_srt(DIALOGUE, NAMES, words=False), ignore_errors=False))
    assert [subtitle.content for subtitle in found] == [
        "Anna: Who wrote that?",
        "Anna: Tell me.",
        "B. ‹Ben› & Co: Lincoln.",
    ]
    assert found[2].start.total_seconds() == 2.0


def test_vtt_has_voices_and_is_read_by_others():
    written = as_vtt(DIALOGUE, NAMES, words=False)
    found = webvtt.from_buffer(io.StringIO(written))
    assert [(caption.voice, caption.text) for caption in found][:2] == [
        ("Anna", "Who wrote that?"),
        ("Anna", "Tell me."),
    ]
    assert "<v B. &lt;Ben&gt; &amp; Co>Lincoln.</v>" in written


def test_txt_is_a_paragraph_for_each_turn():
    assert as_txt(DIALOGUE, NAMES, words=False) == "Anna: Who wrote that? Tell me.\n\nB. <Ben> & Co: Lincoln.\n"


def test_json_tells_all_of_it():
    told = json.loads(as_json(DIALOGUE, NAMES, words=True))
    assert (told["language"], told["language_probability"]) == ("en", 0.97)
    assert told["speakers"] == [{"id": 0, "name": "Anna"}, {"id": 1, "name": "B. <Ben> & Co"}]
    assert told["sentences"][0]["words"][0] == {"start": 0.0, "end": 0.3, "text": "Who", "probability": 0.9}
    assert "words" not in json.loads(as_json(DIALOGUE, NAMES, words=False))["sentences"][0]


@pytest.mark.parametrize("format", TRANSCRIPT_FORMATS)
def test_without_names_nothing_tells_who_speaks(format):
    written = TRANSCRIPT_FORMATS[format].write(DIALOGUE, None, words=False)
    assert "Lincoln." in written
    assert "Anna" not in written
    assert "<v" not in written
    if format == "json":
        assert json.loads(written)["speakers"] == []
        assert {sentence["speaker"] for sentence in json.loads(written)["sentences"]} == {None}


def test_lines_of_given_subtitles_stay_as_they_are():
    given = Transcript("", None, (Sentence(1.0, 2.0, "- <i>Is that</i>\nyou?", 0), Sentence(3.0, 3.0, " \n ", 1)))
    (subtitle,) = srt.parse(as_srt(given, NAMES, words=True))
    assert subtitle.content == "Anna: - <i>Is that</i>\nyou?"
    (caption,) = webvtt.from_buffer(io.StringIO(as_vtt(given, NAMES, words=False)))
    assert caption.text == "- Is that\nyou?"


def test_text_cannot_break_out_of_its_caption():
    sly = talk([Word(0.0, 1.0, " --> \n\n2\n<b>&{\\an8}")])
    (subtitle,) = srt.parse(as_srt(sly, None, words=False), ignore_errors=False)
    assert "-->" not in subtitle.content
    assert len(webvtt.from_buffer(io.StringIO(as_vtt(sly, None, words=False)))) == 1


def test_a_transcript_survives_its_file():
    assert transcript_from_json(json.loads(transcript_json(DIALOGUE))) == DIALOGUE

"""Each format, read again by a program that others wrote for it."""

from __future__ import annotations

import csv
import html
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import srt
import webvtt
from praatio import textgrid
from pyannote.database.util import load_rttm
from pympi import Elan

from audio_engine.exports import FORMATS, Annotation, one_line
from audio_engine.types import Turn

Spoken = list[tuple[float, float, str]]  # start, end, speaker's name; in order

WHEN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
TURNS = (Turn(0.0, 2.5, 0, 91.25), Turn(2.0, 3.0004, 1), Turn(3700.0, 3700.75, 0), Turn(4000.1234, 4000.1236, 1))
SPOKEN: Spoken = [(0.0, 2.5, "A"), (2.0, 3.0, "B"), (3700.0, 3700.75, "A"), (4000.123, 4000.124, "B")]
NASTY = [
    "Ann\nLee",
    'Quo"ted',
    "O'Brien, \"Bob\"",
    "<b>Bold</b>",
    "a --> b",
    "R&D &amp; co",
    "{\\an8}Top",
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1",
    "tab\there",
    "\x00\x1b[31mred",
    "half \ud800",
    "Zoë 李",
    ";; comment",
    "</v><c>",
    "]]>",
    "<NA>",
    "text = \"x\"",
]  # fmt: skip


def annotation(*turns: Turn, names: dict[int, str] | None = None) -> Annotation:
    return Annotation("team call.wav", 4001.0, turns or TURNS, WHEN, {0: "A", 1: "B"} if names is None else names)


def written(name: str, given: Annotation, folder: Path) -> Path:
    path = folder / f"export{FORMATS[name].suffix}"
    path.write_bytes(FORMATS[name].write(given).encode())
    return path


# --- readers: what another program finds in the file


def read_rttm(path: Path) -> Spoken:
    [(uri, found)] = load_rttm(path).items()
    assert uri == "team_call"
    return [(segment.start, segment.end, label) for segment, _, label in found.itertracks(yield_label=True)]


def read_srt(path: Path) -> Spoken:
    cues = srt.parse(path.read_text(), ignore_errors=False)
    return [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in cues]


def read_vtt(path: Path) -> Spoken:
    """The library leaves the character references for the page that shows the cues."""
    cues = webvtt.read(path).captions
    assert all(cue.text == cue.voice for cue in cues)
    assert not any(mark in cue.text for cue in cues for mark in "<>")
    times = [(cue.start_in_seconds + millis(cue.start), cue.end_in_seconds + millis(cue.end)) for cue in cues]
    return [(*time, html.unescape(cue.text)) for time, cue in zip(times, cues, strict=True)]


def millis(clock: str) -> float:
    return int(clock[-3:]) / 1000


def read_json(path: Path) -> Spoken:
    found = json.loads(path.read_text())
    assert (found["recording"], found["duration"]) == ("team call.wav", 4001.0)
    names = {speaker["id"]: speaker["name"] for speaker in found["speakers"]}
    assert all(turn["name"] == names[turn["speaker"]] for turn in found["turns"])
    return [(turn["start"], turn["end"], turn["name"]) for turn in found["turns"]]


def read_csv(path: Path) -> Spoken:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert all(float(row["duration"]) == pytest.approx(float(row["end"]) - float(row["start"])) for row in rows)
    return [(float(row["start"]), float(row["end"]), row["speaker"]) for row in rows]


def read_textgrid(path: Path) -> Spoken:
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    spoken: Spoken = []
    for tier in grid.tiers:
        assert [entry.start for entry in tier.entries[1:]] == [entry.end for entry in tier.entries[:-1]]
        assert (tier.entries[0].start, tier.entries[-1].end) == (0, 4001)
        spoken += [tuple(entry) for entry in tier.entries if entry.label]
    return sorted(spoken)


def read_audacity(path: Path) -> Spoken:
    rows = csv.reader(io.StringIO(path.read_text()), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [(float(start), float(end), label) for start, end, label in rows]


def read_eaf(path: Path) -> Spoken:
    found = Elan.Eaf(str(path))
    return sorted(
        (start / 1000, end / 1000, value)
        for tier in found.get_tier_names()
        for start, end, value in found.get_annotation_data_for_tier(tier)
    )


READERS: dict[str, Callable[[Path], Spoken]] = {
    "rttm": read_rttm,
    "srt": read_srt,
    "vtt": read_vtt,
    "json": read_json,
    "csv": read_csv,
    "textgrid": read_textgrid,
    "audacity": read_audacity,
    "eaf": read_eaf,
}


def close(found: Spoken, wanted: Spoken) -> None:
    assert [name for *_, name in found] == [name for *_, name in wanted]
    times = [time for start, end, _ in found for time in (start, end)]
    assert times == pytest.approx([time for start, end, _ in wanted for time in (start, end)], abs=0.0011)


def test_each_format_has_a_reader() -> None:
    assert READERS.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_overlapping_turns_come_back_as_they_went(name: str, tmp_path: Path) -> None:
    close(READERS[name](written(name, annotation(), tmp_path)), SPOKEN)


@pytest.mark.parametrize("name", FORMATS)
def test_speakers_without_a_name_are_called_by_their_label(name: str, tmp_path: Path) -> None:
    found = READERS[name](written(name, annotation(names={0: " \n"}), tmp_path))
    assert {speaker for *_, speaker in found} == {"SPEAKER_00", "SPEAKER_01"}


@pytest.mark.parametrize("name", FORMATS)
def test_no_turns_make_a_file_without_any(name: str, tmp_path: Path) -> None:
    nobody = Annotation("silence.wav", 4001.0, (), WHEN)
    path = written(name, nobody, tmp_path)
    if name == "rttm":
        assert path.read_text() == ""
    elif name == "textgrid":
        assert "tiers? <absent>" in path.read_text()
    elif name == "json":
        assert json.loads(path.read_text())["turns"] == []
    else:
        assert READERS[name](path) == []


@pytest.mark.parametrize("called", NASTY)
@pytest.mark.parametrize("name", FORMATS)
def test_a_name_may_hold_anything(name: str, called: str, tmp_path: Path) -> None:
    found = READERS[name](written(name, annotation(names={0: called, 1: "B"}), tmp_path))
    close([(start, end, "A" if speaker != "B" else "B") for start, end, speaker in found], SPOKEN)
    [told] = {speaker for *_, speaker in found} - {"B"}
    assert told == expected(name, one_line(called))


def expected(name: str, line: str) -> str:
    if name == "rttm":
        return "SPEAKER_00" if line == "<NA>" else "_".join(line.split()).replace('"', "'")
    if name == "srt":
        return line.translate(str.maketrans("<>{}", "‹›()"))
    if name == "csv" and line[0] in "=+-@＝":
        return f"'{line}"
    return line


def test_a_name_is_one_line_without_what_cannot_be_printed() -> None:
    assert one_line("  Ann\r\n\t Lee\x00\x85\u2028\ud83d ") == "Ann Lee"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_utf_8_and_ends_its_last_line(name: str) -> None:
    text = FORMATS[name].write(annotation(names={0: "\udfff 李", 1: "\x07"}))
    text.encode()
    assert text.endswith("\n")


def test_a_confidence_is_told_where_there_is_one() -> None:
    rows = FORMATS["csv"].write(annotation()).splitlines()
    assert rows[0] == "start,end,duration,speaker,confidence"
    assert rows[1:3] == ["0.000,2.500,2.500,A,91.25", "2.000,3.000,1.000,B,"]
    assert json.loads(FORMATS["json"].write(annotation()))["turns"][0]["confidence"] == 91.25


def test_a_webvtt_file_begins_and_is_spaced_as_specified() -> None:
    assert FORMATS["vtt"].write(annotation(Turn(1, 2, 0), names={0: "R&D"})) == (
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\n<v R&amp;D>R&amp;D</v>\n"
    )


# --- tiers


@pytest.mark.parametrize("name", ["textgrid", "eaf"])
def test_two_speakers_of_one_name_keep_a_tier_each(name: str, tmp_path: Path) -> None:
    path = written(name, annotation(names={0: "Ann", 1: "Ann"}), tmp_path)
    found: Any = Elan.Eaf(str(path)) if name == "eaf" else textgrid.openTextgrid(str(path), False)
    tiers = list(found.get_tier_names()) if name == "eaf" else list(found.tierNames)
    assert tiers == ["Ann", "Ann (2)"]


@pytest.mark.parametrize("name", ["textgrid", "eaf"])
def test_turns_of_one_speaker_that_overlap_each_other_are_joined(name: str, tmp_path: Path) -> None:
    turns = (Turn(1, 3, 0), Turn(2, 4, 0), Turn(2.5, 2.75, 0), Turn(4, 5, 0))
    close(READERS[name](written(name, annotation(*turns), tmp_path)), [(1, 4, "A"), (4, 5, "A")])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["textgrid", "eaf"])
def test_tiers_hold_what_was_said_when(name: str, seed: int, tmp_path: Path) -> None:
    """Of any turns: the same instants belong to the same speakers."""
    chance = random.Random(seed)
    starts = [chance.uniform(0, 3900) for _ in range(60)]
    turns = [Turn(start, start + chance.expovariate(1 / 60), chance.randrange(2)) for start in starts]
    turns = [turn for turn in turns if turn.end < 4000]
    found = READERS[name](written(name, annotation(*turns), tmp_path))
    for instant in (chance.uniform(0, 4000) for _ in range(300)):
        if all(abs(instant - edge) > 0.002 for turn in turns for edge in (turn.start, turn.end)):
            said = {speaker for start, end, speaker in found if start <= instant < end}
            assert said == {"AB"[turn.speaker] for turn in turns if turn.start <= instant < turn.end}


def test_an_eaf_says_what_its_schema_requires() -> None:
    document = ElementTree.fromstring(FORMATS["eaf"].write(annotation()))
    assert [child.tag for child in document] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    assert {"AUTHOR", "DATE", "VERSION"} <= set(document.attrib)
    assert document.attrib["DATE"] == "2026-11-21T10:30:00+00:00"
    media = document.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.attrib["RELATIVE_MEDIA_URL"] == "./team%20call.wav"
    slots = [int(slot.attrib["TIME_VALUE"]) for slot in document.iter("TIME_SLOT")]
    assert slots == sorted(slots)
    ids = [turn.attrib["ANNOTATION_ID"] for turn in document.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids)) == len(TURNS)

"""Who spoke when, in the formats that other programs read. Pure text; imports nothing heavy.

Names of speakers may hold anything: each is brought to one line here, and each writer escapes what its format would
take for something else. Times are rounded to milliseconds; no turn becomes empty by that. Overlap stays: formats of
tiers have one for each speaker, and the others let their lines overlap.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree

from .formats import rttm, speaker_label
from .types import Turn

UNPRINTABLE = {"Cc", "Cs", "Cn"}  # Unicode's categories of control characters, half characters and none at all
FORMULA_STARTS = tuple("=+-@＝＋－＠")
SRT_MARKUP = str.maketrans("<>{}", "‹›()")  # SubRip has no escapes: players take these for tags


@dataclass(frozen=True, slots=True)
class Annotation:
    """The turns of one recording of `seconds` seconds. Speakers without a name are called by their label."""

    recording: str  # its file name
    seconds: float
    turns: tuple[Turn, ...]
    made_at: datetime
    names: Mapping[int, str] = field(default_factory=dict)  # by speaker

    def name(self, speaker: int) -> str:
        return one_line(self.names.get(speaker, "")) or speaker_label(speaker)

    def speakers(self) -> list[int]:
        return sorted({turn.speaker for turn in self.turns})

    def in_order(self) -> list[Turn]:
        return sorted(self.turns, key=lambda turn: (turn.start, turn.end, turn.speaker))

    def cues(self) -> list[tuple[int, int, str]]:
        """Start and end in milliseconds, and the speaker's name, in order of time."""
        return [(*_milliseconds(turn), self.name(turn.speaker)) for turn in self.in_order()]

    def tiers(self) -> dict[str, list[tuple[int, int]]]:
        """By a name that no two speakers share: when they speak, in milliseconds, in order.

        A tier cannot hold two things at once, so turns of one speaker that overlap each other are joined.
        """
        tiers: dict[str, list[tuple[int, int]]] = {}
        for speaker in self.speakers():
            own = sorted(_milliseconds(turn) for turn in self.turns if turn.speaker == speaker)
            tiers[_unused(self.name(speaker), tiers)] = _joined(own)
        return tiers


def one_line(name: str) -> str:
    """`name` with white space, line breaks and control characters as single spaces."""
    return " ".join("".join(" " if unicodedata.category(c) in UNPRINTABLE else c for c in name).split())


# --- the writers


def as_rttm(annotation: Annotation) -> str:
    """NIST, The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A."""
    names = {speaker: annotation.name(speaker) for speaker in annotation.speakers()}
    return rttm(annotation.turns, annotation.recording.rpartition(".")[0] or annotation.recording, names)


def as_srt(annotation: Annotation) -> str:
    """SubRip, as the Matroska specification describes it (matroska.org/technical/subtitles.html)."""
    return "".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{name.translate(SRT_MARKUP)}\n\n"
        for number, (start, end, name) in enumerate(annotation.cues(), start=1)
    )


def as_vtt(annotation: Annotation) -> str:
    """W3C, WebVTT: The Web Video Text Tracks Format, with a voice span (section 4.2.2) in each cue."""
    cues = [
        f"\n{number}\n{clock(start, '.')} --> {clock(end, '.')}\n<v {escaped(name)}>{escaped(name)}</v>\n"
        for number, (start, end, name) in enumerate(annotation.cues(), start=1)
    ]
    return "WEBVTT\n" + "".join(cues)


def as_json(annotation: Annotation) -> str:
    """The project's own, described in docs/api.md; text is JSON of RFC 8259."""
    found = {
        "recording": annotation.recording,
        "duration": round(annotation.seconds, 3),
        "speakers": [{"id": speaker, "name": annotation.name(speaker)} for speaker in annotation.speakers()],
        "turns": [
            {
                "start": start / 1000,
                "end": end / 1000,
                "speaker": turn.speaker,
                "name": annotation.name(turn.speaker),
                "confidence": turn.confidence,
            }
            for turn in annotation.in_order()
            for start, end in [_milliseconds(turn)]
        ],
    }
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(annotation: Annotation) -> str:
    """RFC 4180 with a header. Names that a spreadsheet would calculate get an apostrophe (OWASP, CSV Injection)."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["start", "end", "duration", "speaker", "confidence"])
    for turn in annotation.in_order():
        start, end = _milliseconds(turn)
        name = annotation.name(turn.speaker)
        times = [f"{value / 1000:.3f}" for value in (start, end, end - start)]
        confidence = "" if turn.confidence is None else f"{turn.confidence:g}"
        rows.writerow([*times, f"'{name}" if name.startswith(FORMULA_STARTS) else name, confidence])
    return text.getvalue()


def as_textgrid(annotation: Annotation) -> str:
    """Praat's long text format (Praat manual, "TextGrid file formats"): an interval tier for each speaker."""
    tiers = annotation.tiers()
    length = max([round(annotation.seconds * 1000), 1, *(end for spans in tiers.values() for _, end in spans)])
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {length / 1000:.3f}\n'
    head += f"tiers? <exists>\nsize = {len(tiers)}\nitem []:\n" if tiers else "tiers? <absent>\n"
    return head + "".join(_textgrid_tier(number, *tier, length) for number, tier in enumerate(tiers.items(), start=1))


def as_audacity(annotation: Annotation) -> str:
    """Audacity manual, "Importing and Exporting Labels": start, end and label between tabs."""
    return "".join(f"{start / 1000:.6f}\t{end / 1000:.6f}\t{name}\n" for start, end, name in annotation.cues())


def as_eaf(annotation: Annotation) -> str:
    """ELAN Annotation Format 3.0 of the Max Planck Institute for Psycholinguistics (EAFv3.0.xsd)."""
    tiers = annotation.tiers()
    document = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": annotation.made_at.isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ElementTree.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    address = "./" + quote(one_line(annotation.recording).rpartition("/")[2])
    ElementTree.SubElement(
        header, "MEDIA_DESCRIPTOR", MEDIA_URL=address, RELATIVE_MEDIA_URL=address, MIME_TYPE="unknown"
    )
    _add_tiers(document, tiers)
    ElementTree.SubElement(
        document, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="turn", TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false"
    )
    ElementTree.indent(document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(document, encoding="unicode") + "\n"


@dataclass(frozen=True, slots=True)
class Format:
    meaning: str  # for people who choose
    suffix: str
    content_type: str
    write: Callable[[Annotation], str]


FORMATS: dict[str, Format] = {
    "rttm": Format("RTTM, for diarization tools", ".rttm", "text/plain; charset=utf-8", as_rttm),
    "srt": Format("SRT subtitles", ".srt", "application/x-subrip; charset=utf-8", as_srt),
    "vtt": Format("WebVTT subtitles", ".vtt", "text/vtt; charset=utf-8", as_vtt),
    "json": Format("JSON, for programs", ".json", "application/json", as_json),
    "csv": Format("CSV, for spreadsheets", ".csv", "text/csv; charset=utf-8; header=present", as_csv),
    "textgrid": Format("TextGrid, for Praat", ".TextGrid", "text/plain; charset=utf-8", as_textgrid),
    "audacity": Format("Labels, for Audacity", ".labels.txt", "text/plain; charset=utf-8", as_audacity),
    "eaf": Format("EAF, for ELAN", ".eaf", "text/x-eaf+xml; charset=utf-8", as_eaf),
}


# --- parts of them


def _milliseconds(turn: Turn) -> tuple[int, int]:
    start = round(turn.start * 1000)
    return start, max(start + 1, round(turn.end * 1000))


def clock(milliseconds: int, point: str) -> str:
    """00:12:31.250, with the decimal sign of the format."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{rest:03}"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unused(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start < joined[-1][1]:
            start, end = joined[-1][0], max(end, joined.pop()[1])
        joined.append((start, end))
    return joined


def _textgrid_tier(number: int, name: str, spans: list[tuple[int, int]], length: int) -> str:
    """With empty intervals in between, since a tier has to be covered from its start to its end."""
    intervals, position = [], 0
    for start, end in spans:
        intervals += [(position, start, "")] if start > position else []
        intervals.append((start, end, name))
        position = end
    intervals += [(position, length, "")] if length > position else []
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier"',
        f"        name = {_praat(name)}",
        "        xmin = 0",
        f"        xmax = {length / 1000:.3f}",
        f"        intervals: size = {len(intervals)}",
    ]
    for index, (start, end, text) in enumerate(intervals, start=1):
        lines += [
            f"        intervals [{index}]:",
            f"            xmin = {start / 1000:.3f}",
            f"            xmax = {end / 1000:.3f}",
            f"            text = {_praat(text)}",
        ]
    return "\n".join(lines) + "\n"


def _praat(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _add_tiers(document: ElementTree.Element, tiers: Mapping[str, list[tuple[int, int]]]) -> None:
    moments = sorted({moment for spans in tiers.values() for span in spans for moment in span})
    slots = {moment: f"ts{number}" for number, moment in enumerate(moments, start=1)}
    order = ElementTree.SubElement(document, "TIME_ORDER")
    for moment, slot in slots.items():
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(moment))
    number = 0
    for name, spans in tiers.items():
        tier = ElementTree.SubElement(document, "TIER", TIER_ID=name, PARTICIPANT=name, LINGUISTIC_TYPE_REF="turn")
        for start, end in spans:
            number += 1
            turn = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {"ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": slots[start], "TIME_SLOT_REF2": slots[end]},
            )
            ElementTree.SubElement(turn, "ANNOTATION_VALUE").text = name

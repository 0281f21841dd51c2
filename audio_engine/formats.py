"""Turns as RTTM, confidence and the border's values as JSON and back. Imports nothing heavy."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .music import StemsRequest, StemsResult
from .sound import DenoisingRequest, DenoisingResult
from .types import (
    CONFIDENCE_SECONDS,
    DialogueRequest,
    DialogueResult,
    IdentificationRequest,
    Request,
    Result,
    SpeakerRequest,
    SpeakerResult,
    Task,
    TranscriptionRequest,
    TranscriptionResult,
    Turn,
    VoiceprintRequest,
    VoiceprintResult,
)
from .voices import Voiceprint

Value = TypeVar("Value")
SHORTEST = 0.001  # seconds; a turn without any length is none to those who read RTTM
SCORES_AT_ONCE = 1 << 16

# What crosses the border for each task.
REQUESTS: dict[Task, type[Request]] = {
    "extraction": SpeakerRequest,
    "diarization": SpeakerRequest,
    "identification": IdentificationRequest,
    "voiceprint": VoiceprintRequest,
    "dialogue": DialogueRequest,
    "transcription": TranscriptionRequest,
    "denoising": DenoisingRequest,
    "stems": StemsRequest,
}
RESULTS: dict[Task, type[Result]] = {
    "extraction": SpeakerResult,
    "diarization": SpeakerResult,
    "identification": SpeakerResult,
    "voiceprint": VoiceprintResult,
    "dialogue": DialogueResult,
    "transcription": TranscriptionResult,
    "denoising": DenoisingResult,
    "stems": StemsResult,
}


def speaker_label(speaker: int) -> str:
    return f"SPEAKER_{speaker:02d}"


def rttm(turns: Iterable[Turn], recording: str, names: Mapping[int, str] | None = None) -> str:
    """`turns` in NIST's Rich Transcription Time Marked format, one SPEAKER line each, in milliseconds.

    `recording` names the file, `names` the speakers who are called otherwise than by their label. White space, which
    separates fields, becomes underscores; quotation marks, which some readers take for the start of one long field,
    become apostrophes. A confidence becomes a probability, 0.00 to 1.00.
    """
    title = _field(recording) or "recording"
    called = {speaker: _field(name) for speaker, name in (names or {}).items()}
    return "".join(
        f"SPEAKER {title} 1 {turn.start:.3f} {max(turn.duration, SHORTEST):.3f} <NA> <NA> "
        f"{called.get(turn.speaker) or speaker_label(turn.speaker)} {_probability(turn.confidence)} <NA>\n"
        for turn in sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
    )


def _field(text: str) -> str:
    field = "_".join(text.split()).replace('"', "'")
    return "" if field == "<NA>" else field  # which says that there is none


def _probability(confidence: int | None) -> str:
    return "<NA>" if confidence is None else f"{confidence / 100:.2f}"


def parse_rttm(text: str) -> tuple[Turn, ...]:
    """The turns of an RTTM file, other kinds of lines left out; speakers are numbered in order of their first line.

    Raises ValueError that names the line.
    """
    return labelled_rttm(text)[0]


def labelled_rttm(text: str) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """The same, and how the file calls each speaker."""
    speakers: dict[str, int] = {}
    turns = []
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split()
        if not columns or columns[0] != "SPEAKER":
            continue
        try:
            start, duration, label = float(columns[3]), float(columns[4]), columns[7]
        except (IndexError, ValueError):
            raise ValueError(f"line {number} has no start, duration and speaker: {line[:80]!r}") from None
        speaker = speakers.setdefault(label, len(speakers))
        turns.append(Turn(start, start + duration, speaker, _confidence(columns[8:9])))
    return tuple(turns), tuple(speakers)


def _confidence(column: list[str]) -> int | None:
    """The probability there, if there is one; some programs leave the column out or write other things."""
    try:
        probability = float(column[0])
    except (IndexError, ValueError):
        return None
    return round(100 * probability) if 0 <= probability <= 1 else None


def result_json(result: Result) -> str:
    """The text of `result.json`."""
    return json.dumps(result.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_confidence(confidence: bytes, path: Path) -> None:
    """Write a `Diarization.confidence` as {"resolution": seconds, "score": [...]}, piece by piece."""
    with path.open("w", encoding="ascii") as file:
        file.write(f'{{"resolution": {CONFIDENCE_SECONDS}, "score": [')
        for start in range(0, len(confidence), SCORES_AT_ONCE):
            piece = confidence[start : start + SCORES_AT_ONCE]
            file.write(("," if start else "") + ",".join(map(str, piece)))
        file.write("]}\n")


def result_from_json(data: Mapping[str, Any]) -> Result:
    """Raises TypeError, KeyError or ValueError where `data` is no result."""
    return _build(RESULTS[data["task"]], data)


def voiceprint_to_text(voiceprint: Voiceprint) -> str:
    """In Base64: the model's name in UTF-8, a zero byte, and the values as 32-bit floats, little-endian."""
    values = struct.pack(f"<{len(voiceprint.vector)}f", *voiceprint.vector)
    return base64.b64encode(voiceprint.model.encode() + b"\0" + values).decode("ascii")


def voiceprint_from_text(text: str) -> Voiceprint:
    """Raises ValueError where `text` is not what `voiceprint_to_text` makes."""
    model, zero, values = base64.b64decode(text, validate=True).partition(b"\0")
    if not (model and zero and values) or len(values) % 4:
        raise ValueError("this is no voiceprint")
    vector = struct.unpack(f"<{len(values) // 4}f", values)
    if not 0 < sum(value * value for value in vector) < math.inf:
        raise ValueError("the voiceprint's values are no vector with a direction")
    return Voiceprint(model.decode(), vector)


def request_to_json(request: Request) -> dict[str, Any]:
    return asdict(request) | {"source": str(request.source), "output": str(request.output)}


def request_from_json(data: Mapping[str, Any]) -> Request:
    """Raises TypeError, KeyError or ValueError where `data` is no request."""
    return _build(REQUESTS[data["task"]], data)


def _build(kind: type[Value], data: Mapping[str, Any]) -> Value:
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], value) for name, value in data.items() if name in known})


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(kind) is UnionType:
        return _value(next(option for option in get_args(kind) if option is not type(None)), value)
    if get_origin(kind) is tuple:
        return tuple(_value(get_args(kind)[0], item) for item in value)
    if get_origin(kind) is dict:
        key_kind, item_kind = get_args(kind)
        return {key_kind(key): _value(item_kind, item) for key, item in value.items()}
    if is_dataclass(kind):
        return _build(kind, value)  # type: ignore[arg-type]
    return Path(value) if kind is Path else value

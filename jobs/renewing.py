"""The text files of a job as people corrected it since: its turns, its transcript, the names of its speakers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from audio_engine.exports import FORMATS
from audio_engine.transcription.transcript import transcript_json
from audio_engine.transcription.writing import TRANSCRIPT_FORMATS

from . import exports, transcripts, turns
from .errors import JobError
from .models import Job, Track

Kind = Track.Kind
Texts = Mapping[str, bytes]  # by kind of file
SPOKEN = (Kind.TXT, Kind.SRT, Kind.VTT)


def renewed(job: Job, name_of: Callable[[int], str], *, named: bool) -> Texts:
    """Those that hold something else now than when the job ended. `named` says that `name_of` calls somebody by a name
    that was given since.
    """
    corrected = turns.latest(job) != turns.FIRST
    revised = transcripts.latest(job) != transcripts.FIRST
    found: dict[str, bytes] = {}
    try:
        if corrected or named:
            found[Kind.RTTM] = FORMATS["rttm"].write(exports.annotation(job, name_of)).encode()
        if corrected:
            found[Kind.JSON] = _result(job)
        if revised or corrected or named:
            found |= _transcript(job, name_of)
    except JobError:  # it tells neither turns nor words, or the file of these is gone
        return found
    return found


def _result(job: Job) -> bytes:
    return (json.dumps(turns.result(job), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _transcript(job: Job, name_of: Callable[[int], str]) -> dict[str, bytes]:
    said = transcripts.read(job)
    names = transcripts.names(job, name_of)
    texts = {kind: TRANSCRIPT_FORMATS[kind].write(said, names, words=False) for kind in SPOKEN}
    return {kind: text.encode() for kind, text in ({Kind.TRANSCRIPT: transcript_json(said)} | texts).items()}

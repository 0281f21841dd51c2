"""From a recording to a result: probe, decode, diarize, measure and cut tracks, write the files."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import registry
from .backends.base import Samples
from .background import BackgroundMask
from .decoding import Decoder
from .downmix import write_mono
from .errors import EngineError
from .formats import result_json, rttm, write_confidence
from .masking import Masking
from .media import probe
from .options import check_request
from .progress import OverallProgress, ignore_progress
from .rendering import Rendering, render
from .separation import Separator
from .types import Diarization, MediaInfo, OutputFile, Progress, Request, Result, Turn

# Seconds that a second of recording takes, by which progress is judged until each step shows its own pace; the second
# pass, with writing, takes about twice as long as the first.
EXPECTED = {"decode": 1 / 700, "diarize": 1 / 60, "render": 1 / 350}
PROPORTIONS = {"render": ("decode", 2.0)}

NO_SPEECH = "No speech was found."
NO_PAUSES = "The background was left as it is: there is too little of it between the turns to know it by."
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def extract(request: Request, progress: Progress = ignore_progress) -> Result:
    """Find who spoke when in `request.source` and leave the files of the result in `request.output`.

    A recording without speech gives a result with no speakers, no tracks and a warning, not an error: whether nothing
    to hear is a failure is for the caller to say. `progress` may raise `Canceled`, which passes through.

    Raises EngineError: any code of `media.probe`, `Decoder.blocks` and `registry.load`, INVALID_OPTION, OUT_OF_MEMORY,
    DISK_FULL, and what the backend raises. The output folder never holds an unfinished file.
    """
    check_request(request)
    registry.resolve(request.engine)
    with _resource_errors(), _scratch_folder(request.output) as scratch:
        media = probe(request.source, request.limits)
        expected = {step: share * media.seconds for step, share in EXPECTED.items()}
        overall = OverallProgress(progress, expected, PROPORTIONS)
        pcm, media, warnings = _decode(request, media, scratch, overall.step("decode"))
        report = overall.step("diarize")
        engine = registry.load(request.engine)
        found = engine.diarize(pcm, request.speakers, scratch, report)
        found = replace(found, turns=_within(found.turns, media), exclusive=_within(found.exclusive, media))
        separator, background = _masks(request, found, pcm)
        if background and not background.knows_background:
            warnings = (*warnings, NO_PAUSES)
        masking = Masking(media, separator, background)
        rendering = render(request, media, found, masking, scratch, overall.step("render"))
        result = _result(request, engine.name, media, found, rendering)
        overlaps = separator.spans() if separator else ()
        result = replace(result, overlaps=overlaps, warnings=(*warnings, *result.warnings))
        return _publish(request, result, found.confidence, scratch)


def _decode(
    request: Request, media: MediaInfo, scratch: Path, progress: Progress
) -> tuple[Samples, MediaInfo, tuple[str, ...]]:
    decoder = Decoder(request.source, request.limits)
    pcm = write_mono(
        decoder, media.layout, scratch / "mono.f32", lambda seconds: progress("decode", seconds / media.seconds)
    )
    seconds = decoder.frames / decoder.rate
    return pcm, replace(media, seconds=seconds), tuple(_decoding_warnings(decoder))


def _decoding_warnings(decoder: Decoder) -> Iterator[str]:
    if decoder.missing_frames:
        seconds = decoder.missing_frames / decoder.rate
        yield f"{seconds:.2f} s of the recording are missing or damaged and count as silence."
    if decoder.invalid_samples:
        yield f"{decoder.invalid_samples} samples of the recording are no valid numbers and count as silence."


def _within(turns: tuple[Turn, ...], media: MediaInfo) -> tuple[Turn, ...]:
    """`turns` without what lies beyond the recording, to whose end a backend's frames need not fit."""
    cut = (replace(turn, start=max(0.0, turn.start), end=min(turn.end, media.seconds)) for turn in turns)
    return tuple(turn for turn in cut if turn.duration > 0)


def _masks(request: Request, found: Diarization, pcm: Samples) -> tuple[Separator | None, BackgroundMask | None]:
    tracks = request.task == "extraction"
    separator = Separator(pcm, found.turns) if tracks and request.overlap == "separate" else None
    background = BackgroundMask(pcm, found.turns) if tracks and request.clean_background else None
    return separator, background


def _result(request: Request, engine: str, media: MediaInfo, found: Diarization, rendering: Rendering) -> Result:
    return Result(
        task=request.task,
        engine=engine,
        models=found.models,
        media=media,
        overlap=request.overlap,
        speakers=rendering.speakers,
        recording=rendering.recording,
        turns=found.turns,
        exclusive=found.exclusive,
        files=rendering.files,
        warnings=found.warnings if found.turns else (*found.warnings, NO_SPEECH),
        compact_maps=rendering.compact_maps,
        peaks=rendering.peaks,
    )


def _publish(request: Request, result: Result, confidence: bytes, scratch: Path) -> Result:
    """Write RTTM, confidence and JSON and move all files to where the caller looks for them, `result.json` last."""
    rttm_path = scratch / f"{request.task}.rttm"
    rttm_path.write_text(rttm(result.turns, request.title or request.source.stem), encoding="utf-8")
    written = [OutputFile("rttm", rttm_path.name, rttm_path.stat().st_size)]
    if confidence:
        confidence_path = scratch / "confidence.json"
        write_confidence(confidence, confidence_path)
        written.append(OutputFile("confidence", confidence_path.name, confidence_path.stat().st_size))
    result = replace(result, files=(*result.files, *written))
    json_path = scratch / "result.json"
    json_path.write_text(result_json(result), encoding="utf-8")
    result = replace(result, files=(*result.files, OutputFile("json", json_path.name, json_path.stat().st_size)))
    for file in result.files:
        (scratch / file.name).replace(request.output / file.name)
    return result


@contextmanager
def _scratch_folder(output: Path) -> Iterator[Path]:
    """A folder for unfinished files, beside the finished ones so that moving them copies nothing."""
    output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=output))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _resource_errors() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise EngineError("OUT_OF_MEMORY", "The machine ran out of memory.", permanent=False) from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise EngineError("DISK_FULL", "The disk is full.", permanent=False) from error
        raise

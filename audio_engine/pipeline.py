"""From a request to its result: what all tasks share. The work itself is one module's for each task."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import denoising, dialogue, enrolment, registry, speakers, splitting, transcribing
from .errors import FULL_DISK, EngineError
from .formats import result_json
from .media import probe
from .music import StemsRequest
from .options import check_request
from .progress import ignore_progress
from .sound import DenoisingRequest
from .types import (
    DialogueRequest,
    MediaInfo,
    OutputFile,
    Progress,
    Request,
    Result,
    SpeakerRequest,
    TranscriptionRequest,
    VoiceprintRequest,
)


def run(request: Request, progress: Progress = ignore_progress) -> Result:
    """Do what `request` asks with its source and leave the files of the result in `request.output`.

    A recording in which nothing was found gives a result that says so, and a warning, not an error: whether that is a
    failure is for the caller to say. `progress` may raise `Canceled`, which passes through.

    Raises EngineError: any code of `media.probe`, `Decoder.blocks` and `registry.load`, INVALID_OPTION, OUT_OF_MEMORY,
    DISK_FULL, and what a backend raises. The output folder never holds an unfinished file.
    """
    check_request(request)
    registry.begin_request()
    for engine, task in request.engines():
        registry.resolve(engine, task)
    with _resource_errors(), _scratch_folder(request.output) as scratch:
        media = probe(request.source, request.limits)
        return _publish(_perform(request, media, scratch, progress), scratch, request.output)


def _perform(request: Request, media: MediaInfo, scratch: Path, progress: Progress) -> Result:
    """Have the task's module do its work; it leaves the files that its result names in `scratch`."""
    match request:
        case TranscriptionRequest():
            return transcribing.transcribe(request, media, scratch, progress)
        case SpeakerRequest():
            return speakers.find(request, media, scratch, progress)
        case VoiceprintRequest():
            return enrolment.learn(request, media, scratch, progress)
        case DialogueRequest():
            return dialogue.separate(request, media, scratch, progress)
        case DenoisingRequest():
            return denoising.denoise(request, media, scratch, progress)
        case StemsRequest():
            return splitting.split(request, media, scratch, progress)
    raise TypeError(f"no module does {request.task}")


def _publish(result: Result, scratch: Path, output: Path) -> Result:
    """Write JSON and move all files to where the caller looks for them, `result.json` last."""
    json_path = scratch / "result.json"
    json_path.write_text(result_json(result), encoding="utf-8")
    result = replace(result, files=(*result.files, OutputFile("json", json_path.name, json_path.stat().st_size)))
    for file in result.files:
        (scratch / file.name).replace(output / file.name)
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
        if error.errno in FULL_DISK:
            raise EngineError("DISK_FULL", "The disk is full.", permanent=False) from error
        raise

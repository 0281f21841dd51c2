"""The job page shown to whoever has no account yet.

demonstration.json is the result.json of our own engine for the sample that pyannote.audio's package carries
(`python -m audio_engine extract SAMPLE --output FOLDER`); the sound is read from the installed package.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from django.urls import reverse

from . import figures

RESULT = Path(__file__).with_name("demonstration.json")


@cache
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULT.read_text())
    return found


@cache
def recording() -> Path:
    """Found by the package's list of files: importing it would bring torch into the web server."""
    return Path(str(distribution("pyannote.audio").locate_file("pyannote/audio/sample/sample.wav")))


def context() -> dict[str, Any]:
    return {
        "cards": figures.speaker_cards(result(), []),
        "recording": figures.recording_figures(result()),
        "seconds": result()["media"]["seconds"],
        "timeline": reverse("demonstration-timeline"),
        "of_speakers": True,
    }


def timeline() -> dict[str, Any]:
    """Without tracks: a speaker alone is the recording, heard in their turns only."""
    return figures.timeline(result(), reverse("demonstration-recording"), {})

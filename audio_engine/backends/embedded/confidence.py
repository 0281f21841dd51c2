"""How sure the diarization is of each 20 ms and of each turn.

What the steps before have left (posteriors, similarities to the speakers' centroids, the turns themselves) becomes the
probability that in a frame just those speak whose turns say so: nobody missed, nobody added, nobody taken for another.
One logistic model for each number of voices the turns tell of. MODEL_CARD.md says what they were fitted on.

Sources: Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood Methods"
(1999) for scores turned into probabilities by logistic regression; Niculescu-Mizil & Caruana, "Predicting Good
Probabilities with Supervised Learning" (ICML 2005) for judging them by reliability diagrams.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...types import Diarization, Turn
from .activity import Posteriors
from .blocks import block_ranges
from .embeddings import EncoderName
from .frame_features import FRAME_RATE
from .resegmentation import Scores

FEATURES = (
    "speech",  # logit of silero's posterior
    "speech around",  # its mean over AROUND
    "overlap",  # logit of its posterior
    "overlap around",
    "edge",  # frames to the nearest begin or end of a turn, log
    "similarity",  # of the frame to the centroid of its speaker
    "margin",  # by which that exceeds the similarity to the next best
    "talk",  # seconds that the frame's speaker speaks in all, log; of the one who speaks least where several do
    "one speaker",  # 1 where the recording has at most one, and so no margin
)
VOICES = 3  # none, one, several
AROUND = 51  # frames: 1 s
CERTAIN = 1e-3  # posteriors nearer to 0 or 1 tell no more
TALK = (1.0, 60.0)  # seconds between which more of it tells more
BLOCK_FRAMES = 600 * FRAME_RATE

Support = npt.NDArray[np.float16]
"""Shape (frames, 2): similarity to the chosen speaker's centroid, and by how much it exceeds the next best."""

Rows = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Evidence:
    """What confidence is judged by: posteriors of any speech and of two or more voices, shape (frames,), and the
    support of each 20 ms frame's speaker."""

    speech: Posteriors
    overlap: Posteriors
    support: Support


@dataclass(frozen=True)
class ConfidenceModel:
    """Logistic models, one for each number of voices. Features count between `low` and `high`, the range of the
    recordings it was fitted on; `weights` (VOICES, features), `bias` (VOICES,)."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]

    @classmethod
    def load(cls, path: Path) -> ConfidenceModel:
        values = json.loads(path.read_text(encoding="ascii"))
        weights = tuple(tuple(row) for row in values["weights"])
        return cls(tuple(values["low"]), tuple(values["high"]), weights, tuple(values["bias"]))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"features": FEATURES} | asdict(self), indent=1) + "\n", encoding="ascii")

    def probabilities(self, rows: Rows, voices: Counts) -> npt.NDArray[np.float64]:
        """That the frames are right, shape (frames,); `rows` (frames, features), `voices` (frames,) in each."""
        inside = np.clip(rows, self.low, self.high)
        scores = np.einsum("ij,ij->i", inside, np.array(self.weights)[voices]) + np.array(self.bias)[voices]
        return 1 / (1 + np.exp(-scores))


def weights_path(encoder: EncoderName) -> Path:
    return Path(__file__).with_name(f"confidence_{encoder}.json")


@cache
def shipped_model(encoder: EncoderName) -> ConfidenceModel:
    return ConfidenceModel.load(weights_path(encoder))


def support(scores: Scores, path: npt.NDArray[np.int64]) -> Support:
    """Of the speaker that `path` (frames,) chooses by `scores` (frames, speakers); margin 0 where there is one only."""
    frames = np.arange(len(path))
    chosen = scores[frames, path]
    if scores.shape[1] == 1:
        return np.stack((chosen, np.zeros_like(chosen)), axis=1).astype(np.float16)
    others = scores.copy()
    others[frames, path] = -np.inf
    return np.stack((chosen, chosen - others.max(axis=1)), axis=1).astype(np.float16)


def with_confidence(found: Diarization, evidence: Evidence, model: ConfidenceModel) -> Diarization:
    """`found` with the confidence of each frame, and of each turn: the mean of its frames."""
    frames = Frames(found, evidence)
    scores = np.zeros(len(frames), dtype=np.uint8)
    for start, stop in block_ranges(len(frames), BLOCK_FRAMES):
        right = model.probabilities(frames.features(start, stop), frames.voices[start:stop])
        scores[start:stop] = np.rint(100 * right)
    return replace(
        found,
        turns=_rated(found.turns, scores),
        exclusive=_rated(found.exclusive, scores),
        confidence=scores.tobytes(),
    )


def _rated(turns: tuple[Turn, ...], scores: npt.NDArray[np.uint8]) -> tuple[Turn, ...]:
    return tuple(replace(turn, confidence=round(float(scores[frames_of(turn)].mean()))) for turn in turns)


def frames_of(turn: Turn) -> slice:
    return slice(round(turn.start * FRAME_RATE), round(turn.end * FRAME_RATE))


class Frames:
    """A diarization and its evidence, frame by frame."""

    def __init__(self, found: Diarization, evidence: Evidence) -> None:
        self._evidence = evidence
        self._one_speaker = float(found.speakers <= 1)
        self.voices: Counts = np.zeros(len(self), dtype=np.int8)
        self._talk = np.full(len(self), np.inf, dtype=np.float32)
        talk: dict[int, float] = defaultdict(float)
        for turn in found.turns:
            talk[turn.speaker] += turn.duration
        for turn in found.turns:
            part = frames_of(turn)
            self.voices[part] += 1
            self._talk[part] = np.minimum(self._talk[part], talk[turn.speaker])
        self._talk[self.voices == 0] = 0
        np.minimum(self.voices, VOICES - 1, out=self.voices)
        edges = {edge for turn in found.turns for edge in (frames_of(turn).start, frames_of(turn).stop)}
        self._edges = np.array(sorted(edges | {0, len(self)}))

    def __len__(self) -> int:
        return len(self._evidence.speech)

    def features(self, start: int, stop: int) -> Rows:
        """Of the frames start to stop, shape (frames, features), in the order of FEATURES."""
        speech, overlap = self._evidence.speech, self._evidence.overlap
        similarity, margin = self._evidence.support[start:stop].T
        columns = (
            _logit(speech[start:stop]),
            _around(speech, start, stop),
            _logit(overlap[start:stop]),
            _around(overlap, start, stop),
            np.log1p(self._distances(start, stop)),
            similarity,
            margin,
            np.log(np.clip(self._talk[start:stop], *TALK)),
            np.full(stop - start, self._one_speaker),
        )
        return np.stack(columns, axis=1).astype(np.float64)

    def _distances(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Frames from each frame's centre to the nearest edge of a turn or of the recording."""
        centres = np.arange(start, stop) + 0.5
        behind = np.searchsorted(self._edges, centres)
        return np.minimum(centres - self._edges[behind - 1], self._edges[behind] - centres)


def _logit(posteriors: Posteriors) -> npt.NDArray[np.float64]:
    clipped = np.clip(posteriors.astype(np.float64), CERTAIN, 1 - CERTAIN)
    return np.log(clipped / (1 - clipped))


def _around(posteriors: Posteriors, start: int, stop: int) -> npt.NDArray[np.float64]:
    """The logits' means over AROUND frames centred on each of start to stop, the recording's first and last going on
    beyond its ends."""
    half = AROUND // 2
    inside = _logit(posteriors[max(start - half, 0) : stop + half])
    beyond = (max(half - start, 0), max(stop + half - len(posteriors), 0))
    total = np.concatenate(([0.0], np.cumsum(np.pad(inside, beyond, mode="edge"))))
    return (total[AROUND:] - total[:-AROUND]) / AROUND

"""Fits the confidence of the embedded engine:
`python -m audio_engine.training.confidence --speech FOLDER [--encoder NAME]`.

FOLDER holds recordings of one speaker each, clean and without long pauses. Conversations are made of them and
diarized; the models then learn from the frames that came out right and those that came out wrong. All is drawn from
`--seed`, on one CPU thread, in a few minutes. To be run again whenever another step of the engine has changed.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment, minimize

from ..backends.embedded import EmbeddedDiarizer
from ..backends.embedded.activity import drop_runs
from ..backends.embedded.confidence import (
    VOICES,
    ConfidenceModel,
    Counts,
    Frames,
    Rows,
    frames_of,
    weights_path,
)
from ..backends.embedded.embeddings import EncoderName
from ..progress import ignore_progress
from ..types import SpeakerBounds, Turn
from .acoustics import Generator
from .conversations import Mixture, Voice, conversation
from .frame_head import packaged_silero, read_voices

SPEAKER_COUNTS = {0: 0.02, 1: 0.10, 2: 0.24, 3: 0.20, 4: 0.20, 5: 0.10, 6: 0.09, 8: 0.05}
CROWD = 6
SECONDS = (40, 110)
PAUSE = 30  # frames of 10 ms: shorter pauses within a turn are speech, as in NIST's evaluations
MOST_OVERLAP = 0.25  # of the speech
LEAST_SPEECH = 0.4  # of the conversation
SHORTEST_TURN = 100  # frames of 10 ms, on average
EVERY = 5  # frames of 20 ms of which one is learned from: neighbours tell the same
RANGE = (1, 99)  # percentiles between which features count
RIDGE = 1e-4

Truth = npt.NDArray[np.bool_]
"""Who speaks in each 20 ms frame, shape (frames, speakers)."""

logger = logging.getLogger(__name__)


def train(speech: Path, encoder: EncoderName, conversations: int, seed: int) -> ConfidenceModel:
    """The model fitted on so many made-up conversations between the voices of `speech`."""
    torch.set_num_threads(1)
    voices = read_voices(speech, packaged_silero())
    if len(voices) < max(SPEAKER_COUNTS) + CROWD:
        raise SystemExit(f"{speech} holds {len(voices)} recordings of a speaker; {max(SPEAKER_COUNTS) + CROWD} needed.")
    engine, learned = EmbeddedDiarizer(encoder), []
    for number in range(conversations):
        learned.append(lesson(engine, usual_conversation(np.random.default_rng([seed, number]), voices)))
        if (number + 1) % 20 == 0:
            logger.info("%d conversations diarized", number + 1)
    rows, counts, right = (np.concatenate(parts) for parts in zip(*learned, strict=True))
    return fit(rows, counts, right)


def usual_conversation(generator: Generator, voices: list[Voice]) -> Mixture:
    """The first that comes of the kind people record: mostly one at a time, in turns, and nobody else about. Pauses
    shorter than PAUSE are taken for speech."""
    while True:
        count = int(generator.choice(list(SPEAKER_COUNTS), p=list(SPEAKER_COUNTS.values())))
        chosen = [voices[row] for row in generator.permutation(len(voices))]
        seconds = generator.uniform(*SECONDS)
        mixture = conversation(generator, chosen[:count], seconds, chosen[count:][:CROWD])
        for speaker in range(count):
            mixture.active[:, speaker] = drop_runs(mixture.active[:, speaker], False, PAUSE)
        if not mixture.crowded and (count == 0 or _usual(mixture.active)):
            return mixture


def _usual(active: Truth) -> bool:
    speech, overlap = active.any(axis=1).sum(), (active.sum(axis=1) > 1).sum()
    turns = (np.diff(active.astype(np.int8), axis=0, prepend=0) == 1).sum()
    often = speech > LEAST_SPEECH * len(active)
    return bool(often and overlap <= MOST_OVERLAP * speech and active.sum() >= SHORTEST_TURN * turns)


def lesson(engine: EmbeddedDiarizer, mixture: Mixture) -> tuple[Rows, Counts, npt.NDArray[np.bool_]]:
    """Some frames' features, numbers of voices by the turns, and whether those are right."""
    with tempfile.TemporaryDirectory() as scratch:
        found, evidence = engine.examine(mixture.wave, SpeakerBounds(), Path(scratch), ignore_progress)
    frames = Frames(found, evidence)
    truth = mixture.active[1::2]  # at the frames' centres
    right = right_frames(found.turns, np.pad(truth, ((0, len(frames) - len(truth)), (0, 0))))
    return frames.features(0, len(frames))[::EVERY], frames.voices[::EVERY], right[::EVERY]


def right_frames(turns: tuple[Turn, ...], truth: Truth) -> npt.NDArray[np.bool_]:
    """Where just those speak who are said to, speakers matched one to one so that they agree for longest."""
    said = np.zeros((len(truth), max((turn.speaker + 1 for turn in turns), default=0)), dtype=bool)
    for turn in turns:
        said[frames_of(turn), turn.speaker] = True
    ours, theirs = linear_sum_assignment(-(said.T.astype(np.float64) @ truth))
    wrong = (said[:, ours] != truth[:, theirs]).any(axis=1)
    wrong |= np.delete(said, ours, axis=1).any(axis=1) | np.delete(truth, theirs, axis=1).any(axis=1)
    return np.asarray(~wrong)


def fit(rows: Rows, counts: Counts, right: npt.NDArray[np.bool_]) -> ConfidenceModel:
    low, high = np.percentile(rows, RANGE, axis=0)
    inside = np.clip(rows, low, high)
    middle, spread = inside.mean(axis=0), inside.std(axis=0) + 1e-6
    scaled = (inside - middle) / spread
    solved = np.array([_logistic(scaled[counts == voices], right[counts == voices]) for voices in range(VOICES)])
    weights = solved[:, :-1] / spread
    bias = solved[:, -1] - weights @ middle
    return ConfidenceModel(*(_rounded(values) for values in (low, high, weights, bias)))


def _logistic(rows: Rows, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Weights and, last, bias of the largest likelihood, with a little weight decay."""
    rows, signs = np.column_stack((rows, np.ones(len(rows)))), np.where(right, 1.0, -1.0)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margins = signs * (rows @ weights)
        slopes = -signs / (1 + np.exp(margins))
        decay = RIDGE * weights
        return np.logaddexp(0, -margins).mean() + decay @ weights / 2, rows.T @ slopes / len(rows) + decay

    return np.asarray(minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B").x)


def _rounded(values: npt.NDArray[np.float64]) -> tuple[Any, ...]:
    """Four digits, as tuples of tuples."""
    if values.ndim > 1:
        return tuple(_rounded(row) for row in values)
    return tuple(float(f"{value:.4g}") for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="folder of recordings of one speaker each")
    parser.add_argument(
        "--encoder", choices=("campplus", "ge2e"), default="campplus", help="with which the engine works"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write; by default the package's")
    parser.add_argument("--conversations", type=int, default=240, help="to make and diarize, a minute or so each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    model = train(options.speech, options.encoder, options.conversations, options.seed)
    model.save(options.output or weights_path(options.encoder))


if __name__ == "__main__":
    main()

"""Fits the voice space: `python -m audio_engine.training.voice_space --speech FOLDER [--encoder NAME]`.

FOLDER holds recordings of one speaker each, clean and without long pauses. Conversations are made of them and heard as
the engine hears recordings; the windows in which one voice is heard then say what differs between voices and what
within one. All is drawn from the seeds of the encoder's `Fit`, on one CPU thread.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..backends.embedded import EmbeddedDiarizer
from ..backends.embedded.embeddings import EncoderName
from ..backends.embedded.level import frame_levels, gain_curve
from ..backends.embedded.voice_space import VoiceSpace, weights_path
from ..progress import ignore_progress
from .acoustics import Generator
from .conversations import Mixture, Voice, conversation
from .frame_head import packaged_silero, read_voices

HELD_OUT = 5  # every so manieth voice is not learned from, so that there are some to measure on
SPEAKERS = (2, 7)
SECONDS = 60.0
CROWD = 6
MOSTLY, HARDLY = 0.6, 0.1  # parts of a window that one voice has at least and all others have at most
LEAST_WINDOWS = 4  # of a voice in a conversation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """How a space is fitted: to how many `conversations` of each seed, in how many `dimensions`; `ridge` times the mean
    variance within voices is added to it, so that no direction looks telling by chance. `prior` as VoiceSpace's."""

    conversations: dict[int, int]
    dimensions: int
    ridge: float
    prior: float


FITS: dict[EncoderName, Fit] = {
    "campplus": Fit({5: 300}, dimensions=128, ridge=0.1, prior=13.0),
    "ge2e": Fit({5: 400, 6: 700}, dimensions=96, ridge=1.0, prior=8.0),
}


@dataclass(frozen=True)
class Lesson:
    """A conversation's windows in which one voice is heard: `vectors` (windows, inputs) and whose they are."""

    vectors: npt.NDArray[np.float32]
    speakers: npt.NDArray[np.int64]


def train(speech: Path, encoder: EncoderName) -> VoiceSpace:
    """The space fitted on made-up conversations between the voices of `speech`."""
    torch.set_num_threads(1)
    every = read_voices(speech, packaged_silero())
    voices = [voice for number, voice in enumerate(every) if number % HELD_OUT]
    if len(voices) < SPEAKERS[1] + CROWD:
        needed = SPEAKERS[1] + CROWD
        raise SystemExit(f"{speech} holds {len(voices)} recordings of a speaker to learn from; {needed} needed.")
    engine, lessons = EmbeddedDiarizer(encoder), []
    for seed, count in FITS[encoder].conversations.items():
        for number in range(count):
            lessons.append(lesson(engine, one_minute(np.random.default_rng([seed, number]), voices)))
        logger.info("%d conversations heard", len(lessons))
    return fit(lessons, FITS[encoder])


def one_minute(generator: Generator, voices: list[Voice]) -> Mixture:
    count = int(generator.integers(SPEAKERS[0], SPEAKERS[1] + 1))
    chosen = [voices[row] for row in generator.permutation(len(voices))]
    return conversation(generator, chosen[:count], SECONDS, chosen[count:][:CROWD])


def lesson(engine: EmbeddedDiarizer, mixture: Mixture) -> Lesson:
    with tempfile.TemporaryDirectory() as scratch:
        gain = gain_curve(frame_levels(mixture.wave))
        _, windows = engine.hear(mixture.wave, gain, Path(scratch), ignore_progress)
        vectors = windows.take(np.arange(len(windows)))
    shares = _shares(mixture.active, windows.centres, windows.scales[0])
    most = shares.max(axis=1)
    alone = (most > MOSTLY) & (shares.sum(axis=1) - most < HARDLY)
    return Lesson(vectors[alone].reshape(-1, vectors.shape[1] * vectors.shape[2]), shares[alone].argmax(axis=1))


def _shares(active: npt.NDArray[np.bool_], centres: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.float64]:
    """The part of each window of `length` in which each speaker speaks, shape (windows, speakers)."""
    total: npt.NDArray[np.float64] = np.concatenate((np.zeros((1, active.shape[1])), np.cumsum(active, axis=0)))
    low, high = (np.clip(centres + side * (length // 2), 0, len(active)) for side in (-1, 1))
    spoken: npt.NDArray[np.float64] = (total[high] - total[low]) / length
    return spoken


def fit(lessons: list[Lesson], how: Fit) -> VoiceSpace:
    """The directions with the most variance between voices for their variance within, both taken within conversations,
    scaled so that the latter is 1."""
    from scipy.linalg import eigh

    lessons = [one for one in lessons if len(one.vectors)]
    within, between = _covariances(lessons)
    inputs = len(within)
    _, directions = eigh(between, within + how.ridge * np.trace(within) / inputs * np.eye(inputs))
    directions = directions[:, ::-1][:, : how.dimensions]
    directions /= np.sqrt(np.einsum("id,ij,jd->d", directions, within, directions))
    variances = np.einsum("id,ij,jd->d", directions, between, directions)
    mean = np.mean([one.vectors.mean(axis=0) for one in lessons], axis=0)
    variances = np.maximum(variances, 1e-3)
    return VoiceSpace(*(np.asarray(values, dtype=np.float32) for values in (mean, directions, variances, how.prior)))


def _covariances(lessons: list[Lesson]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of windows about their voice's mean, and of those means about the mean of the conversation's voices."""
    inside, means = [], []
    for one in lessons:
        mine = [one.vectors[one.speakers == speaker].astype(np.float64) for speaker in np.unique(one.speakers)]
        mine = [vectors for vectors in mine if len(vectors) >= LEAST_WINDOWS]
        inside += mine
        if len(mine) > 1:
            means.append(np.stack([vectors.mean(axis=0) for vectors in mine]))
    return _pooled(inside), _pooled(means)


def _pooled(groups: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Covariance about the groups' own means."""
    total = sum(len(group) - 1 for group in groups)
    deviations = (group - group.mean(axis=0) for group in groups)
    return np.asarray(sum(group.T @ group for group in deviations) / total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="folder of recordings of one speaker each")
    parser.add_argument("--encoder", choices=FITS, default="campplus", help="whose embeddings it is for")
    parser.add_argument("--output", type=Path, help="safetensors file to write; by default the package's")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(options.speech, options.encoder).save(options.output or weights_path(options.encoder))


if __name__ == "__main__":
    main()

"""A small speaker network that works, in the layout of community-1, where the true weights are not at hand:
`python -m benchmarks.thin_wespeaker SPEECH FOLDER [--batches N]`.

SPEECH holds recordings of one speaker each, clean and without long pauses. FOLDER becomes a models folder for
`pyannote_gate --scripted`: a WeSpeaker ResNet of the true class and depth, and so of the same reach along time, with
a quarter of the channels. It learns to have a voice where CAM++ has it, which took far more voices to train, in a
quarter of an hour. The segmentation and the PLDA in there are random.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from scipy.signal import oaconvolve

from audio_engine.backends.embedded import EmbeddedDiarizer
from audio_engine.backends.embedded.level import frame_levels, gain_curve
from audio_engine.progress import ignore_progress
from audio_engine.training import acoustics, channels, noises
from audio_engine.training.conversations import Voice
from audio_engine.training.frame_head import packaged_silero, read_voices
from tests.audio_engine.pyannote import random_models

from .community_1 import MODEL, RATE, recording

SEED = 4
CHANNELS, DIMENSION = 8, 192  # where the true one has 32 and 256
WINDOW = 10.0  # seconds, as community-1's
HELD_OUT = 5  # every so manieth voice is not learned from
SPEEDS = (90, 100, 111)  # %: a voice at each is a voice of its own
CROP = 2 * RATE
BATCH, BATCHES = 32, 600
SHARPNESS = 20.0  # of the softmax over cosines
FASTEST = 3e-3  # rate of learning
DISTURBANCES = 100  # rooms and noises that are drawn from
CROPS = 16  # of each of the other voices, to see how well it knows them again

logger = logging.getLogger(__name__)


class ThinWeSpeakerResNet34(BaseWeSpeakerResNet):
    __module__ = "benchmarks.thin_wespeaker"  # by which a checkpoint names it, also of a program's own classes

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        blocks = [3, 4, 6, 3]
        self.resnet = ResNet(BasicBlock, blocks, CHANNELS, 80, DIMENSION, pooling_func="TSTP", two_emb_layer=False)


class Disturbed:
    """Crops of voices as they sound in rooms, through microphones, in noise."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._generator = np.random.default_rng(SEED)
        speech = (voice.wave.reshape(len(voice.active), -1)[voice.active].ravel() for voice in voices)
        self._speech = [np.resize(wave, max(len(wave), 2 * CROP)) for wave in speech]
        drawn = range(DISTURBANCES)
        self._rooms = [acoustics.room(self._generator).response(self._generator) for _ in drawn]
        self._noises = [noises.background(self._generator, CROP) for _ in drawn]

    def __len__(self) -> int:
        return len(self._speech)

    def crop(self, number: int) -> npt.NDArray[np.float32]:
        draw = self._generator
        start = draw.integers(len(self._speech[number]) - CROP)
        crop = self._speech[number][start : start + CROP]
        if draw.random() < 0.7:
            response = channels.colour(draw, self._rooms[draw.integers(DISTURBANCES)])
            crop = oaconvolve(crop, response)[:CROP]
        if draw.random() < 0.7:
            level = np.sqrt(np.square(crop).mean()) * 10 ** (-draw.uniform(0, 30) / 20)
            crop = crop + level * self._noises[draw.integers(DISTURBANCES)]
        return (crop * 0.1 / (np.abs(crop).max() + 1e-9)).astype(np.float32)

    def batches(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Crops (BATCH, 1, samples) and whose they are."""
        for _ in range(count):
            numbers = self._generator.integers(len(self), size=BATCH)
            yield torch.from_numpy(np.stack([self.crop(number) for number in numbers])[:, None]), torch.tensor(numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batches", type=int, default=BATCHES)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    voices = read_voices(options.speech, packaged_silero())
    learned = at_speeds([voice for number, voice in enumerate(voices) if number % HELD_OUT], SPEEDS)
    network = train(learned, options.batches)
    folder = options.folder / MODEL.name
    sizes = replace(random_models.TINY, window_seconds=WINDOW, dimension=DIMENSION)
    random_models.segmentation(folder / "segmentation" / "pytorch_model.bin", recording(2 * WINDOW), sizes)
    random_models.save(network, folder / "embedding" / "pytorch_model.bin")
    random_models.plda(folder / "plda", sizes)
    random_models.community_configuration(folder)
    others = held_out(voices)
    known = known_again(embedded(network, others))
    logger.info("of %d other voices %.0f %% of crops are known again", len(others), 100 * known)


def held_out(voices: Sequence[Voice]) -> Sequence[Voice]:
    """Those that are not learned from."""
    return voices[::HELD_OUT]


def at_speeds(voices: Sequence[Voice], speeds: Sequence[int]) -> list[Voice]:
    return [voice.at_speed(speed) for voice in voices for speed in speeds]


def train(voices: Sequence[Voice], batches: int) -> ThinWeSpeakerResNet34:
    torch.manual_seed(SEED)
    centres = centres_of(voices)
    network = ThinWeSpeakerResNet34()
    network.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW
    )
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, FASTEST, total_steps=batches)
    for number, (crops, speakers) in enumerate(Disturbed(voices).batches(batches)):
        cosines = torch.nn.functional.normalize(embeddings(network, crops)) @ centres.T
        loss = torch.nn.functional.cross_entropy(SHARPNESS * cosines, speakers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        if number % 50 == 0:
            right = (cosines.argmax(dim=1) == speakers).float().mean()
            logger.info("batch %d: loss %.2f, right %.0f %%", number, loss.item(), 100 * right.item())
    return network.eval()


def embeddings(network: ThinWeSpeakerResNet34, crops: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        mels = network.compute_fbank(crops)
    with torch.autocast("cpu", torch.bfloat16):
        frames = network.resnet.forward_frames(mels)
    return network.forward_embedding(frames.float())


def centres_of(voices: Sequence[Voice]) -> torch.Tensor:
    """Where CAM++ has each voice, less what all have in common: unit vectors (voices, DIMENSION)."""
    engine, means = EmbeddedDiarizer("campplus"), []
    for voice in voices:
        with tempfile.TemporaryDirectory() as scratch:
            _, windows = engine.hear(voice.wave, gain_curve(frame_levels(voice.wave)), Path(scratch), ignore_progress)
            means.append(windows.take(np.arange(len(windows)))[:, 0].mean(axis=0))
    logger.info("%d voices heard", len(voices))
    found = torch.from_numpy(np.stack(means))
    return torch.nn.functional.normalize(found - found.mean(dim=0))


def embedded(network: ThinWeSpeakerResNet34, voices: Sequence[Voice]) -> list[torch.Tensor]:
    """Of each voice the embeddings of its crops, shape (CROPS, DIMENSION)."""
    heard = Disturbed(voices)
    with torch.inference_mode():
        return [
            network(torch.from_numpy(np.stack([heard.crop(number) for _ in range(CROPS)])[:, None]))
            for number in range(len(heard))
        ]


def known_again(voices: Sequence[torch.Tensor]) -> float:
    """The share of crops that are nearest to the mean of the other half of their voice's."""
    means = torch.stack([torch.nn.functional.normalize(vectors[::2]).mean(dim=0) for vectors in voices])
    nearest = [(vectors[1::2] @ torch.nn.functional.normalize(means).T).argmax(dim=1) for vectors in voices]
    return torch.cat([found == number for number, found in enumerate(nearest)]).float().mean().item()


if __name__ == "__main__":
    main()

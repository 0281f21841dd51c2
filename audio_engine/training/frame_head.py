"""Trains the frame head: `python -m audio_engine.training.frame_head --speech FOLDER --output FILE`.

FOLDER holds recordings of one speaker each, clean and without long pauses. Conversations are made of them, disturbed
and heard as the engine hears recordings; the head then learns how many voices speak in each 20 ms. All is drawn from
`--seed`, on one CPU thread. The defaults train the weights that ship with the package.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from scipy.ndimage import binary_dilation
from torch import Tensor, nn

from ..backends.embedded import packages
from ..backends.embedded.activity import drop_runs, hysteresis
from ..backends.embedded.frame_features import FRAME, MELS_PER_FRAME, feature_blocks
from ..backends.embedded.frame_head import CLASSES, FrameHead
from ..backends.embedded.level import frame_levels, gain_curve
from ..backends.embedded.mel import MELS
from ..backends.embedded.networks import SileroVad, load_silero
from ..decoding import Decoder
from ..downmix import write_mono
from ..types import MediaLimits
from .acoustics import Generator, Wave
from .conversations import FRAME as LABEL_FRAME
from .conversations import Mixture, Voice, conversation

SPEAKER_COUNTS = {0: 0.07, 1: 0.11, 2: 0.25, 3: 0.20, 4: 0.18, 5: 0.12, 6: 0.07}
CROWD = 6
MIXTURE_SECONDS = (20, 40)
VOICE_RMS = 0.05
SPECTRUM = MELS * MELS_PER_FRAME  # features that are log mel spectra
CROP = 500  # frames
IGNORED = -100  # as a label: counts for nothing
BATCH = 16
LEARNING_RATE = 3e-3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """Features (frames, FEATURES) float16 and the number of voices, at most two or IGNORED, (frames,) int64."""

    features: npt.NDArray[np.float16]
    voices: npt.NDArray[np.int64]


def train(speech: Path, mixtures: int, steps: int, seed: int) -> FrameHead:
    """The head after `steps` batches of crops of so many made-up conversations between the voices of `speech`."""
    torch.set_num_threads(1)
    silero = packaged_silero()
    voices = read_voices(speech, silero)
    if len(voices) <= max(SPEAKER_COUNTS):
        raise SystemExit(f"{speech} holds {len(voices)} recordings of a speaker; more than six are needed.")
    examples = []
    for number in range(mixtures):
        examples.append(make_example(np.random.default_rng([seed, number]), voices, silero))
        if (number + 1) % 100 == 0:
            logger.info("%d conversations made", number + 1)
    return fit(examples, steps, seed)


def packaged_silero() -> SileroVad:
    path = packages.locate(packages.SILERO)
    if path is None:
        raise SystemExit(packages.missing())
    return load_silero(path)


def read_voices(folder: Path, silero: SileroVad) -> list[Voice]:
    """The FLAC and WAV files of `folder`, by name."""
    return [read_voice(path, silero) for path in sorted(folder.iterdir()) if path.suffix in {".flac", ".wav"}]


def read_voice(path: Path, silero: SileroVad) -> Voice:
    with tempfile.TemporaryDirectory() as scratch:
        pcm = write_mono(Decoder(path, MediaLimits()), "mono", Path(scratch) / "mono.f32", lambda _: None)
        wave = np.array(pcm[: len(pcm) // LABEL_FRAME * LABEL_FRAME])
    wave *= np.float32(VOICE_RMS / max(float(np.sqrt(np.square(wave).mean())), 1e-6))
    return Voice(wave, spoken_frames(wave, silero))


def spoken_frames(wave: Wave, silero: SileroVad) -> npt.NDArray[np.bool_]:
    """Speech in each 10 ms of a clean recording, as silero's own post-processing finds it: pauses of 100 ms count,
    30 ms are added on both sides."""
    blocks = feature_blocks(wave, gain_curve(frame_levels(wave)), silero)
    logits = np.concatenate([block[:, SPECTRUM] for block in blocks])
    posteriors = np.repeat(1 / (1 + np.exp(-logits)), FRAME // LABEL_FRAME)[: len(wave) // LABEL_FRAME]
    mask = drop_runs(drop_runs(hysteresis(posteriors, 0.5, 0.35), False, 10), True, 25)
    spread: npt.NDArray[np.bool_] = binary_dilation(mask, iterations=3)
    return spread


def make_example(generator: Generator, voices: list[Voice], silero: SileroVad) -> Example:
    count = int(generator.choice(list(SPEAKER_COUNTS), p=list(SPEAKER_COUNTS.values())))
    chosen = [voices[row] for row in generator.permutation(len(voices))]
    seconds = generator.uniform(*MIXTURE_SECONDS)
    return example(conversation(generator, chosen[:count], seconds, chosen[count:][:CROWD]), silero)


def example(mixture: Mixture, silero: SileroVad) -> Example:
    features = np.concatenate(list(feature_blocks(mixture.wave, gain_curve(frame_levels(mixture.wave)), silero)))
    frames = len(mixture.active) // 2
    voices = mixture.active.sum(axis=1)[: 2 * frames].reshape(frames, 2).max(axis=1)
    voices = np.minimum(voices, CLASSES - 1).astype(np.int64)
    if mixture.crowded:
        voices[voices == 0] = IGNORED
    return Example(features[:frames].astype(np.float16), voices)


def fit(examples: list[Example], steps: int, seed: int) -> FrameHead:
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    head = FrameHead().train()
    sample = torch.from_numpy(np.concatenate([one.features[::7] for one in examples])).float()
    head.mean.copy_(sample.mean(dim=0))
    head.scale.copy_(1 / (sample.std(dim=0) + 1e-3))
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for step, (features, voices) in enumerate(_batches(generator, examples, head, steps), 1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = head(features)
        loss = nn.functional.cross_entropy(
            logits.float().reshape(-1, CLASSES), voices.reshape(-1), ignore_index=IGNORED
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            logger.info("step %d of %d, loss %.3f", step, steps, loss.item())
    return head.eval()


def _batches(
    generator: Generator, examples: list[Example], head: FrameHead, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    lengths = np.array([len(one.voices) for one in examples], dtype=np.float64)
    for _ in range(steps):
        rows = generator.choice(len(examples), BATCH, p=lengths / lengths.sum())
        crops = [_crop(generator, examples[row]) for row in rows]
        features = torch.from_numpy(np.stack([one.features for one in crops])).float()
        _blur_channel(generator, features, head.mean)
        yield features, torch.from_numpy(np.stack([one.voices for one in crops]))


def _crop(generator: Generator, whole: Example) -> Example:
    start = int(generator.integers(max(len(whole.voices) - CROP, 1)))
    return Example(whole.features[start : start + CROP], whole.voices[start : start + CROP])


def _blur_channel(generator: Generator, features: Tensor, mean: Tensor) -> None:
    """Random level, and at times a hidden mel band (Park et al., "SpecAugment", Interspeech 2019), in place."""
    features[:, :, :SPECTRUM] += torch.from_numpy(generator.normal(0, 0.6, (len(features), 1, 1)).astype(np.float32))
    for one in features:
        if generator.random() < 0.4:
            low = int(generator.integers(0, MELS - 2))
            band = np.arange(low, min(low + int(generator.integers(1, 8)), MELS))
            columns = (band[:, None] + MELS * np.arange(MELS_PER_FRAME)).ravel()
            one[:, columns] = mean[columns]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="folder of recordings of one speaker each")
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--mixtures", type=int, default=1500, help="conversations to make, half a minute each")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    head = train(options.speech, options.mixtures, options.steps, options.seed)
    save_file({name: value.contiguous() for name, value in head.state_dict().items()}, options.output)


if __name__ == "__main__":
    main()

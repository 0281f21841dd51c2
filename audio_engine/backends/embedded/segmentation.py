"""Where anyone speaks and where two do, as pyannote's segmentation network hears it.

Bredin, "pyannote.audio 2.1 speaker diarization pipeline: principle, benchmark, and recipe" (Interspeech 2023) for the
network, SincNet filters (Ravanelli & Bengio, "Speaker Recognition from Raw Waveform with SincNet", SLT 2018) before an
LSTM; Plaquet & Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization" (Interspeech 2023) for
its classes: nobody, each of three speakers, each two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from asteroid_filterbanks import ParamSincFB
from torch import Tensor, nn
from torch.nn.functional import conv1d, instance_norm, leaky_relu, max_pool1d

from ...memory import Samples
from ...parallel import ordered
from .activity import Activity, Posteriors
from .blocks import SAMPLE_RATE, block_ranges, read_samples
from .frame_features import FRAME, frame_count
from .level import GainCurve

WINDOW = 10 * SAMPLE_RATE
BATCH = 8  # windows
NOBODY, FIRST_PAIR = 0, 4  # classes; those between are of one speaker
FRAME_STEP = 270  # samples between the network's frames,
FRAME_CENTRE = 495  # and the middle of the first one's field
STRIDE = 10
SPEECH_WEIGHT, OVERLAP_WEIGHT = 0.25, 0.5  # of its opinion
ONSET, OFFSET = 0.40, 0.25  # of the speech of both


class Segmentation(nn.Module):
    """Waveforms (windows, samples) float32 at 16 kHz to log probabilities of the classes, (windows, frames, 7)."""

    filters: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        bank = ParamSincFB(80, 251, stride=STRIDE, sample_rate=SAMPLE_RATE, min_low_hz=50, min_band_hz=50)
        prefix = "sincnet.conv1d.0.filterbank."
        bank.load_state_dict({name.removeprefix(prefix): weights[name] for name in weights if name.startswith(prefix)})
        self.register_buffer("filters", bank.filters().detach())
        self.norm = nn.Parameter(torch.stack([weights[f"sincnet.wav_norm1d.{part}"] for part in ("weight", "bias")]))
        self.convolutions = nn.ModuleList(
            _module(weights, f"sincnet.conv1d.{n}", nn.Conv1d(i, 60, 5)) for n, i in ((1, 80), (2, 60))
        )
        self.norms = nn.ModuleList(
            _module(weights, f"sincnet.norm1d.{number}", nn.InstanceNorm1d(channels, affine=True))
            for number, channels in enumerate((80, 60, 60))
        )
        lstm = nn.LSTM(60, 128, 4, bidirectional=True, batch_first=True)
        self.lstm = _module(weights, "lstm", lstm)
        self.hidden = nn.ModuleList(_module(weights, f"linear.{n}", nn.Linear(i, 128)) for n, i in ((0, 256), (1, 128)))
        self.classifier = _module(weights, "classifier", nn.Linear(128, 7))

    def forward(self, waveforms: Tensor) -> Tensor:
        heard = torch.cat([self.filtered(waveform[None]) for waveform in waveforms])  # one by one, to save memory
        x, _ = self.lstm(heard.transpose(1, 2))
        for layer in self.hidden:
            x = leaky_relu(layer(x))
        scores: Tensor = self.classifier(x)
        return scores.float().log_softmax(dim=-1)

    def filtered(self, waveforms: Tensor) -> Tensor:
        """Shape (windows, 60, frames)."""
        x = instance_norm(waveforms[:, None], weight=self.norm[0], bias=self.norm[1])
        x = conv1d(x, self.filters, stride=STRIDE).abs_()
        x = leaky_relu(self.norms[0](max_pool1d(x, 3)))
        for convolution, norm in zip(self.convolutions, self.norms[1:], strict=True):
            x = leaky_relu(norm(max_pool1d(convolution(x), 3)))
        return x


def _module(weights: Mapping[str, Tensor], name: str, module: nn.Module) -> nn.Module:
    module.load_state_dict(
        {key.removeprefix(f"{name}."): weights[key] for key in weights if key.startswith(f"{name}.")}
    )
    return module


def load_segmentation(path: Path) -> Segmentation:
    weights = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return Segmentation(weights).eval().requires_grad_(False)


def segment(pcm: Samples, gain: GainCurve, network: Segmentation, bf16: bool) -> Iterator[Posteriors]:
    """Hears the recording ten seconds at a time: of its 20 ms frames in turn, shape (some frames, 2), the probability
    of any speech and of two voices."""
    frames = frame_count(len(pcm))
    per_window = WINDOW // FRAME
    blocks = list(block_ranges(-(-frames // per_window), BATCH))

    def hear(block: tuple[int, int]) -> Posteriors:
        start, stop = block[0] * WINDOW, block[1] * WINDOW
        samples = gain.apply(read_samples(pcm, start, stop), start).reshape(-1, WINDOW)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            classes = network(torch.from_numpy(samples)).exp().numpy()
        posteriors = np.stack((1 - classes[:, :, NOBODY], classes[:, :, FIRST_PAIR:].sum(axis=2)), axis=2)
        return np.concatenate(posteriors[:, _nearest(per_window, classes.shape[1])])

    for block, posteriors in zip(blocks, ordered(hear, blocks), strict=True):
        yield posteriors[: frames - block[0] * per_window]


def with_second_opinion(heard: Activity, opinions: Iterable[Posteriors], report: Callable[[float], None]) -> Activity:
    """What silero and the frame head have heard, weighed with what this network has: they were trained on other
    recordings and err in other places. Of the two, silero stops at pauses and this network hears on through rooms and
    laughter. Written into the arrays of `heard`, which are large where a recording is long."""
    start, frames = 0, len(heard.speech)
    for opinion in opinions:
        here = slice(start, start + len(opinion))
        heard.speech[here] = (1 - SPEECH_WEIGHT) * heard.speech[here] + SPEECH_WEIGHT * opinion[:, 0]
        heard.overlap[here] = (1 - OVERLAP_WEIGHT) * heard.overlap[here] + OVERLAP_WEIGHT * opinion[:, 1]
        start += len(opinion)
        report(start / frames)
    return Activity(heard.speech, heard.overlap, ONSET, OFFSET)


def _nearest(frames: int, theirs: int) -> npt.NDArray[np.int64]:
    """Which of the network's frames is nearest to each of ours of a window."""
    centres = (np.arange(frames) + 0.5) * FRAME
    return np.clip(np.rint((centres - FRAME_CENTRE) / FRAME_STEP), 0, theirs - 1).astype(np.int64)

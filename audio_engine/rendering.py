"""The second pass over a recording: every speaker's track and every figure at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from .analytics import RecordingMeter, SpeakerMeter, speaker_stats
from .decoding import Block, Decoder, to_float
from .masking import Masking, Surroundings, with_surroundings
from .parallel import ahead, ordered
from .talk import recording_stats
from .tracks import Gate, Spans, Track, speaker_spans, union
from .types import (
    CompactSpan,
    Diarization,
    MediaInfo,
    OutputFile,
    Progress,
    RecordingStats,
    SpeakerRequest,
    SpeakerStats,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    speakers: tuple[SpeakerStats, ...]
    recording: RecordingStats
    files: tuple[OutputFile, ...]
    compact_maps: dict[int, tuple[CompactSpan, ...]]
    peaks: tuple[float, ...]


class Voice:
    """One speaker's way through the pass: gate, meter and, where wanted, track."""

    def __init__(self, media: MediaInfo, spans: Spans, frames: int) -> None:
        self.gate = Gate(spans, media.sample_rate, frames)
        self.meter = SpeakerMeter(media, spans)
        self.track: Track | None = None

    def take(self, block: Block, second: int, start: int) -> None:
        cut = self.gate.cut(block, start)
        if cut is not None:
            self.meter.feed(to_float(cut), second)
        if self.track:
            self.track.append(cut, start, len(block))


def render(
    request: SpeakerRequest, media: MediaInfo, found: Diarization, masking: Masking, folder: Path, progress: Progress
) -> Rendering:
    """Measure, and for an extraction write `speaker_<n>.wav` into `folder`. `media.seconds` must be exact.

    Raises EngineError as `Decoder.blocks` does, and OSError.
    """
    rate, frames = media.sample_rate, round(media.seconds * media.sample_rate)
    spoken = speaker_spans(found.turns, found.speakers, "keep", rate, frames)
    heard = speaker_spans(found.turns, found.speakers, request.overlap, rate, frames)
    voices = [Voice(media, spans, frames) for spans in heard]
    recording = RecordingMeter(frames, union(chain.from_iterable(spans.tolist() for spans in spoken)))
    with ExitStack() as unfinished:
        if request.task == "extraction":
            for speaker, voice in enumerate(voices):
                voice.track = Track(folder, speaker, voice.gate, media, frames, request.compact)
                unfinished.callback(voice.track.abandon)
        blocks = ahead(Decoder(request.source, request.limits).blocks())

        def split(item: tuple[int, Surroundings]) -> tuple[Block, list[Block]]:
            second, surroundings = item
            return surroundings[1], masking.parts(surroundings, second * rate, len(voices))

        for second, (block, parts) in enumerate(ordered(split, enumerate(with_surroundings(blocks, rate)))):
            start = second * rate
            recording.feed(to_float(block), start)
            for voice, part in zip(voices, parts, strict=True):
                voice.take(part, second, start)
            progress("tracks", (start + len(block)) / frames)
        tracks = [voice.track for voice in voices if voice.track]
        files = tuple(track.close() for track in tracks)
    return Rendering(
        speakers=speaker_stats(found.turns, [voice.meter for voice in voices], recording.noise, media.seconds),
        recording=recording_stats(found.turns, media.seconds),
        files=files,
        compact_maps={track.speaker: track.compact_map() for track in tracks} if request.compact else {},
        peaks=recording.peaks(),
    )

"""Cutting each speaker's stretches out of a recording, sample-exact, into a file of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .decoding import Block, silence
from .types import CompactSpan, MediaInfo, OutputFile, OverlapPolicy, Turn
from .wav import WavWriter

FADE_SECONDS = 0.01  # half of it on either side of a turn's border

Spans = npt.NDArray[np.int64]
"""Shape (spans, 2): first frame and the one past the last, ascending, apart from each other."""


def union(spans: Iterable[tuple[int, int]], bridge: int = 0) -> Spans:
    """The spans joined where they overlap, touch, or lie `bridge` or fewer frames apart."""
    joined: list[list[int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start - joined[-1][1] <= bridge:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, dtype=np.int64).reshape(-1, 2)


def subtract(spans: Spans, others: Spans) -> Spans:
    """What of `spans` lies outside `others`."""
    left: list[tuple[int, int]] = []
    for start, end in spans.tolist():
        first = int(np.searchsorted(others[:, 1], start, side="right"))
        for other_start, other_end in others[first:].tolist():
            if other_start >= end:
                break
            left.append((start, other_start))
            start = other_end
        left.append((start, end))
    return union(left)


def speaker_spans(
    turns: Sequence[Turn], speakers: int, policy: OverlapPolicy, rate: int, frames: int
) -> tuple[Spans, ...]:
    """Where each speaker is to be heard, in frames at `rate` Hz of a recording of `frames` frames.

    `keep` and `separate` give overlapped speech to everyone who takes part in it, `mute` to nobody.
    """

    def frames_of(wanted: Iterable[Turn]) -> Spans:
        bounds = ((round(turn.start * rate), round(turn.end * rate)) for turn in wanted)
        return union((max(0, start), min(frames, end)) for start, end in bounds)

    fade = _fade_frames(rate)
    result = []
    for speaker in range(speakers):
        own = frames_of(turn for turn in turns if turn.speaker == speaker)
        if policy == "mute":
            own = subtract(own, frames_of(turn for turn in turns if turn.speaker != speaker))
        result.append(union(map(tuple, own.tolist()), bridge=fade))
    return tuple(result)


class Gate:
    """Lets one speaker's spans through and silences the rest.

    Inside a span samples pass unchanged. Its borders have raised-cosine fades, centred so that the tracks of two
    speakers who follow each other without a pause add up to the source. There is none at the recording's own ends.
    """

    def __init__(self, spans: Spans, rate: int, frames: int) -> None:
        self._half = _fade_frames(rate) // 2
        self._spans = spans
        self._open = np.stack([spans[:, 0] - self._half, spans[:, 1] + self._half], axis=1).clip(0, frames)
        self._frames = frames

    def open_within(self, start: int, end: int) -> Spans:
        """The stretches of frames `start` to `end` where anything passes, fades included; counted from `start`."""
        return self._open[self.touching(start, end)].clip(start, end) - start

    def cut(self, block: Block, start: int) -> Block | None:
        """What passes of `block`, whose first frame is the recording's frame `start`; None where nothing does."""
        touched = self.touching(start, start + len(block))
        if touched.start == touched.stop:
            return None
        result = silence(block, len(block))
        for span_start, span_end in self._spans[touched].tolist():
            self._let_through(block, result, start, span_start, span_end)
        return result

    def touching(self, start: int, end: int) -> slice:
        return slice(
            int(np.searchsorted(self._open[:, 1], start, side="right")),
            int(np.searchsorted(self._open[:, 0], end, side="left")),
        )

    def _let_through(self, block: Block, result: Block, offset: int, start: int, end: int) -> None:
        half, length = self._half, len(block)
        fade_in = range(0) if start == 0 else range(start - half, start + half)
        fade_out = range(0) if end == self._frames else range(end - half, end + half)
        inside = slice(max(0, start - offset), max(0, min(length, end - offset)))
        result[inside] = block[inside]
        for fade in (fade_in, fade_out):
            frames = np.arange(max(fade.start, offset), min(fade.stop, offset + length))
            if len(frames):
                part = slice(frames[0] - offset, frames[-1] + 1 - offset)
                result[part] = _attenuated(block[part], self._gain(frames, start, end))

    def _gain(self, frames: npt.NDArray[np.int64], start: int, end: int) -> npt.NDArray[np.float64]:
        full = np.ones(len(frames))
        rise = full if start == 0 else (frames - (start - self._half) + 0.5) / (2 * self._half)
        fall = full if end == self._frames else (end + self._half - frames - 0.5) / (2 * self._half)
        return 0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, fall).clip(0, 1))


def _fade_frames(rate: int) -> int:
    return 2 * round(FADE_SECONDS / 2 * rate)


def _attenuated(block: Block, gain: npt.NDArray[np.float64]) -> Block:
    middle = 128 if block.dtype == np.uint8 else 0
    faded = (block.astype(np.float64) - middle) * gain[:, None] + middle
    return (faded if block.dtype == np.float32 else np.rint(faded)).astype(block.dtype)


class Track:
    """One speaker's file, written block by block. `compact` leaves out what is silent."""

    def __init__(self, folder: Path, speaker: int, gate: Gate, media: MediaInfo, frames: int, compact: bool) -> None:
        self.speaker = speaker
        self._gate, self._rate, self._compact = gate, media.sample_rate, compact
        self._kept = gate.open_within(0, frames)
        self._path = folder / f"speaker_{speaker}.wav"
        length = int((self._kept[:, 1] - self._kept[:, 0]).sum()) if compact else frames
        self._writer = WavWriter(self._path, media, length)

    def append(self, cut: Block | None, start: int, frames: int) -> None:
        """Append the next `frames` frames, whose first is the recording's `start`: what `Gate.cut` gave for them."""
        if self._compact:
            if cut is not None:
                for first, end in self._gate.open_within(start, start + frames).tolist():
                    self._writer.write(cut[first:end])
        elif cut is None:
            self._writer.skip(frames)
        else:
            self._writer.write(cut)

    def close(self) -> OutputFile:
        self._writer.close()
        return OutputFile("audio", self._path.name, self._path.stat().st_size, self.speaker)

    def abandon(self) -> None:
        self._writer.abandon()

    def compact_map(self) -> tuple[CompactSpan, ...]:
        """Where the track's stretches lie in the source."""
        return tuple(self._compact_spans())

    def _compact_spans(self) -> Iterator[CompactSpan]:
        written = 0
        for start, end in self._kept.tolist():
            yield CompactSpan(written / self._rate, start / self._rate, (end - start) / self._rate)
            written += end - start

"""Music taken apart into stems: vocals, drums and so on, and sums of them, at the recording's own rate and channels.

Models of music hear stereo at a rate of their own, so what they hear is decoded to disk once and read from there
stretch by stretch; the stems are written as they come.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from . import registry
from .backends.base import Splitter
from .decoding import Decoder
from .downmix import damage
from .mixing import Channels, Mix, Signal, write_mix
from .music import StemsRequest, StemsResult, StemStats, parts
from .options import engine_for
from .progress import DECODING, OverallProgress
from .stems import Stem
from .types import MediaInfo, OutputFile, Progress

SEPARATING = 2.0  # seconds for a second of recording, until the pace shows
LOWEST_DB = -120.0  # below, a stem counts as silent


def split(request: StemsRequest, media: MediaInfo, scratch: Path, progress: Progress) -> StemsResult:
    """Leave a file for each stem in `scratch`, named as it is. `media` is as probed. Raises as `pipeline.run` does."""
    overall = OverallProgress(
        progress, {"decode": DECODING * media.seconds, "separate": SEPARATING * media.seconds}, {}
    )
    engine = cast(Splitter, registry.load(engine_for(request.stems, request.engine), request.task))
    names = tuple(dict.fromkeys(request.stems)) or engine.sources
    channels = Channels.of(media.layout, media.channels)
    decoder, decoded = Decoder(request.source, request.limits), overall.step("decode")
    rate = engine.rate or media.sample_rate
    mix = write_mix(
        decoder, channels, rate, scratch / "mix.f32", lambda seconds: decoded("decode", seconds / media.seconds)
    )
    media = replace(media, seconds=decoder.frames / decoder.rate)
    stats, files = _write(engine, mix, names, channels, media, scratch, overall.step("separate"))
    return StemsResult(
        task=request.task,
        engine=engine.name,
        models=engine.models(),
        media=media,
        files=files,
        warnings=(*damage(decoder), *filter(None, [engine.warning])),
        stems=stats,
    )


def _write(
    engine: Splitter,
    mix: Mix,
    names: tuple[str, ...],
    channels: Channels,
    media: MediaInfo,
    folder: Path,
    progress: Progress,
) -> tuple[tuple[StemStats, ...], tuple[OutputFile, ...]]:
    summed = {name: parts(name, engine.sources) for name in names}
    heard = replace(media, sample_rate=mix.rate)
    frames = media.seconds * mix.rate  # not a whole number after resampling, or the files' own would not come out
    meters = {name: Meter() for name in names}
    with ExitStack() as unfinished:
        stems = {name: Stem(folder, name, heard, frames, media.sample_rate) for name in names}
        for stem in stems.values():
            unfinished.callback(stem.abandon)
        done = 0
        for stretch in engine.split(mix, frozenset().union(*summed.values())):
            for name, stem in stems.items():
                signal = channels.single(sum((stretch[part] for part in summed[name][1:]), stretch[summed[name][0]]))
                meters[name].feed(signal)
                stem.append(signal)
            done += len(signal)
            progress("separation", done / mix.frames)
        files = tuple(stem.close() for stem in stems.values())
    return tuple(meter.stats(name) for name, meter in meters.items()), files


class Meter:
    """Level of a stem that comes stretch by stretch."""

    def __init__(self) -> None:
        self._power, self._samples, self._peak = 0.0, 0, 0.0

    def feed(self, signal: Signal) -> None:
        self._power += float(np.square(signal, dtype=np.float64).sum())
        self._samples += signal.size
        self._peak = max(self._peak, float(np.abs(signal).max(initial=0)))

    def stats(self, name: str) -> StemStats:
        level = 10 * np.log10(self._power / max(1, self._samples) + 1e-30)
        return StemStats(name, float(level) if level > LOWEST_DB else None, self._peak)

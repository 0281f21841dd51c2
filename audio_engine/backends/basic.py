"""A song's voice apart from everything else with nothing to fetch; `music_mask` has the method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import soxr

from ..downmix import RATE
from ..masking import Masking, Surroundings, with_surroundings
from ..memory import Samples
from ..mixing import Mix, Signal
from ..music_mask import AccompanimentMask
from ..parallel import ordered
from ..types import MediaInfo
from .base import Splitter


class BasicSplitter(Splitter):
    """What repeats and sounds on, or repeats and is sudden, is `other`, the rest `vocals`: together the recording."""

    name = "basic"
    sources = ("vocals", "other")
    warning = (
        "Voices and everything else are told apart by basic means: some of each is heard in the other. A model does "
        "better: python manage.py models fetch htdemucs."
    )

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    @property
    def rate(self) -> None:
        return None

    def models(self) -> tuple[str, ...]:
        return ()

    def split(self, mix: Mix, wanted: frozenset[str]) -> Iterator[Mapping[str, Samples]]:
        media = MediaInfo("", "pcm_f32le", mix.rate, 2 * len(mix.levels), 32, True, mix.frames / mix.rate)
        masking = Masking(media, background=AccompanimentMask(_mono(mix, mix.path.with_name("song.f32"))))

        def parts(item: tuple[int, Surroundings]) -> dict[str, Samples]:
            second, surroundings = item
            (accompaniment,) = masking.parts(surroundings, second * mix.rate, 1)
            found = {"vocals": surroundings[1] - accompaniment, "other": accompaniment}
            return {source: signal for source, signal in found.items() if source in wanted}

        return ordered(parts, enumerate(with_surroundings(_seconds(mix), mix.rate)))


def _seconds(mix: Mix) -> Iterator[Signal]:
    for start in range(0, mix.frames, mix.rate):
        yield mix.read(start, min(mix.frames, start + mix.rate))


def _mono(mix: Mix, path: Path) -> Samples:
    """The mean of all its sides at 16 kHz, in a file at `path`: shape (samples,)."""
    resampler = soxr.ResampleStream(mix.rate, RATE, 1, dtype="float32")
    with path.open("wb") as file:
        for signal in _seconds(mix):
            file.write(resampler.resample_chunk(signal.mean(axis=1)).tobytes())
        file.write(resampler.resample_chunk(np.empty(0, np.float32), last=True).tobytes())
    return np.memmap(path, dtype=np.float32, mode="r")

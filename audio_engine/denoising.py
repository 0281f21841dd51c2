"""The recording itself with less noise, at its own rate, channels and bit depth; see `suppression` for the method.

The qualities differ in what the noise is known by. `balanced` follows it as the recording goes on, `studio` also looks
ahead, and `ultra` goes further: by engines that have no better idea of speech, what sounds like the recording's own
pauses is taken away first (see `background`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from . import levelling, registry
from .backends.base import Denoiser, Diarizer
from .background import BackgroundMask
from .decoding import Decoder, to_float
from .downmix import damage, decode_mono
from .filters import COMPRESSOR, Filter, Signal, equalizer, filtered, in_seconds
from .loudness import LoudnessMeter
from .masking import Masking, with_surroundings
from .progress import OverallProgress
from .sound import DenoisingRequest, DenoisingResult, SoundStats
from .stems import Stem
from .suppression import Suppressor
from .types import (
    MediaInfo,
    OutputFile,
    Progress,
)

# Seconds that a second of recording takes, by which progress is judged until each step shows its own pace.
EXPECTED = {"decode": 1 / 700, "listen": 1 / 200, "denoise": 1 / 40, "level": 1 / 150}
NAME = "denoised"
PIECES = 10  # to a second: in which noise is measured
QUIET_SHARE = 0.15  # of the pieces that hold any sound: those where least is heard are noise
LEAST_SECONDS = 0.4  # that R 128 judges loudness by
TOO_SILENT = "The recording is too silent to be brought to a loudness."
TOO_SHORT = f"The recording is too short to be brought to a loudness, which takes {LEAST_SECONDS} s."
TOLERANCE = 0.5  # LU that it may be off


def denoise(request: DenoisingRequest, media: MediaInfo, scratch: Path, progress: Progress) -> DenoisingResult:
    """Leave `denoised.wav` in `scratch`. `media` is as probed. Raises as `pipeline.run` does."""
    engine = cast(Denoiser, registry.load(request.engine, request.task))
    by_pauses = request.quality == "ultra" and engine.hears_pauses
    steps = [step for step in EXPECTED if by_pauses or step in ("denoise", "level")]
    overall = OverallProgress(progress, {step: EXPECTED[step] * media.seconds for step in steps}, {})
    masking, models = _pauses(request, media, scratch, overall) if by_pauses else (None, ())
    decoder = Decoder(request.source, request.limits)
    before, cleaned = Meter(media), Meter(media)
    suppressor = engine.suppressor(media, request.quality, request.strength)
    sound = _suppressed(_heard(decoder, masking, before), suppressor)
    _keep(in_seconds(sound, media.sample_rate), cleaned, media, scratch / "cleaned", overall.step("denoise"))
    media = replace(media, seconds=decoder.frames / decoder.rate)
    after, file = _write(request, media, scratch, overall.step("level"))
    warnings = (*damage(decoder), *_off_target(request.loudness, after.loudness(), media))
    quiet = before.quiet()
    noise, left = before.noise(quiet), cleaned.noise(quiet)
    return DenoisingResult(
        task=request.task,
        engine=engine.name,
        models=(*engine.models(), *models),
        media=media,
        files=(file,),
        warnings=warnings,
        quality=request.quality,
        strength=request.strength,
        noise_reduction_db=None if noise is None or left is None else noise - left,
        before=before.stats(quiet),
        after=after.stats(quiet),
    )


# --- the first pass: from the recording to the signal without noise, as floats in a file


def _pauses(
    request: DenoisingRequest, media: MediaInfo, scratch: Path, overall: OverallProgress
) -> tuple[Masking | None, tuple[str, ...]]:
    """What takes away the sound of the pauses between what is said, where anything is."""
    pcm, exact, _ = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    diarizer = cast(Diarizer, registry.load(task="diarization"))
    found = diarizer.speech(pcm, scratch, overall.step("listen"))
    if not found.turns:
        return None, found.models
    return Masking(exact, background=BackgroundMask(pcm, found.turns, request.strength)), found.models


def _heard(decoder: Decoder, masking: Masking | None, meter: Meter) -> Iterator[Signal]:
    """The recording second by second, measured, and with its pauses' sound taken away where that is known."""

    def measured() -> Iterator[npt.NDArray[np.generic]]:
        for second, block in enumerate(decoder.blocks()):
            meter.feed(to_float(block), second)
            yield block

    if masking is None:
        yield from map(to_float, measured())
        return
    rate = masking.rate
    for second, surroundings in enumerate(with_surroundings(measured(), rate)):
        yield to_float(masking.parts(surroundings, second * rate, 1)[0])


def _suppressed(blocks: Iterable[Signal], suppressor: Suppressor) -> Iterator[Signal]:
    for block in blocks:
        yield suppressor.feed(block)
    yield suppressor.finish()


def _keep(blocks: Iterable[Signal], meter: Meter, media: MediaInfo, path: Path, progress: Progress) -> None:
    with path.open("wb") as file:
        for second, block in enumerate(blocks):
            meter.feed(block, second)
            file.write(np.ascontiguousarray(block, np.float32).tobytes())
            progress("denoising", (second + 1) / media.seconds)


# --- the second: equalised, compressed and levelled, into the file that is asked for


def _write(request: DenoisingRequest, media: MediaInfo, scratch: Path, progress: Progress) -> tuple[Meter, OutputFile]:
    filters: list[Filter] = equalizer(request.equalizer, media.sample_rate) if request.equalizer else []
    filters += [COMPRESSOR] if request.compress else []

    def kept() -> Iterator[Signal]:
        return _kept(scratch / "cleaned", media)

    if request.loudness is not None:
        filters += levelling.filters_for(lambda: filtered(kept(), filters, media), media, request.loudness)
    meter = Meter(media)
    stem = Stem(scratch, NAME, media, round(media.seconds * media.sample_rate))
    with ExitStack() as unfinished:
        unfinished.callback(stem.abandon)
        for second, block in enumerate(filtered(kept(), filters, media)):
            meter.feed(block, second)
            stem.append(block)
            progress("levelling", (second + 1) / media.seconds)
        return meter, stem.close()


def _off_target(wanted: float | None, reached: float | None, media: MediaInfo) -> Iterator[str]:
    """A warning where the loudness is not what was asked for."""
    if wanted is None:
        return
    if reached is None:
        yield TOO_SHORT if media.seconds < LEAST_SECONDS else TOO_SILENT
    elif abs(wanted - reached) > TOLERANCE:
        yield f"The recording's peaks leave no room for {wanted:g} LUFS. It has {reached:.1f} LUFS now."


def _kept(path: Path, media: MediaInfo) -> Iterator[Signal]:
    with path.open("rb") as file:
        while len(samples := np.fromfile(file, np.float32, media.sample_rate * media.channels)):
            yield samples.reshape(-1, media.channels)


# --- figures


class Meter:
    """Loudness, peak, and the power of each tenth of a second of a recording that comes second by second."""

    def __init__(self, media: MediaInfo) -> None:
        self._media = media
        self._loudness = LoudnessMeter(media.sample_rate, media.layout, media.channels)
        self._powers = array("f")
        self._peak, self._samples = 0.0, 0

    def feed(self, block: Signal, second: int) -> None:
        self._loudness.feed(block, second)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
        self._samples += len(block)
        self._powers.extend(float(np.mean(np.square(piece))) for piece in np.array_split(block, PIECES) if len(piece))

    def loudness(self) -> float | None:
        return self._loudness.integrated(self._samples / self._media.sample_rate)

    def quiet(self) -> npt.NDArray[np.bool_]:
        """The pieces where least is heard, of those that are not digital silence."""
        powers = np.frombuffer(self._powers, np.float32)
        heard = powers > 1e-12
        return heard & (powers <= np.quantile(powers[heard], QUIET_SHARE)) if heard.any() else heard

    def noise(self, quiet: npt.NDArray[np.bool_]) -> float | None:
        """dBFS in some of the pieces, mean power; None where there are none."""
        if not quiet.any():
            return None
        return float(10 * np.log10(np.frombuffer(self._powers, np.float32)[quiet].mean(dtype=np.float64) + 1e-15))

    def stats(self, quiet: npt.NDArray[np.bool_]) -> SoundStats:
        return SoundStats(self.noise(quiet), self.loudness(), self._peak)

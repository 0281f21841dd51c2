"""Denoising by spectral gains, with nothing to fetch; `suppression` and `noise` have the method."""

from __future__ import annotations

from ..noise import AgreedNoise, FollowingNoise
from ..suppression import HOP_SECONDS, Suppressor
from ..types import MediaInfo, Quality
from .base import Denoiser


class SpectralDenoiser(Denoiser):
    """`balanced` goes by the noise so far; the other qualities also by the noise to come."""

    name = "spectral"

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    def suppressor(self, media: MediaInfo, quality: Quality, strength: float) -> Suppressor:
        noise = FollowingNoise(HOP_SECONDS) if quality == "balanced" else AgreedNoise(HOP_SECONDS)
        return Suppressor(media.sample_rate, media.channels, noise, strength)

"""Denoising by spectral gains, with nothing to fetch; `suppression` and `noise` have the method."""

from __future__ import annotations

from ..noise import tracker
from ..sound import Quality
from ..suppression import HOP_SECONDS, Suppressor
from ..types import MediaInfo
from .base import Denoiser


class SpectralDenoiser(Denoiser):
    name = "spectral"

    def missing(self) -> str | None:
        return None

    def load(self) -> None:
        pass

    def suppressor(self, media: MediaInfo, quality: Quality, strength: float) -> Suppressor:
        return Suppressor(media.sample_rate, media.channels, tracker(quality, HOP_SECONDS), strength)

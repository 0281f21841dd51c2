"""Denoising with RNNoise, a small recurrent network that its package brings along."""

from __future__ import annotations

from .denoiser import RnnoiseDenoiser

__all__ = ["RnnoiseDenoiser"]

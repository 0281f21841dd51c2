"""Music source separation by Hybrid Transformer Demucs (Rouard, Massa & Défossez, "Hybrid Transformers for Music Source
Separation", ICASSP 2023), with the weights that its authors publish. Each model is an engine of its own, named like it.
"""

from __future__ import annotations

from .cleaner import VocalsCleaner
from .splitter import DemucsSplitter

__all__ = ["DemucsSplitter", "VocalsCleaner", "htdemucs", "htdemucs_6s", "htdemucs_ft"]

FOUR = ("drums", "bass", "other", "vocals")  # in the models' own order


def htdemucs() -> DemucsSplitter:
    return DemucsSplitter("htdemucs", FOUR)


def htdemucs_ft() -> DemucsSplitter:
    """Four models, each tuned to one source."""
    return DemucsSplitter("htdemucs_ft", FOUR)


def htdemucs_6s() -> DemucsSplitter:
    return DemucsSplitter("htdemucs_6s", (*FOUR, "guitar", "piano"))

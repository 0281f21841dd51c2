"""On the path of processes under test: gives the engine's process a backend that takes its time and no models."""

from __future__ import annotations

import sys

if "audio_engine.server" in sys.orig_argv:
    from audio_engine import registry

    registry.ENGINES = {
        "unhurried": "tests.jobs.chaos.unhurried:UnhurriedDiarizer",
        "exemplars": registry.ENGINES["exemplars"],
    }

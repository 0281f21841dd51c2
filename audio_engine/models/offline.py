"""Libraries that would call home, told not to. They read these variables when they are imported."""

from __future__ import annotations

import os

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
}


def go_offline() -> None:
    """Let no library of this process fetch or report anything from now on."""
    os.environ.update(QUIET)

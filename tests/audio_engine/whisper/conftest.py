from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine.memory import Samples

NAME = "whisper-large-v3-turbo"


@pytest.fixture(scope="session")
def heard(sample: Path) -> Samples:
    """Thirty seconds of two people on the telephone, 16 kHz mono."""
    samples, _ = soundfile.read(sample, dtype="float32")
    return np.asarray(samples)

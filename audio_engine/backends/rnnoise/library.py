"""RNNoise's own library, which the package pyrnnoise ships with its weights. None of that package's Python is imported,
so that nothing it requires need be installed.
"""

from __future__ import annotations

import ctypes
import weakref
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

PACKAGE = "pyrnnoise"
FILES = ("librnnoise.so", "librnnoise.dylib", "rnnoise.dll")  # each wheel has one of them
RATE = 48_000  # Hz, of all that it hears
FRAME = 480  # samples
DELAY = 960  # samples by which what it gives is late
FULL_SCALE = np.float32(32_768)

Samples = npt.NDArray[np.float32]


def locate() -> Path | None:
    """The library, found without importing the package."""
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in FILES:
            if (path := Path(folder) / name).is_file():
                return path
    return None


class Library:
    """Raises OSError where it is none for this machine, or another version of it than this is written for."""

    def __init__(self, path: Path) -> None:
        self._functions = functions = ctypes.CDLL(str(path))
        functions.rnnoise_get_frame_size.restype = ctypes.c_int
        functions.rnnoise_create.argtypes = [ctypes.c_void_p]
        functions.rnnoise_create.restype = ctypes.c_void_p
        functions.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        functions.rnnoise_destroy.restype = None
        functions.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
        functions.rnnoise_process_frame.restype = ctypes.c_float
        if (size := functions.rnnoise_get_frame_size()) != FRAME:
            raise OSError(f"{path} has frames of {size} samples, not of {FRAME}.")

    def channel(self) -> Channel:
        return Channel(self._functions)


class Channel:
    """What RNNoise remembers of one channel's past."""

    def __init__(self, functions: ctypes.CDLL) -> None:
        state = functions.rnnoise_create(None)
        if not state:
            raise MemoryError("RNNoise found no memory.")
        self._state, self._process = state, functions.rnnoise_process_frame
        weakref.finalize(self, functions.rnnoise_destroy, state)

    def __call__(self, samples: Samples) -> Samples:
        """The speech in whole frames at 48 kHz, shape (samples,), full scale 1.0; `DELAY` late."""
        sound: Samples = np.ascontiguousarray(samples, np.float32) * FULL_SCALE
        address = sound.ctypes.data
        for start in range(0, sound.nbytes, FRAME * sound.itemsize):
            self._process(self._state, address + start, address + start)
        return sound / FULL_SCALE

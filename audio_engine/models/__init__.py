"""Models that no package ships: which there are, where they are kept, how they are fetched and checked.

Only `fetching` and `access` use the network, where somebody asks for it or has set a token. Importing this imports
nothing heavy.
"""

from __future__ import annotations

from .catalogue import MODELS, Model
from .store import MODELS_DIR_VARIABLE, locate

__all__ = ["MODELS", "MODELS_DIR_VARIABLE", "Model", "locate"]

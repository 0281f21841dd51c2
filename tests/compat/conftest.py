"""Programs written for other vendors' APIs, in Alice's, Bob's and nobody's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # settings are not chosen yet when pytest reads this
    from tests.compat.programs import VendorProgram


@pytest.fixture
def program() -> Callable[[Any, str], VendorProgram]:
    """Makes a user's program for the surface below a prefix."""
    from accounts.models import APIKey
    from tests.compat.programs import VendorProgram

    return lambda user, prefix: VendorProgram(prefix, f"Bearer {APIKey.issue(user, 'tests')[1]}")

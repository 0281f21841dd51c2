"""Fields of requests, for every surface."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers


class FiniteField(serializers.FloatField):
    """Of which nan and inf are none, as in JSON."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value

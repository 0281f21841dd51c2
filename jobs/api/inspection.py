"""Which operations the OpenAPI document is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator

ASIDE = ("head", "options")  # methods that every view has, and for which few have a meaning of their own


class Endpoints(EndpointEnumerator):
    """With the methods aside that a view describes."""

    def get_allowed_methods(self, callback: Callable[..., Any]) -> list[str]:
        view = callback.cls  # type: ignore[attr-defined]  # of a view
        described = [name.upper() for name in ASIDE if hasattr(vars(view).get(name), "kwargs")]
        return [*super().get_allowed_methods(callback), *described]


class Generator(SchemaGenerator):
    endpoint_inspector_cls = Endpoints

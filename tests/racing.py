"""Several threads that start at the same moment, each with a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def race(runners: Sequence[Callable[[], Any]], *, expected: type[Exception] | tuple[type[Exception], ...] = ()) -> list:
    """What each returned, or the exception it raised where that is of an expected kind."""
    barrier = Barrier(len(runners))

    def run(runner: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return runner()
        except expected as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))

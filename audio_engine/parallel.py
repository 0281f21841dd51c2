"""Work spread over the processors in whole pieces, while the libraries' own threads are held at one.

A library that splits each small matrix product among threads has them meet thousands of times a second and wait for
each other busily. Where another program takes one of the processors, that costs many times what it gains. Pieces of
some tenths of a second wait for nobody.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from threadpoolctl import threadpool_limits

MOST_WORKERS = 8  # each holds a piece of work in memory
AHEAD = 2  # pieces, beside one for each worker

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """How many this process may use: what OMP_NUM_THREADS says, else what the system allows."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def ordered(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """work(item) of each item, in their order, worked out a few items ahead on other threads. The items themselves are
    made on the caller's. One processor takes one after another.

    Raises what `work` raises, at the result's place.
    """
    count = min(processors(), MOST_WORKERS)
    with libraries_on_one_thread():
        if count == 1:
            yield from map(work, items)
            return
        pool = ThreadPoolExecutor(count, initializer=_hold_torch)
        try:
            yield from _results(pool, work, items, count + AHEAD)
        finally:
            pool.shutdown(cancel_futures=True)


def _results(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """`items`, made a few ahead on a thread of their own. One processor makes them on the caller's.

    Raises what making them raises, at the item's place.
    """
    if processors() == 1:
        yield from items
        return
    maker = iter(items)
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Item]] = deque()
        try:
            while True:
                while len(waiting) <= AHEAD:
                    waiting.append(pool.submit(next, maker))
                try:
                    item = waiting.popleft().result()
                except StopIteration:
                    return
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def libraries_on_one_thread() -> Iterator[None]:
    """Also a decorator."""
    torch = _torch()
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(1, user_api="blas"):
        _hold_torch()
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def _hold_torch() -> None:
    """Each thread that uses torch has a number of its own."""
    if torch := _torch():
        torch.set_num_threads(1)


def _torch() -> ModuleType | None:
    """The module, once another thread that may just be importing it is done; None where nobody has asked for it."""
    return importlib.import_module("torch") if "torch" in sys.modules else None

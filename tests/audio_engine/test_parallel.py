from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info

from audio_engine import parallel
from audio_engine.exemplars import Memory
from audio_engine.parallel import AHEAD, ahead, ordered


@pytest.fixture(params=[1, 2, 5])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("OMP_NUM_THREADS", str(request.param))
    return int(request.param)


def test_results_come_in_the_items_order(processors: int) -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0 and processors > 1:
            assert first_may_end.wait(10)
        if item == 1:
            first_may_end.set()
        return item * item

    assert list(ordered(work, range(50))) == [item * item for item in range(50)]


def test_no_more_items_are_made_than_the_workers_need(processors: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            yield item

    for item in ordered(lambda item: item, items()):
        assert len(made) <= item + processors + AHEAD + 1
    assert len(made) == 100


def test_an_error_comes_at_its_items_place_and_ends_the_work(processors: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    results, found = ordered(work, range(10)), []
    with pytest.raises(ValueError, match="three"):
        for result in results:
            found.append(result)
    assert found == [0, 1, 2]


def test_an_error_of_the_items_comes_through(processors: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(ordered(lambda item: item, items()))


def test_libraries_keep_to_one_thread_meanwhile_and_get_theirs_back(processors: int) -> None:
    def blas() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = torch.get_num_threads(), blas()
    for found in ordered(lambda _: torch.get_num_threads(), range(4)):
        assert found == 1
        assert set(blas()) == {1}
    assert (torch.get_num_threads(), blas()) == before


@pytest.mark.parametrize(("wanted", "count"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_the_environment_says_how_many_processors_to_use(
    wanted: str, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = parallel.processors()
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert parallel.processors() == (usual if count is None else count)


def test_threads_that_want_the_same_thing_wait_for_one_of_them() -> None:
    memory: Memory[int] = Memory()
    made: list[int] = []
    together = threading.Barrier(4)

    def make(key: int) -> int:
        made.append(key)
        return key + 1

    def ask() -> None:
        together.wait(10)
        assert memory.recall(make, 6) == 7

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [6]


def test_items_made_ahead_are_the_items_and_no_more_of_them_than_announced(processors: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            yield item

    found = []
    for item in ahead(items()):
        assert len(made) <= item + AHEAD + 2
        found.append(item)
    assert found == list(range(100))


def test_an_error_in_making_an_item_comes_at_its_place(processors: int) -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("one")

    found = []
    with pytest.raises(ValueError, match="one"):
        for item in ahead(items()):
            found.append(item)
    assert found == [0]


def test_nothing_is_made_ahead_any_more_once_nobody_asks(processors: int) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    made = ahead(items())
    assert next(made) == 0
    made.close()
    del made
    assert closed.wait(10)


def test_torch_may_be_imported_by_the_work_itself() -> None:
    code = "from audio_engine.parallel import ordered; list(ordered(lambda n: __import__('torch').ones(n), range(9)))"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "4"})

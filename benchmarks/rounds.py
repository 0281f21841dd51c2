"""Contenders in turn, A-B-A-B, after one warm-up each; the machine and what else it did meanwhile."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from audio_engine.parallel import processors

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
ROUNDS = 3
QUIET = 0.3  # cores that other programs may use before a round counts as shared
TICKS = os.sysconf("SC_CLK_TCK")

Contender = Callable[[], object]


@dataclass
class Timings:
    seconds: dict[str, list[float]]  # by the clock
    work: dict[str, list[float]]  # seconds of all processors, for which other programs matter less
    shared: int = 0  # rounds beside which other programs ran


def print_machine() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # what is measured is said, even where the rest is cut short
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in facts.items()}
    flags = [flag for flag in FLAGS if flag in found.get("flags", "").split()]
    print(f"{found.get('model name', platform.machine())}, {os.cpu_count()} CPUs, {' '.join(flags)}")
    print(f"torch {torch.__version__}, {processors()} processors used, load {os.getloadavg()[0]:.1f}")


def compare(contenders: Mapping[str, Contender], rounds: int = ROUNDS) -> Timings:
    """Prints nothing; see `print_timings`."""
    timings = Timings({name: [] for name in contenders}, {name: [] for name in contenders})
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            seconds, work, others = timed(contender)
            timings.seconds[name].append(seconds)
            timings.work[name].append(work)
            timings.shared += others > QUIET
    return timings


def timed(contender: Contender) -> tuple[float, float, float]:
    """Seconds by the clock and of all processors, and how many cores other programs used meanwhile."""
    busy, own, began = _busy(), _own(), time.perf_counter()
    contender()
    seconds, work = time.perf_counter() - began, _own() - own
    return seconds, work, (_busy() - busy - work) / seconds


def _busy() -> float:
    """Seconds that all CPUs together have worked."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft) / TICKS


def _own() -> float:
    """Seconds that this process and those it has waited for have worked."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def print_timings(timings: Timings, ours: Sequence[str], audio_seconds: float | None = None) -> None:
    """Each contender's median and spread, and how many times as long as each of `ours` the others took."""
    count = sum(map(len, timings.seconds.values()))
    for name, seconds in timings.seconds.items():
        middle = statistics.median(seconds)
        work = statistics.median(timings.work[name])
        speed = f"  {audio_seconds / middle:7.1f} x real time" if audio_seconds else ""
        print(f"{name:20} {middle:8.3f} s ({min(seconds):.3f} to {max(seconds):.3f}), work {work:8.3f} s{speed}")
    for name in ours:
        for other in timings.seconds.keys() - set(ours):
            clock, work = (_ratios(figures[other], figures[name]) for figures in (timings.seconds, timings.work))
            print(f"{other} / {name}: {clock}, work {work}")
    if timings.shared:
        print(f"{timings.shared} of {count} rounds beside other programs: a shared machine")


def _ratios(others: Sequence[float], ours: Sequence[float]) -> str:
    ratios = [other / own for other, own in zip(others, ours, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

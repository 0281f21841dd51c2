"""The shape that docs/architecture.md promises: who imports whom, who writes what, and how large a module may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("project", "accounts", "jobs", "audio_engine")
MOST_LINES = 350
MOST_LINES_OF_TESTS = 500  # a list of cases over one set of fixtures reads well at some length
TOP_LEVEL = {
    "manage.py",
    "pyproject.toml",
    "Makefile",
    "Procfile",
    "package.json",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs",
    "deploy",
    "benchmarks",
    "project",
    "accounts",
    "jobs",
    "audio_engine",
    "templates",
    "static",
    "tests",
    ".ci",
    ".gitignore",
}


def modules(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts
    )


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def text(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_imports_go_in_one_direction():
    contracts = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert contracts.returncode == 0, contracts.stdout


# --- the three laws

WRITES = ("create", "update", "bulk_create", "bulk_update", "get_or_create", "update_or_create")


def status_writes(path: Path) -> list[str]:
    """Where a module sets a job's status: by a keyword of a write, or by an assignment to the attribute."""
    writes = [
        f"{name(path)}:{call.lineno}"
        for call in calls(path)
        if text(call).split(".")[-1] in (*WRITES, "Job")
        and any(keyword.arg == "status" for keyword in call.keywords)
        and not text(call).startswith("IdempotentRequest")
    ]
    assigned = [
        f"{name(path)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr == "status" and ast.unparse(target.value) != "self"
    ]
    return writes + assigned


def ledger_writes(path: Path) -> list[str]:
    """Where a module writes balances or entries."""
    return [
        f"{name(path)}:{call.lineno}"
        for call in calls(path)
        if text(call).split(".")[-1] in (*WRITES, "delete", "save", "CreditEntry", "CreditBalance")
        and ("CreditEntry" in text(call) or "CreditBalance" in text(call))
    ]


def test_only_the_lifecycle_changes_a_jobs_status():
    others = [path for path in modules("jobs", "accounts", "project") if name(path) != "jobs/lifecycle.py"]
    assert [write for path in others for write in status_writes(path)] == []
    assert status_writes(ROOT / "jobs/lifecycle.py")  # the search finds what it looks for


def test_only_the_ledger_writes_credits():
    others = [path for path in modules("jobs", "accounts", "project") if name(path) != "accounts/ledger.py"]
    assert [write for path in others for write in ledger_writes(path)] == []
    assert ledger_writes(ROOT / "accounts/ledger.py")


def test_only_the_queue_knows_the_queues_library():
    knowing = {name(path) for path in modules(*PACKAGES) if "django_q" in imported(path)}
    assert knowing == {"jobs/queue.py"}


# --- start-up and size


def test_starting_django_imports_nothing_of_the_torch_family(tmp_path):
    program = (
        "import django, sys; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "project.settings", "SOLOIST_DATA_DIR": str(tmp_path), "PATH": ""}
    started = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert started.returncode == 0, started.stderr
    loaded = set(started.stdout.split())
    assert "jobs" in loaded
    assert not loaded & {"torch", "torchaudio", "pyannote", "demucs", "silero_vad", "lightning", "resemblyzer"}


@pytest.mark.parametrize("path", modules(*PACKAGES, "tests", "benchmarks"), ids=name)
def test_no_module_is_longer_than_a_few_screens(path):
    most = MOST_LINES_OF_TESTS if name(path).startswith("tests/") else MOST_LINES
    assert len(path.read_text().splitlines()) <= most


def test_no_module_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "managers", "misc", "common"}
    assert [name(path) for path in modules(*PACKAGES) if path.stem in drawers] == []


def test_the_top_level_is_as_the_map_says():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} <= TOP_LEVEL

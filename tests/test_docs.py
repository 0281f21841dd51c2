"""The docs say what the code does: variables, addresses, commands, links and examples are held to it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, get_resolver, resolve

from jobs.errors import ERRORS
from project.env import BASE_DIR, VARIABLES

DOCS = sorted([BASE_DIR / "README.md", BASE_DIR / "CHANGELOG.md", *(BASE_DIR / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"(?<![\w.])(/(?:api|pyannoteai)/v\d/[\w/{}<>.-]*|/admin/|/healthz|/readyz)")
PROBES = {"/healthz", "/readyz"}
NOWHERE = {"pyannoteai/"}  # routes of what is at no address
IDS = ("1", "0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11")


def name(path: Path) -> str:
    return path.relative_to(BASE_DIR).as_posix()


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for path in DOCS:
        for found, code in BLOCK.findall(path.read_text()):
            if found == language:
                yield name(path), code


def written_default(kind: str, default: object) -> str:
    if kind == "bool":
        return "true" if default else "false"
    return ",".join(default) if isinstance(default, list) else str(default)


def test_the_table_of_variables_is_the_codes_own():
    table = (BASE_DIR / "docs/configuration.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    assert [row[0] for row in documented] == list(VARIABLES)
    for variable, kind, default, meaning in documented:
        expected = VARIABLES[variable]
        assert (kind, meaning) == (expected.kind, expected.meaning)
        wanted = written_default(kind, expected.default).replace("'", '"')
        assert default == (f"`{wanted}`" if wanted else "none")


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_variables_that_are_mentioned_exist(path):
    mentioned = set(re.findall(r"\bSOLOIST_[A-Z0-9_]+\b", path.read_text()))
    assert mentioned <= set(VARIABLES)


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_addresses_that_are_mentioned_are_served(path):
    for address in ADDRESS.findall(path.read_text()):
        if address.rstrip(".") not in {*PROBES, "/api/v1/"}:
            assert any(served(re.sub(r"\{\w+\}|<\w+>", id, address.rstrip("."))) for id in IDS), address


def served(address: str) -> bool:
    try:
        return resolve(address).route not in NOWHERE
    except Resolver404:
        return False


def test_every_address_of_the_api_is_documented():
    text = (BASE_DIR / "docs/api.md").read_text()
    served = {
        re.sub(r"<(int|uuid|str):\w+>", "{id}", route).replace("<slug:code>", "{code}")
        for route in routes()
        if route.startswith(("api/v1/", "pyannoteai/")) and route not in NOWHERE
    }
    assert len(served) > 10
    assert {route for route in served if not re.search(rf"/{re.escape(route)}(?![\w/])", text)} == set()


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + getattr(entry.pattern, "_route", "")
        if hasattr(entry, "url_patterns"):
            yield from routes(entry.url_patterns, route)
        else:
            yield route


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_commands_that_are_mentioned_exist(path):
    text = path.read_text()
    assert set(re.findall(r"manage\.py (\w+)", text)) <= set(get_commands())
    targets = set(re.findall(r"^([a-z]+):", (BASE_DIR / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`(?:\w+=\S+ )*make ([a-z]+)", text)) <= targets


PROGRAMS = sorted((BASE_DIR / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("program", [path.stem for path in PROGRAMS])
def test_benchmarks_find_what_they_measure(program):
    """They run too long to be run here, but names that were moved away from under them are seen."""
    import_module(f"benchmarks.{program}")


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_links_between_documents_lead_somewhere(path):
    for target in LINK.findall(path.read_text()):
        file, _, heading = target.partition("#")
        if "://" in file:
            continue
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings}, target


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_no_document_names_a_place_on_somebodys_machine(path):
    assert not re.search(r"/(?:home|root|Users|work|tmp)/", path.read_text())


@pytest.mark.parametrize(("where", "code"), list(blocks("python")))
def test_python_examples_are_python(where, code):
    ast.parse(code, filename=where)


@pytest.mark.parametrize(("where", "code"), list(blocks("bash")))
def test_shell_examples_are_shell(where, code):
    parsed = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, timeout=20)
    assert parsed.returncode == 0, f"{where}: {parsed.stderr}"


def test_every_error_code_is_documented_and_no_other():
    table = (BASE_DIR / "docs/api.md").read_text()
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", table, re.MULTILINE))
    assert documented == {code: str(kind.status) for code, kind in ERRORS.items()}

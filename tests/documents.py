"""Other vendors' own documents, whose examples are run as they stand there."""

from __future__ import annotations

import re

import pytest

from tests.processes import ROOT

FOLDER = ROOT.parent / "shared" / "reference"


def document(name: str) -> str:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"needs the vendors' documents in {FOLDER.name}")
    return path.read_text()


def examples(name: str, language: str, heading: str = "") -> list[str]:
    """Those of a language, below a heading where one is named, without the indentation that the document gives them."""
    text = document(name)
    if heading:
        [text] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    blocks = re.findall(rf"^( *)```{language}\b.*?\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", code, flags=re.MULTILINE) for indent, code in blocks]

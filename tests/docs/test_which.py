"""Each line that `docs/which.md` says to type is the schedule that its section draws."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import jaxsched as js

PAGE = (Path(__file__).parents[2] / "docs" / "which.md").read_text()
ROWS = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\).*?\| `(js\..+)` \|$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def names():
    """What the page's own code has defined."""
    found = {}
    for example in doctest.DocTestParser().get_examples(PAGE):
        exec(compile(example.source, "which.md", "exec"), found)
    return found


def drawn(anchor):
    """The schedules that the section draws."""
    heading = anchor.replace("-", ".").capitalize()
    section = re.search(rf"^## {heading}\n(.*?)(?=\n## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    (curves,) = re.findall(r"^```{curve}\n:steps: \d+\n(.*?)```", section[1], re.MULTILINE | re.DOTALL)
    return [js.parse(line) for line in curves.splitlines()]


def test_every_situation_has_a_line():
    assert len(ROWS) == PAGE.count("\n## ") - 1  # the range test is typed in a shell


@pytest.mark.parametrize(("anchor", "line"), ROWS, ids=[anchor for anchor, _ in ROWS])
def test_the_line_is_drawn(anchor, line, names):
    assert eval(line, dict(names)) in drawn(anchor)

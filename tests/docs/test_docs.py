"""The docstrings are complete, and their tables and formulas are correct."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import api
import numpy as np
import pytest

import jaxsched as js
from benchmarks.report import RESULTS, markdown

ROOT = Path(__file__).parents[2]
SHAPES = {
    name: value
    for name, value in vars(js).items()
    if inspect.isclass(value) and issubclass(value, js.Schedule) and name[0].isupper()
} | {"Product": type(js.Constant(1) * 2), "Sum": type(js.Constant(1) + 2)}
SHAPES = {name: cls for name, cls in SHAPES.items() if not inspect.isabstract(cls)}
PUBLIC = {name: getattr(js, name) for name in js.__all__ if callable(getattr(js, name))}
WITHOUT_FORMULA = {"Schedule", "Transition", "parse", "stack", "table", "number", "numbers", "part", "parts"}
WITHOUT_FORMULA |= {"optional_number", "learning_rate", "scale_by_learning_rate", "LearningRateState"}


def rows(cls):
    """The table in a docstring: a row of steps, then rows of an expression and its rates."""
    lines = re.findall(r"^ *\| (.*) \|$", inspect.getdoc(cls), re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return cells[0], cells[1:]


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in ("Lambda", "Product", "Sum")])
def test_table_of_rates(name):
    (title, *steps), lines = rows(SHAPES[name])
    assert title == "step"
    assert lines
    for expression, *rates in lines:
        schedule = js.parse(expression.strip("`"))
        assert type(schedule) is SHAPES[name]
        actual = [f"{rate:.4g}" for rate in np.asarray(schedule(np.array(steps, np.int32)), float)]
        assert actual == rates, expression


@pytest.mark.parametrize("name", [name for name, cls in SHAPES.items() if issubclass(cls, js.Transition)])
def test_table_of_a_transition_covers_its_end(name):
    (_, *steps), lines = rows(SHAPES[name])
    length = int(js.parse(lines[0][0].strip("`")).transition_steps)
    assert [int(step) for step in steps] == [0, length - 1, length, length + 1]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert doc
    assert doc.splitlines()[0].endswith((".", ":", "$$"))
    if (
        inspect.isclass(PUBLIC[name])
        and issubclass(PUBLIC[name], js.Schedule)
        and name not in WITHOUT_FORMULA
    ):
        assert "$$" in doc or "==" in doc, "no formula"
        assert "Raises:" in doc
        for field in PUBLIC[name].__dataclass_fields__:
            assert f"  {field}:" in doc, f"`{field}` is not explained"


@pytest.mark.parametrize("name", [path.stem for path in RESULTS.glob("*.json")])
def test_the_readme_shows_what_a_benchmark_kept(name):
    shown = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", (ROOT / "README.md").read_text(), re.DOTALL)
    record = json.loads((RESULTS / f"{name}.json").read_text())
    assert shown[1].strip() == markdown(record["rows"])
    assert f"`{record['command']}`" in (ROOT / "README.md").read_text()


def test_the_readme_shows_the_pictures_that_are_kept():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    kept = {
        str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*") if path.suffix in (".svg", ".png")
    }
    assert len(shown) == 2
    assert set(shown) == kept


def test_the_schedules_of_the_readme_are_drawn_as_they_are(tmp_path):
    """In its own process: other tests may change the last bit of a rate, and the drawing would show it."""
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(ROOT / "docs" / "pictures.py"), str(tmp_path / "schedules.svg")]
    subprocess.run(command, check=True, env=environment)
    drawn = (tmp_path / "schedules.svg").read_text()
    assert drawn == (ROOT / "docs" / "schedules.svg").read_text()
    root = ET.fromstring(drawn)
    assert "prefers-color-scheme:dark" in drawn
    assert len(root.findall("{http://www.w3.org/2000/svg}g")) == 6


def test_every_public_name_is_in_the_reference():
    pages = "".join(path.read_text() for path in (ROOT / "docs/reference").glob("*.md"))
    listed = "".join(api.listing(kind) for kind in re.findall(r"^```\{listing\} (\w+)$", pages, re.MULTILINE))
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", pages + listed, re.MULTILINE))
    documented |= {name.rpartition(".")[2] for name in documented}
    inner = {
        f"jaxsched.{each}.{name}" for each in ("forecast", "ports") for name in getattr(js, each).__all__
    }
    types = {"Number", "Numbers", "ScheduleLike"}
    assert set(js.__all__) - types - {"forecast", "ports"} | inner <= documented


def test_the_readme_names_every_shape():
    readme = (ROOT / "README.md").read_text()
    listed = re.search(r"\*\*Shapes\*\* have a formula: (.*?)\.\n", readme, re.DOTALL)[1]
    names = [*api.names("transitions"), *api.names("shapes")]
    shapes = {name for name in names if inspect.isclass(getattr(js, name))}
    assert set(re.findall(r"`(\w+)`", listed)) == shapes


def test_the_reference_shows_how_far_a_loss_law_errs():
    page = (ROOT / "docs" / "reference" / "forecast.md").read_text()
    rows = json.loads((RESULTS / "forecast" / "curves.json").read_text())["rows"]
    means = [
        {name: row[name] for name in row if name not in ("size", "run")}
        for row in rows
        if row["size"] == "all"
    ]
    assert markdown(means) in page

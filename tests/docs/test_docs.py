"""The docstrings are complete, and their tables and formulas are correct."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import api
import jax
import numpy as np
import pytest
from modules import public_functions

import jaxsched as js
from benchmarks.cost import in_short
from benchmarks.report import RESULTS, markdown
from jaxsched._core.evaluate import batch_shape

ROOT = Path(__file__).parents[2]
PUBLIC = {name: getattr(js, name) for name in js.__all__ if callable(getattr(js, name))}
SCHEDULES = {name: getattr(js, name) for kind in api.KINDS for name in api.names(kind)}
COMPOSITIONS = api.names("combinators") + api.names("presets")
WITHOUT_FORMULA = {"stack", "table"}


def rows(cls):
    """The table in a docstring: a row of steps, then rows of an expression and its rates."""
    lines = re.findall(r"^ *\| (.*) \|$", inspect.getdoc(cls), re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return cells[0], cells[1:]


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "table"])
def test_table_of_rates(name):
    (title, *steps), lines = rows(SCHEDULES[name])
    assert title == "step"
    assert lines
    at = np.array(steps, np.int32)
    for expression, *rates in lines:
        assert expression.startswith(f"`{name}(")
        schedule = api.schedule(expression.strip("`"))
        actual = jax.vmap(lambda each: each(at))(schedule) if batch_shape(schedule) else schedule(at)
        columns = np.atleast_2d(np.asarray(actual, float)).T
        assert [", ".join(f"{rate:.4g}" for rate in column) for column in columns] == rates, expression


@pytest.mark.parametrize("name", api.names("transitions"))
def test_table_of_a_transition_covers_its_end(name):
    (_, *steps), lines = rows(SCHEDULES[name])
    length = int(js.parse(lines[0][0].strip("`")).transition_steps)
    assert [int(step) for step in steps] == [0, length - 1, length, length + 1]


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_table_of_a_composition_covers_its_end_or_one_of_its_numbers(name):
    (_, *steps), lines = rows(SCHEDULES[name])
    before, turn, after = map(int, steps[1:])
    assert (int(steps[0]), before, after) == (0, turn - 1, turn + 1)
    for expression, *_ in lines:
        known = re.findall(r"\d+", expression)
        assert str(turn) in known or turn == js.parse(expression.strip("`")).duration()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert doc
    assert doc.splitlines()[0].endswith((".", ":", "$$"))
    if name in SCHEDULES:
        assert "$$" in doc or "==" in doc or name in WITHOUT_FORMULA, "no formula"
        assert "\n>>> " in doc, "no example"
        assert "Raises:" in doc
        for argument in inspect.signature(PUBLIC[name]).parameters:
            assert f"  {argument}:" in doc, f"`{argument}` is not explained"


README = (ROOT / "README.md").read_text()


def test_the_readme_shows_what_a_benchmark_kept():
    ((name, shown),) = re.findall(r"<!-- ([\w/]+) -->\n(.*?)<!-- end -->", README, re.DOTALL)
    record = json.loads((RESULTS / f"{name}.json").read_text())
    assert shown.strip() == markdown(record["rows"])
    assert f"`{record['command']}`" in README


def test_the_short_table_of_costs_is_from_the_long_ones():
    tables = {path.stem: json.loads(path.read_text())["rows"] for path in (RESULTS / "cost").glob("*.json")}
    assert in_short(tables) == tables["short"]


def test_the_readme_names_what_proves_its_claims():
    _, rows = README.split("| proved by |\n| --- | --- |\n")
    for row in rows.partition("\n\n")[0].splitlines():
        (proof,) = re.findall(r"^\| .*\]\(docs/.* \| `(.+)` \|$", row)
        if command := re.fullmatch(r"python -m ([\w.]+)", proof):
            assert importlib.util.find_spec(command[1])
        else:
            assert (ROOT / proof).exists()


def test_the_readme_counts_systems_and_recorded_cases():
    systems, cases = re.search(r"schedulers of (\d+) systems.* in ([\d,]+) recorded cases", README).groups()
    records = [json.loads(path.read_text()) for path in (ROOT / "tests/goldens").glob("*.json")]
    recorded = {record["system"]: len(record["cases"]) for record in records if "cases" in record}
    assert set(recorded) == set(js.ports.SYSTEMS)
    assert (int(systems), int(cases.replace(",", ""))) == (len(recorded), sum(recorded.values()))


def test_every_result_and_every_picture_that_is_kept_is_shown():
    pages = README + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    shown = re.findall(r"^(?:```\{benchmark\} (\S+)|<!-- (\S+/\S+) -->)$", pages, re.MULTILINE)
    kept = {str(path.relative_to(RESULTS).with_suffix("")) for path in RESULTS.rglob("*.json")}
    # The one is a log; the other is in a table of its own, tested below.
    assert kept - {"forecast/compare", "forecast/curves"} == {"".join(name) for name in shown}
    pictures = {path.name for path in (ROOT / "docs").rglob("*") if path.suffix in (".svg", ".png")}
    assert pictures == {Path(name).name for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", pages)}


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
    described = {name for page in api.reference_pages() for name in api.documented(page)}
    public = {*js.__all__, "ports.FromConfig", *(f"forecast.{name}" for name in js.forecast.__all__)}
    for system in js.ports.SYSTEMS:
        module = importlib.import_module(f"jaxsched.ports.{system}")
        public |= {f"ports.{system}.{name}" for name in public_functions(module)}
    assert public <= described
    index, types = api.everything(), api.names("types")
    for name in public:
        last = name.rpartition(".")[2]
        link = f"[{last}](testing.md#types)" if name in types else f"{{py:obj}}`{last} <jaxsched.{name}>`"
        assert f"| {link} |" in index


def test_the_pages_of_schedules_are_those_of_the_package(tmp_path):
    (tmp_path / "Gone.md").write_text("# Gone\n")
    api.write_pages(tmp_path)
    pages = {path.stem: path.read_text() for path in tmp_path.iterdir()}
    assert set(pages) == SCHEDULES.keys() - {"table"}, "`table` is on the page of `Table`"
    for name in SCHEDULES:
        page = pages["Table" if name == "table" else name]
        assert re.search(rf"^\.\. auto(class|function):: {name}$", page, re.MULTILINE)
        assert f"{{curve}}\n{name}(" in page or name == "table"


def test_a_link_to_the_playground_holds_expressions_and_steps():
    assert (
        api.in_the_playground(["0.1", "shift(1, 2)"], 9)
        == "playground.html#e=0.1%0Ashift%281%2C+2%29&steps=9"
    )
    assert api.in_the_playground(["0.1"], None) == "playground.html#e=0.1"


def test_a_synonym_is_of_a_page():
    assert api.SYNONYMS.keys() <= SCHEDULES.keys() | set(api.reference_pages()) | {"index"}


def test_the_reference_shows_how_far_a_loss_law_errs():
    page = (ROOT / "docs" / "reference" / "forecast.md").read_text()
    rows = json.loads((RESULTS / "forecast" / "curves.json").read_text())["rows"]
    means = [
        {name: row[name] for name in row if name not in ("size", "run")}
        for row in rows
        if row["size"] == "all"
    ]
    assert markdown(means) in page

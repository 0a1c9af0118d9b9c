"""The notebook of the docs is stored without outputs, and runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import HANG

import jaxsched as js
from train.chapter import CHAPTER

NOTEBOOK = Path(__file__).parents[2] / "docs" / "chapter.ipynb"


CELLS = json.loads(NOTEBOOK.read_text())["cells"]


def test_it_is_stored_without_outputs():
    for cell in CELLS:
        assert not cell.get("outputs"), cell["source"]
        assert cell.get("execution_count") is None


def test_it_shows_the_schedules_of_the_chapter():
    lines = [line for cell in CELLS if cell["cell_type"] == "code" for line in cell["source"]]
    shown = [eval(line, {"js": js, "SCALE": 1.0}) for line in lines if line.startswith("SCALE *")]
    assert shown == [1.0 * run.schedule for run in CHAPTER if run.rule is None]
    assert [eval(line) for line in lines if line.startswith("js.Plateau")] == [CHAPTER[-1].rule]


@pytest.mark.thorough
def test_it_runs():
    nbclient = pytest.importorskip("nbclient", reason="runs the notebook: pip install '.[docs]'")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=HANG, resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    table = next(output.text for output in outputs if "test accuracy" in output.get("text", ""))
    best = {line[:20].strip(): float(line.split()[-1]) for line in table.splitlines()[1:]}
    assert list(best) == [run.name for run in CHAPTER]
    assert min(best.values()) > 0.9
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    curves = [output for output in outputs if "<svg" in output.get("data", {}).get("text/html", "")]
    assert len(figures) == 3
    assert len(curves) == 6

"""The notebook of the docs is stored without outputs, and runs from its file alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import HANG

import jaxsched as js
from train.chapter import CHAPTER

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "chapter.ipynb"
PYTHON = os.environ.get("NOTEBOOK_PYTHON", sys.executable)
"""The Python of the environment that the notebook finds. It needs only `ipykernel`."""

CELLS = json.loads(NOTEBOOK.read_text())["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_it_is_stored_without_outputs():
    for cell in CELLS:
        assert not cell.get("outputs"), cell["source"]
        assert cell.get("execution_count") is None


def test_it_shows_the_schedules_of_the_chapter():
    scope = {"js": js, "EPOCHS": 30}
    shown = [code for code in CODE if code.splitlines()[-1].isidentifier()]
    (collected,) = (code for code in CODE if "chapter = {" in code)
    for code in [*shown, collected.partition("ax =")[0]]:
        exec(code, scope)
    chapter = {run.name: (run.schedule, run.rule or scope["never"]) for run in CHAPTER}
    assert scope["chapter"] == chapter


TFDS = """
import numpy as np

def load(name, split, batch_size, as_supervised):
    assert (name, split, batch_size, as_supervised) == ("fashion_mnist", ["train", "test"], -1, True)
    return [(np.ones((n, 28, 28, 1), np.uint8), np.arange(n)) for n in (7, 2)]

def as_numpy(arrays):
    return arrays
"""
"""TensorFlow Datasets, as its catalogue describes the data. `tests/train/test_data.py` tests it as it is."""


def test_its_sources_give_the_same_kind_of_data(tmp_path, monkeypatch):
    (tmp_path / "tensorflow_datasets.py").write_text(TFDS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: io.BytesIO())
    scope = {"os": os, "subprocess": subprocess, "sys": sys}
    for code in CODE:
        if "def from_" in code or "def digits" in code:
            exec(code, scope)
    for source, lengths in (("from_tfds", (7, 7, 2, 2)), ("digits", (1437, 1437, 360, 360))):
        data = [*scope[source]()]
        assert tuple(map(len, data)) == lengths
        assert [array.shape[1:] for array in data] == [(28, 28), (), (28, 28), ()]
        assert data[0].dtype == data[2].dtype == "uint8"


def versions():
    """The packages in the notebook's environment."""
    command = [PYTHON, "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    return {each["name"]: each["version"] for each in json.loads(listed)}


@pytest.mark.thorough
def test_it_runs(tmp_path, monkeypatch):
    """Every cell runs, in an empty folder and, in CI, in environments without jaxsched."""
    nbclient = pytest.importorskip("nbclient", reason="runs the notebook: pip install '.[docs]'")
    nbformat = pytest.importorskip("nbformat")
    kernel = tmp_path / "kernels" / "here"
    folder = tmp_path / "empty"
    kernel.mkdir(parents=True)
    folder.mkdir()
    command = [PYTHON, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "here", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JAXSCHED_SOURCE", str(ROOT))
    devices = 8 if sys.executable == PYTHON else 1
    monkeypatch.setenv("XLA_FLAGS", f"--xla_force_host_platform_device_count={devices}")
    before = versions()

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=HANG, kernel_name="here", resources=where).execute()

    assert before.items() <= versions().items()  # what was there is still there, in the same version
    assert not [*folder.iterdir()]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.get("text", "") for output in outputs)
    assert f"{devices} x " in said
    assert "1 program" in said  # that for another schedule is the same
    table = next(output.text for output in outputs if "test accuracy" in output.get("text", ""))
    best = {line[:20].strip(): float(line.split()[-1]) for line in table.splitlines()[1:]}
    assert list(best) == [run.name for run in CHAPTER]
    assert min(best.values()) > (0.75 if "Fashion-MNIST: " in said else 0.9)
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    curves = [output for output in outputs if "<svg" in output.get("data", {}).get("text/html", "")]
    assert len(figures) == 3
    assert len(curves) >= 7

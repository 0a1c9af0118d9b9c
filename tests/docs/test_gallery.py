"""The gallery shows everything, and is what its command writes now."""

from __future__ import annotations

import importlib
import inspect
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from test_ports_laws import SYSTEMS

import jaxsched as js
from jaxsched._text.parse import PRESETS

DOCS = Path(__file__).parents[2] / "docs"
GALLERY = runpy.run_path(str(DOCS / "gallery.py"))
SHAPES_AND_COMBINATORS = {
    name
    for name, value in vars(js).items()
    if inspect.isclass(value) and issubclass(value, js.Schedule) and not inspect.isabstract(value)
} | {"stack", "table", "Product", "Sum"}


@pytest.fixture(scope="module")
def sections():
    return GALLERY["sections"]()


def first_words(*sections):
    return {panel.name.split()[0] for section in sections for panel in section}


def test_every_shape_combinator_and_preset_is_there(sections):
    assert first_words(sections["Shapes"], sections["Combinators"]) == SHAPES_AND_COMBINATORS
    assert first_words(sections["Presets"]) == set(PRESETS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_port_is_there(sections, system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    ports = {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    }
    panels = [*sections[f"Ports: {system}"], *sections["Plateaus"]]
    assert ports == {panel.name.split()[1] for panel in panels if panel.name.split()[0] == system}


def test_a_call_is_what_was_called(sections):
    for panel in sections["Presets"]:
        assert eval(panel.call, {"js": js}) == panel.value


def test_the_page_is_up_to_date(sections):
    assert (DOCS / "gallery.md").read_text() == GALLERY["page"](sections)


def test_each_picture_has_a_file_of_its_own(sections):
    files = [panel.file for section in sections.values() for panel in section]
    assert len({file.lower() for file in files}) == len(files)
    assert set(files) == {f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir()}


DRAW = """
import pathlib, runpy, sys
gallery = runpy.run_path(sys.argv[1])
for panels in gallery["sections"]().values():
    for panel in panels:
        pathlib.Path(sys.argv[2], pathlib.Path(panel.file).name).write_text(gallery["drawn"](panel))
"""


@pytest.mark.thorough
def test_pictures_are_up_to_date(tmp_path):
    """In a process of its own, as the last unit of a rate, which other tests may change, would show."""
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-c", DRAW, str(DOCS / "gallery.py"), str(tmp_path)]
    subprocess.run(command, check=True, cwd=DOCS.parent, env=environment)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in (DOCS / "gallery").iterdir()}


def test_the_sheet_is_up_to_date(sections):
    shown = [panel for title in GALLERY["SHEET"] for panel in sections[title]]
    assert first_words(shown) == SHAPES_AND_COMBINATORS | set(PRESETS)
    with Image.open(DOCS / "gallery.png") as sheet:
        assert sheet.text["Description"] == GALLERY["metadata"](shown)["Description"]

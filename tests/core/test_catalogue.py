"""Every public schedule is in the catalogue; one that is missing would be held to no law."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from modules import public_functions

import jaxsched as js
from catalogue.cases import COMBINATORS, PRESETS, SHAPES, SHORT
from jaxsched import combinators, presets, shapes


def defined_in(package, wanted):
    """The public names and values that the modules of a package define."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if wanted(value) and value.__module__ == info.name and not name.startswith("_"):
                yield name, value


def is_schedule(value):
    return inspect.isclass(value) and issubclass(value, js.Schedule)


CLASSES = {
    name: (value, cases)
    for package, cases in ((shapes, SHAPES), (combinators, COMBINATORS))
    for name, value in defined_in(package, is_schedule)
    if name != "select"  # the result of `stack`
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_schedule_is_exported_and_has_a_case(name):
    cls, cases = CLASSES[name]
    assert name in js.__all__
    assert getattr(js, name) is cls
    assert cls in {type(build(SHORT)) for build in cases.values()}, f"catalogue/cases.py has no `{name}`"


def test_a_preset_is_exported_and_has_a_case():
    functions = public_functions(presets)
    assert functions <= set(js.__all__)
    assert functions == set(PRESETS)

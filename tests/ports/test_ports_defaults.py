"""The parameters and defaults of every port are those of its original: `goldens/defaults.json`."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parents[1] / "goldens"
RECORD = json.loads((GOLDENS / "defaults.json").read_text())
ORIGINALS = {
    (system, name): parameters
    for system, originals in RECORD["parameters"].items()
    for name, parameters in originals.items()
}

LEFT_OUT = {
    "optimizer": "a schedule is made without one; its rate is the argument `lr`, which comes first",
    "kwargs": "they are old names of Keras",
}
"""Parameters of originals that no port has, and why."""

OWN_RATES = ["CyclicLR", "CyclicLRMomentum", "OneCycleLR", "OneCycleLRMomentum", "SequentialLR"]
"""Schedulers of PyTorch that take their rates as arguments, or in their members."""

ADDED = {
    ("keras", "LearningRateScheduler"): (
        [["epochs"], ["learning_rate", None]],
        "the original calls a function at each epoch with the model's rate; a table needs both beforehand",
    ),
    ("keras", "ReduceLROnPlateau"): ([["lr"]], "the original takes the rate of the model"),
    **{
        (system, name): ([["total_steps", *default]], "a function that cannot be traced is called beforehand")
        for system, names in {
            "torch": {"LambdaLR": [None], "MultiplicativeLR": [], "CyclicLR": [None]},
            "paddle": {"LambdaDecay": [None], "MultiplicativeDecay": [], "CyclicLR": [None]},
        }.items()
        for name, default in names.items()
    },
    ("torch", "CyclicLRMomentum"): ([["total_steps", None]], "it takes the arguments of `CyclicLR`"),
}
"""Parameters that only the ports have, and why; `lr` comes first and the others last."""


def with_type(parameters):
    """Defaults with their types: 1 may be 1.0, but not True."""
    return [(name, *((isinstance(each, bool), each) for each in default)) for name, *default in parameters]


@pytest.mark.parametrize(("system", "name"), [pytest.param(*key, id=" ".join(key)) for key in ORIGINALS])
def test_the_defaults_are_those_of_the_original(system, name):
    theirs = ORIGINALS[system, name]
    added, _ = ADDED.get((system, name), ([], ""))
    takes_rate = ["optimizer"] in theirs or ["optimizer", None] in theirs
    first = [["lr"]] if takes_rate and not (system == "torch" and name in OWN_RATES) else []
    expected = [
        *first,
        *(each for each in added if each == ["lr"]),
        *(each for each in theirs if each[0] not in LEFT_OUT),
        *(each for each in added if each != ["lr"]),
    ]
    port = getattr(importlib.import_module(f"jaxsched.ports.{system}"), name)
    ours = [
        [parameter.name] if parameter.default is parameter.empty else [parameter.name, parameter.default]
        for parameter in inspect.signature(port).parameters.values()
    ]
    assert with_type(ours) == with_type(expected)


@pytest.mark.parametrize("system", RECORD["parameters"])
def test_every_port_has_an_original(system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    ports = {
        name
        for name, each in vars(module).items()
        if inspect.isfunction(each) and each.__module__ == module.__name__ and not name.startswith("_")
    }
    assert ports == set(RECORD["parameters"][system])
    assert RECORD["version"][system] == json.loads((GOLDENS / f"{system}.json").read_text())["version"]


def test_the_lists_of_deviations_name_originals():
    every = {parameter[0] for parameters in ORIGINALS.values() for parameter in parameters}
    assert set(LEFT_OUT) <= every
    assert set(ADDED) <= set(ORIGINALS)
    assert {("torch", name) for name in OWN_RATES} <= set(ORIGINALS)

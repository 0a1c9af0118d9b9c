"""The parameters and defaults of every port are those of its original: `goldens/defaults.json`."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest
from modules import public_functions

GOLDENS = Path(__file__).parents[1] / "goldens"
RECORD = json.loads((GOLDENS / "defaults.json").read_text())
ORIGINALS = {
    (system, name): parameters
    for system, originals in RECORD["parameters"].items()
    for name, parameters in originals.items()
}

LEFT_OUT = {
    "optimizer": "a schedule is made without one; its rate is the argument `lr`, which comes first",
    "keras kwargs": "they are old names",
}
"""Parameters of originals, or those of one system, that no port has, and why."""

OWN_RATES = {
    ("torch", name)
    for name in ("CyclicLR", "CyclicLRMomentum", "OneCycleLR", "OneCycleLRMomentum", "SequentialLR")
} | {("transformers", "get_adafactor_schedule")}
"""Schedulers that take their rates as arguments, have them in their members, or do without."""

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
    ("transformers", "get_adafactor_schedule"): (
        [["warmup_init", False]],
        "the original reads it from the optimizer",
    ),
}
"""Parameters that only the ports have, and why; `lr` comes first and the others last."""


def with_type(parameters):
    """Defaults with their types: 1 may be 1.0, but not True."""
    return [(name, *((isinstance(each, bool), each) for each in default)) for name, *default in parameters]


def plain(default):
    """A default as the record has it: what JSON cannot hold is written as Python shows it."""
    return default if default is None or type(default) in (bool, int, float, str) else repr(default)


@pytest.mark.parametrize(("system", "name"), [pytest.param(*key, id=" ".join(key)) for key in ORIGINALS])
def test_the_defaults_are_those_of_the_original(system, name):
    theirs = ORIGINALS[system, name]
    left_out = {each.removeprefix(f"{system} ") for each in LEFT_OUT}
    added, _ = ADDED.get((system, name), ([], ""))
    takes_rate = ["optimizer"] in theirs or ["optimizer", None] in theirs
    first = [["lr"]] if takes_rate and (system, name) not in OWN_RATES else []
    expected = [
        *first,
        *(each for each in added if each == ["lr"]),
        *(each for each in theirs if each[0] not in left_out),
        *(each for each in added if each != ["lr"]),
    ]
    port = getattr(importlib.import_module(f"jaxsched.ports.{system}"), name)
    ours = [
        [each.name] if each.default is each.empty else [each.name, plain(each.default)]
        for each in inspect.signature(port).parameters.values()
    ]
    assert with_type(ours) == with_type(expected)


@pytest.mark.parametrize("system", RECORD["parameters"])
def test_every_port_has_an_original(system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    ports = public_functions(module)
    assert ports == set(RECORD["parameters"][system])
    assert RECORD["version"][system] == json.loads((GOLDENS / f"{system}.json").read_text())["version"]


def test_the_lists_of_deviations_name_originals():
    every = {
        name
        for (system, _), parameters in ORIGINALS.items()
        for parameter, *_ in parameters
        for name in (parameter, f"{system} {parameter}")
    }
    assert set(LEFT_OUT) <= every
    assert set(ADDED) <= set(ORIGINALS)
    assert set(ORIGINALS) >= OWN_RATES

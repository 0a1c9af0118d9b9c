"""Every port against the rates of its original, in `goldens/*.json`, made by `goldens/make_*.py`."""

from __future__ import annotations

import importlib
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from goldens import functions
from goldens.distance import distance

from catalogue.reference import without_shortcuts

GOLDENS = Path(__file__).parents[1] / "goldens"


def golden_cases():
    """The recorded cases, by system and scheduler."""
    cases = defaultdict(list)
    for path in sorted(GOLDENS.glob("*.json")):
        record = json.loads(path.read_text())
        if "cases" in record:
            for case in record["cases"]:
                cases[record["system"], case["name"]].append(case)
    return cases


CASES = golden_cases()


def ported(system, name, case):
    """The schedule of a case, built with our port."""
    module = importlib.import_module(f"jaxsched.ports.{system}")

    def argument(value):
        if isinstance(value, list):
            return [argument(each) for each in value]
        if isinstance(value, dict) and "function" in value:
            return getattr(functions, value["function"])
        if isinstance(value, dict) and "dict" in value:
            return dict(value["dict"])
        if isinstance(value, dict) and "port" in value:
            return ported(system, value["port"], value)
        return value

    # timm's steps are the arguments of `step` or `step_update`; a port has one clock for both.
    given = {key: value for key, value in case.get("kwargs", {}).items() if key != "t_in_epochs"}
    keywords = {key: argument(value) for key, value in given.items()}
    made = getattr(module, name)(*(argument(value) for value in case.get("args", [])), **keywords)
    return getattr(made, case.get("of", ""), made[0] if name == "create_scheduler_v2" else made)


SMOKE = ("optax", "torch", "transformers")
"""The systems that are tested with every set of versions."""


def few(cases):
    """The first case, the middle one, and the one with the most arguments."""
    longest = max(
        cases, key=lambda case: (len(case.get("args", [])) + len(case.get("kwargs", {})), str(case))
    )
    return [cases[0], cases[len(cases) // 2], longest]


def every_port():
    """By default three cases of each port."""
    for system, name in CASES:
        marks = [pytest.mark.smoke] * (system in SMOKE)
        yield pytest.param(system, name, few, id=f"{system} {name}-few", marks=marks)
        yield pytest.param(system, name, list, id=f"{system} {name}-all", marks=pytest.mark.thorough)


@pytest.mark.parametrize(("system", "name", "choose"), list(every_port()))
def test_port_gives_what_the_original_gave(system, name, choose):
    """The cases share compiled programs; where all run, the first one has its own numbers as they are."""
    for number, case in enumerate(choose(CASES[system, name])):
        schedule, steps = ported(system, name, case), np.array(case["steps"], np.int32)
        if number or choose is few:
            schedule = without_shortcuts(schedule)
        rates = schedule(np.resize(steps, 30))[: len(steps)]
        assert distance(rates, case["rates"]) <= 1, (case, np.asarray(rates))


def test_the_docs_show_every_port():
    page = (Path(__file__).parents[2] / "docs" / "ports.md").read_text()
    for (system, name), cases in CASES.items():
        row = re.search(rf"^\| {system} [^|]*\| `{name}` \| [^\n]*$", page, re.MULTILINE)
        assert row, (system, name)
        *_, count, worst, _ = (cell.strip() for cell in row[0].split("|"))
        assert int(count) == len(cases) >= 20
        assert float(worst.removesuffix(" ulp")) <= 4

"""The tables of `docs/coming-from`: each new call gives the rates of the old call in its original library."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from goldens.coming_from import METRICS, PAGES, STEPS, rows
from goldens.distance import distance
from modules import public_functions

import jaxsched as js

RATES = json.loads((Path(__file__).parents[1] / "goldens" / "coming_from.json").read_text())["rates"]
ROWS = [pytest.param(page.stem, *row) for page in sorted(PAGES.glob("*.md")) for row in rows(page.stem)]
EVERY_THIRD = [
    pytest.param(*row.values, marks=[pytest.mark.thorough] * (i % 3 > 0)) for i, row in enumerate(ROWS)
]
NAMES = {"js": js, "jnp": jnp, "math": math, "partial": functools.partial}
BASES = {"pytorch": "0.1", "timm": "0.1", "transformers": "5e-5"}
PORTS = {"pytorch": "torch"}
NEED_MORE = (
    "lambda",  # a function that branches needs the length of its table
    "ChainedScheduler",
    "get_scheduler",
    "ReduceLROnPlateau(factor",  # Keras's: it needs the base rate
)
"""Calls that cannot be pasted unchanged, as the pages say."""


def agree(made, rates):
    """Checks the rates of a schedule at the first `STEPS`, or the scales of a rule after `METRICS`."""
    if isinstance(made, js.Schedule):
        assert len(rates) > len(STEPS) / 2
        steps = np.array(STEPS[: len(rates)], np.int32)
        assert distance(made(steps), rates) <= 1
    else:

        def observe(state, metric):
            state = made.observe(state, metric)
            return state, made.scale_of(state)

        scales = jax.lax.scan(observe, made.init(), jnp.array(METRICS, jnp.float32))[1]
        assert len(set(rates)) > 2
        np.testing.assert_allclose(scales, rates, rtol=2e-6)


@pytest.mark.parametrize(("system", "old", "new"), EVERY_THIRD)
def test_the_new_call_gives_what_the_old_one_gave(system, old, new):
    agree(eval(new, NAMES), RATES[system][old])


def pasted(system, old):
    """The result of the old call with the port, and with the base rate in place of the optimizer."""
    module = importlib.import_module(f"jaxsched.ports.{PORTS.get(system, system)}")
    call = ast.parse(old, mode="eval")
    for node in ast.walk(call):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.args[0]) == "optimizer":
            first = next(iter(inspect.signature(getattr(module, node.func.id)).parameters))
            node.args[:1] = [ast.parse(BASES[system]).body[0].value] if first == "lr" else []
    made = eval(compile(ast.fix_missing_locations(call), old, "eval"), dict(vars(module)))
    return js.shift(made, -1) if system == "mxnet" else made


@pytest.mark.parametrize(
    ("system", "old", "new"), [row for row in ROWS if not any(name in row.values[1] for name in NEED_MORE)]
)
def test_the_old_call_may_be_pasted(system, old, new):
    made = pasted(system, old)
    if made != eval(new, NAMES):
        agree(made, RATES[system][old])


def test_every_scheduler_of_a_system_has_a_row():
    for page in PAGES.glob("*.md"):
        module = importlib.import_module(f"jaxsched.ports.{PORTS.get(page.stem, page.stem)}")
        names = public_functions(module)
        missing = {name for name in names if name not in page.read_text()} - {
            f"{name}Momentum" for name in names
        }
        assert not missing, page.stem

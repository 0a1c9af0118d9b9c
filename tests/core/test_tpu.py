"""The catalogue, compiled ahead of time by the TPU compiler. Nothing runs, and no TPU is needed."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from benchmarks import hlo, targets
from benchmarks.bounds import REASONS, judged
from benchmarks.cost import SLOW, counted
from benchmarks.peers import PAIRS
from catalogue.cases import COMBINATORS, PRESETS, SHAPES, SHORT, VARIANTS

pytest.importorskip("libtpu", reason="compiles for a TPU: pip install '.[tpu]'")
pytestmark = pytest.mark.thorough

STEP = jax.ShapeDtypeStruct((), jnp.int32)
GROUPS = {
    name: {each: build(SHORT) for each, build in group.items()}
    for name, group in (
        ("shapes", SHAPES),
        ("variants", VARIANTS),
        ("combinators", COMBINATORS),
        ("presets", PRESETS),
    )
} | {"many parts": {name: PAIRS[name]().ours for name in SLOW}}


@pytest.fixture(scope="module")
def tpu():
    return targets.tpu()


def rates(schedules, step):
    """The rates of many schedules. The operations of each are named after it."""
    results = {}
    for name, schedule in schedules.items():
        with jax.named_scope(name.replace(" ", "_")):
            results[name] = schedule(step)
    return results


def slopes(schedules, step):
    return jax.grad(lambda each: sum(rates(each, step).values()), allow_int=True)(schedules)


def closed_over(tpu, schedules):
    return tpu.lower(partial(rates, schedules), STEP)


def as_argument(tpu, schedules):
    return tpu.lower(rates, schedules, STEP)


def in_a_gradient(tpu, schedules):
    return tpu.lower(slopes, schedules, STEP)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("lower", [closed_over, as_argument, in_a_gradient])
def test_a_tpu_compiles_it_without_float64(tpu, lower, group):
    schedules = GROUPS[group]
    alone = {name: lower(tpu, {name: schedule}).as_text() for name, schedule in schedules.items()}
    assert [name for name, text in alone.items() if hlo.float64s(text)] == []
    text = lower(tpu, schedules).compile().as_text()
    assert [line for line in text.splitlines() if hlo.float64s(line)] == []
    assert hlo.instructions(text) >= len(schedules)


@pytest.mark.parametrize("group", [name for name in GROUPS if name != "many parts"])
def test_only_many_parts_are_a_loop(tpu, group):
    lines = closed_over(tpu, GROUPS[group]).compile().as_text().splitlines()
    assert [line for line in lines if " while(" in line] == []


def test_what_runs_is_within_its_bounds(tpu):
    rows = [
        {"schedule": name, "compile": {"ours": 0.0, "theirs": 0.0}} | counted(PAIRS[name](), tpu)
        for name in PAIRS
        if name not in SLOW
    ]
    broken = [row for row in judged({"tpu": rows}) if (row["holds"] or "yes") != "yes"]
    assert [row for row in broken if row["what"] not in REASONS] == []

"""The search over the numbers of a schedule, against minima that are known."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched import forecast

BOUNDS = {"value": (1e-4, 1.0)}


def test_the_optimum_of_a_linear_decay_is_that_of_theory():
    """A multiple c of the decay has the bound a / c + b c, which is least at the best multiplier."""
    known = forecast.bound(js.Linear(1, 0, 30), 30, gradient_norms=2.0)
    found = forecast.optimize(
        js.Linear(0.9, 0.0, 30),
        lambda schedule: forecast.bound(schedule, 30, gradient_norms=2.0).value,
        leaves={"init_value": (1e-3, 1.0)},
    )
    assert found == js.parse(repr(found)) == js.Linear(found.init_value, 0.0, 30)
    assert found.init_value == pytest.approx(known.best_multiplier, rel=1e-6)


@pytest.mark.thorough
def test_the_optimum_of_all_rates_is_a_linear_decay():
    """The last rate moves nothing that the bound is about: it is free, and no part of the line."""
    best = forecast.optimize(
        js.Table(np.full(20, 0.2)),
        lambda schedule: forecast.bound(schedule, 20).value,
        leaves={"values": (0.0, 2.0)},
    )
    falls = -np.diff(best.values[:-1])
    np.testing.assert_allclose(falls, falls.mean(), rtol=0.15)
    assert best.values[-2] == pytest.approx(2 * best.values[0] / 10, rel=0.01)
    linear = forecast.bound(js.Linear(1, 0, 20), 20).best_value
    assert 20**-0.5 < forecast.bound(best, 20).value < linear


@pytest.mark.thorough
def test_a_cooldown_of_the_whole_run_is_best():
    def end(schedule):
        """The cooldown ends with the run, wherever it starts."""
        start = schedule.start_step
        return forecast.bound(js.cooldown(schedule.schedule, start, 100 - start), 100).value

    plan = js.cooldown(js.warmup(js.Constant(0.1), 10), 80, 20)
    leaves = {"value": (1e-3, 1.0), "start_step": (0, 95), "warmup_steps": (0, 40)}
    best = forecast.optimize(plan, end, leaves=leaves)
    assert best.start_step < 2
    assert best.schedule.warmup_steps < 2
    assert best.cooldown_steps == 20
    linear = forecast.bound(js.Linear(1, 0, 100), 100)
    assert best.schedule.schedule.value == pytest.approx(linear.best_multiplier, rel=0.03)


def test_several_numbers_within_their_bounds():
    """A sum of squared distances: each number goes to its target, or to the nearest bound."""
    target = np.array([0.3, -5.0, 0.02, 7.0])

    def distance(schedule):
        numbers = jnp.append(schedule.schedules[0].values, schedule.schedules[1].value)
        return 1 + jnp.sum((numbers - target) ** 2)

    plan = js.join([js.Table([0.5, 0.5, 0.5]), 0.1], [3])
    best = forecast.optimize(plan, distance, leaves={"values": (-1, 1), "value": (0.01, 2.0)})
    np.testing.assert_allclose(best.schedules[0].values, [0.3, -1, 0.02], rtol=1e-5)
    assert best.schedules[1].value == pytest.approx(2)
    assert best.schedules[1].value <= 2
    assert best.schedules[0].values.min() >= -1
    assert best.boundaries.tolist() == [3]
    assert js.parse(repr(best)) == best


def test_what_cannot_be_bettered_stays():
    plan = js.Constant(0.25)
    assert forecast.optimize(plan, lambda schedule: (schedule.value - 0.25) ** 2, leaves=BOUNDS) is plan


def test_a_path_tells_two_fields_apart():
    plan = js.warmup(js.Constant(0.1), 5) * js.Constant(0.2)
    names = [jax.tree_util.keystr(path).removeprefix(".") for path, _ in jax.tree.leaves_with_path(plan)]
    *_, last = (name for name in names if name.endswith("value"))
    best = forecast.optimize(plan, lambda schedule: (schedule(9) - 0.05) ** 2, leaves={last: (0.1, 0.9)})
    assert best(9) == pytest.approx(0.05, rel=1e-3)
    with pytest.raises(ValueError, match=re.escape(f"{last}, got 'value'.")):
        forecast.optimize(plan, lambda schedule: schedule(9), leaves=BOUNDS)


def search(objective=lambda schedule: schedule.value, leaves=BOUNDS, schedule=js.Constant(0.1), **keywords):  # noqa: B008
    return lambda: forecast.optimize(schedule, objective, leaves=leaves, **keywords)


VALUE_ERRORS = {
    "`leaves` must have at least one name, got none.": search(leaves={}),
    "`leaves` must name one number each, of value, got 'peak_value'.": search(leaves={"peak_value": (0, 1)}),
    "`leaves['value']` must be in ascending order, got 1 and 0.": search(leaves={"value": (1, 0)}),
    "`leaves['value']` must be a finite float32 number, got inf.": search(leaves={"value": (0, np.inf)}),
    "`schedule` must start within the bounds of `value`, from 0.5 to 1, got 0.1.": search(
        leaves={"value": (0.5, 1)}
    ),
    "`objective` must be finite at the start, got inf.": search(lambda schedule: schedule.value + jnp.inf),
    "`iterations` must be at least 1": search(iterations=0),
    "`schedule` must be one schedule, got a stack of 2": search(
        schedule=js.stack([js.Constant(1), js.Constant(2)])
    ),
}
TYPE_ERRORS = {
    "`objective` must be callable, got 5 (int).": search(5),
    "`objective` must return a number, got": search(lambda schedule: forecast.bound(schedule, 5)),
    "`objective` must return a number, got [": search(lambda schedule: [schedule.value]),
    "`leaves` must be a dict of names and bounds, such as {'peak_value': (1e-5, 1)}, got ['value'] (list).": (
        search(leaves=["value"])
    ),
    "`leaves['value']` must be a pair, (lowest, highest), got 1 (int).": search(leaves={"value": 1}),
    "`leaves['value']` must be a number, got 'a' (str).": search(leaves={"value": ("a", 1)}),
    "`schedule` must be concrete": lambda: jax.jit(lambda rate: search(schedule=js.Constant(rate))())(0.1),
}


@pytest.mark.parametrize("message", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_bad_input(message):
    error = ValueError if message in VALUE_ERRORS else TypeError
    with pytest.raises(error, match=re.escape(message)):
        (VALUE_ERRORS | TYPE_ERRORS)[message]()

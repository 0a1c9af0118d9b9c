"""`reclock`: a schedule on the clock that another schedule gives."""

from __future__ import annotations

import contextlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched._inspect.timeline import boundaries
from jaxsched.testing import float32_path

TOKENS = 10_000_000_000
GROWING = js.knots([0, 2e9, 6e9, TOKENS], [0, 1000, 2000, 2500])
"""A batch of 2 million tokens that doubles twice."""

PATHS = {"float64": contextlib.nullcontext, "float32": float32_path}


def times(clock, steps):
    """The times that a clock gives to its schedule."""
    return np.asarray(js.reclock(js.Lambda(lambda time: time), clock)(steps), np.float64)


@pytest.mark.smoke
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("plan", [js.Cosine(0.3, 0.01, TOKENS), js.Linear(0.3, 0.0, TOKENS)], ids=repr)
def test_a_plan_in_tokens_ends_at_the_last_token(plan, path):
    with PATHS[path]():
        rates = np.asarray(js.reclock(plan, GROWING)(np.arange(2490, 2600)))
    assert (rates[10:] == np.float32(plan.end_value)).all()
    assert (np.diff(rates[:11]) < 0).all()


def test_no_token_is_lost_in_float64():
    steps = np.arange(2600)
    with enable_x64(True):
        np.testing.assert_array_equal(
            times(GROWING, steps),
            np.minimum(steps, 1000) * 2_000_000
            + np.clip(steps - 1000, 0, 1000) * 4_000_000
            + np.clip(steps - 2000, 0, 500) * 8_000_000,
        )
        odd = js.knots([5, 5 + 997 * 2_000_003, 5 + 997 * 12_345_678], [0, 997, 1994])
        exact = [5 + 2_000_003 * i for i in range(997)]
        exact += [exact[0] + 997 * 2_000_003 + i * (12_345_678 - 2_000_003) for i in range(997)]
        np.testing.assert_array_equal(times(odd, np.arange(1994)), exact)


def test_whole_times_are_whole_in_float32():
    clock = js.knots([0, 7 * 331, 7 * 331 + 13 * 773], [0, 331, 331 + 773])
    steps = np.arange(1200)
    with float32_path():
        found = times(clock, steps)
    np.testing.assert_array_equal(found, 7 * np.minimum(steps, 331) + 13 * np.clip(steps - 331, 0, 773))


def test_a_part_begins_at_the_first_step_at_its_boundary():
    plan = js.Piecewise([0.4, 0.2, 0.1], [2_000_000_000, 6_000_000_001])
    rates = js.reclock(plan, GROWING)(np.array([999, 1000, 1999, 2000, 2001]))
    np.testing.assert_array_equal(rates, np.float32([0.4, 0.2, 0.2, 0.2, 0.1]))


STEPS = np.array([0, 1, 7, 50, 99, 100, 130, 250])
PLAN = js.warmup(js.Cosine(0.3, 0.01, 80), 20)
DOUBLED = js.knots([0, 50, 150], [0, 50, 100])

SAME = {
    "a clock of steps": (js.reclock(PLAN, js.Linear(0, 500, 500)), PLAN),
    "a slower clock": (js.reclock(PLAN, js.Linear(0, 100, 300)), js.stretch(PLAN, 3)),
    "a later clock": (js.reclock(PLAN, js.Lambda(lambda step: step - 30)), js.shift(PLAN, 30)),
    "a sum of clocks": (js.reclock(PLAN, js.Linear(0, 500, 500) + 10), js.shift(PLAN, -10)),
    "a clock that stands still": (js.reclock(PLAN, 40), js.Constant(PLAN(40))),
    "two clocks": (
        js.reclock(js.reclock(PLAN, js.Linear(0, 250, 500)), DOUBLED),
        js.reclock(PLAN, 0.5 * DOUBLED),
    ),
    "a factor": (js.reclock(2 * PLAN, DOUBLED), 2 * js.reclock(PLAN, DOUBLED)),
    "a table": (js.reclock(PLAN, js.Table(np.asarray(DOUBLED(np.arange(251))))), js.reclock(PLAN, DOUBLED)),
    "a time below 0": (js.reclock(PLAN, js.shift(DOUBLED, 0) - 200), js.Constant(PLAN(0))),
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", by_default(("a slower clock", "two clocks", "a table"), SAME))
def test_laws(name):
    one, other = SAME[name]
    np.testing.assert_allclose(one(STEPS), other(STEPS), rtol=3e-7)


CLOCKS = {
    "growing": js.knots([0, 100, 300, 700], [0, 100, 200, 300]),
    "with a jump": js.knots([0, 200, 350, 700], [0, 100, 100, 300]),
    "in levels": js.Piecewise([0, 150, 260, 700], [40, 80, 120]),
    "stretched": js.stretch(js.shift(js.Linear(0, 700, 140), -10), 2),
    "a product": 2 * js.Linear(0, 350, 300),
    "a curve": js.Polynomial(0, 700, 300, warp=2),
    "a function": js.Lambda(lambda step: jnp.minimum(3 * step, 150 + step)),
    "a table": js.table(lambda step: step * step // 100, 300),
}


@pytest.mark.parametrize("name", by_default(("with a jump", "stretched", "a function"), CLOCKS))
def test_what_is_inside_is_seen_in_steps(name):
    schedule = js.reclock(js.Piecewise([0.4, 0.3, 0.2, 0.1], [100, 251, 600]), CLOCKS[name])
    total = 800
    rates = np.asarray(schedule(np.arange(total)))
    changes = np.flatnonzero(np.diff(rates)) + 1
    assert set(changes) <= set(boundaries(schedule, total))
    assert math.ceil(schedule.duration()) == changes[-1]
    assert schedule.peak() == 0.4


def test_it_is_over_when_its_schedule_is():
    assert js.reclock(
        js.Linear(0.3, 0.0, 300), js.knots([0, 100, 700], [0, 100, 200])
    ).duration() == pytest.approx(100 + 200 / 6)
    assert js.reclock(js.Linear(0.3, 0.0, 1000), js.knots([0, 100, 700], [0, 100, 200])).duration() == 200
    assert js.reclock(0.3, DOUBLED).duration() == 0
    assert js.reclock(js.Exponential(0.3, 0.9), js.Lambda(lambda step: 2 * step)).duration() is None


def test_check_says_where_a_clock_stops_short():
    (finding,) = js.check(js.reclock(js.Linear(0.3, 0.0, 1000), js.Linear(0, 500, 100)), 200)
    assert finding.level == "warning"
    assert "`Linear(0.3, 0, 1000)` would end at step 200, but `reclock(" in finding.message


def test_a_clock_has_gradients():
    def rate(tokens):
        return js.reclock(js.Linear(1.0, 0.0, 100.0), js.Linear(0.0, tokens, 10))(5)

    np.testing.assert_allclose(jax.grad(rate)(40.0), -0.5 / 100, rtol=1e-6)


FALLING = "`clock` must be a schedule that does not fall, got "

VALUE_ERRORS = {
    "knots": (
        lambda: js.reclock(0.1, js.knots([0, 6, 5.5], [0, 1, 2])),
        f"{FALLING}knots([0, 6, 5.5], [0, 1, 2]), which goes from 6 to 5.5.",
    ),
    "a transition": (
        lambda: js.reclock(0.1, js.Cosine(2, 1, 5)),
        "got Cosine(2, 1, 5), which goes from 2 to 1.",
    ),
    "levels, later and slower": (
        lambda: js.reclock(0.1, js.shift(js.stretch(js.Piecewise([0, 2, 1], [1, 2]), 3), 5)),
        "which goes from 2 to 1.",
    ),
    "a multiple": (lambda: js.reclock(0.1, 512 * js.Table([1, 3, 2])), "which goes from 1536 to 1024."),
    "a clock of FLOPs": (
        lambda: js.reclock(0.1, 1e18 * js.Linear(0, 3, 3)),
        f"`clock` must be at most {2**53}, got 1e+18 * Linear(0, 3, 3), which goes up to 3e+18. Count in a "
        "larger unit.",
    ),
    "a negative multiple, later": (lambda: js.reclock(0.1, 9 - 2 * js.Linear(1, 4, 5)), "goes from 7 to 1."),
    "the plan for the clock": (lambda: js.reclock(GROWING, PLAN), "which goes from 0.3 to 0.01."),
    "a plan that is stable first": (
        lambda: js.reclock(GROWING, js.cooldown(js.warmup(0.3, 100), 800, 200)),
        "which goes from 0.3 to 0.",
    ),
}

TYPE_ERRORS = {
    "no schedule": (
        lambda: js.reclock("Linear", DOUBLED),
        "`schedule` must be a schedule, a number or a callable, got 'Linear' (str)",
    ),
    "no clock": (
        lambda: js.reclock(0.1, None),
        "`clock` must be a schedule, a number or a callable, got",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_what_is_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "clock",
    [
        js.warmup(js.Linear(5, 9, 10), 3),
        js.cooldown(js.Linear(0, 10, 10), 5, 10, 5),
        js.cooldown(js.shift(js.Linear(0, 10, 10), -5), 3, 10, 8),
        js.warmup(10, 30) + js.Linear(5, 0, 30),
        -1 * js.Linear(-1, -4, 5),
        js.Linear(1, 4, 5) - 9,
        js.Constant(3) * js.Constant(2) + 1,
    ],
    ids=repr,
)
def test_a_clock_that_rises_is_not_refused(clock):
    assert (np.diff(clock(np.arange(30))) >= 0).all()
    js.reclock(0.1, clock)


def test_numbers_that_are_not_known_are_not_refused():
    end = jax.jit(lambda end: js.reclock(js.Linear(1.0, 0.0, 10), js.Linear(5.0, end, 10))(10))(0.0)
    assert end == 1.0

"""Switching to another schedule: continuity, the new end, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js

SHORT = js.warmup(js.Cosine(0.3, 0.01, 80), 20)
LONG = js.warmup(js.Cosine(0.3, 0.02, 180), 20)
POLICIES = {"continue": js.Continue(), "hold": js.HoldToPlan(), "rewarm": js.Rewarmup(30)}
STEPS = np.arange(260)


@pytest.mark.parametrize("policy", POLICIES)
def test_before_the_change_it_is_the_old_plan_and_at_the_end_the_new(policy):
    schedule = js.retarget(SHORT, LONG, 60, POLICIES[policy])
    np.testing.assert_array_equal(schedule(STEPS[:60]), SHORT(STEPS[:60]))
    np.testing.assert_array_equal(schedule(STEPS[200:]), LONG(STEPS[200:]))


def test_hold_is_the_new_plan_at_its_own_step():
    schedule = js.retarget(SHORT, LONG, 60, js.HoldToPlan())
    np.testing.assert_array_equal(schedule(STEPS[60:]), LONG(STEPS[60:]))


def test_continue_goes_on_from_where_the_rate_stands_along_the_new_curve():
    schedule = js.retarget(SHORT, LONG, 60, js.Continue())
    old, new = float(SHORT(60)), np.asarray(LONG(STEPS[60:]), float)
    formula = 0.02 + (new - 0.02) * (old - 0.02) / (new[0] - 0.02)
    np.testing.assert_allclose(schedule(STEPS[60:]), formula, rtol=1e-6)
    assert schedule(60) == SHORT(60)


def test_rewarmup_ramps_from_where_the_rate_stands_to_the_new_plan():
    schedule = js.retarget(SHORT, LONG, 60, js.Rewarmup(30))
    ramp = np.interp(np.arange(60, 90), [60, 90], [SHORT(60), LONG(90)])
    np.testing.assert_allclose(schedule(STEPS[60:90]), ramp, rtol=1e-6)
    np.testing.assert_array_equal(schedule(STEPS[90:]), LONG(STEPS[90:]))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 190), st.integers(50, 190), st.sampled_from([0.0, 0.01, 0.1]))
def test_continue_and_rewarmup_never_jump(step, length, end):
    old, new = js.Linear(0.4, 0.1, length), js.Cosine(0.3, end, 200)
    for policy in (js.Continue(), js.Rewarmup(7)):
        assert js.retarget(old, new, step, policy)(step) == pytest.approx(float(old(step)), rel=1e-6)


def test_it_is_a_value_like_any_other():
    schedule = js.retarget(SHORT, LONG, 60, js.Rewarmup(30))
    assert js.parse(repr(schedule)) == schedule
    assert js.Rewarmup(30) == js.Rewarmup(30.0) != js.Rewarmup(31)
    assert repr(js.Rewarmup(30)) == "Rewarmup(30)"
    assert repr(js.Continue()) == "Continue()"


def test_retargeting_twice():
    once = js.retarget(SHORT, LONG, 60, js.Continue())
    twice = js.retarget(once, 0.05, 100, js.Rewarmup(10))
    np.testing.assert_array_equal(twice(STEPS[:100]), once(STEPS[:100]))
    np.testing.assert_array_equal(twice(STEPS[110:]), np.full(150, np.float32(0.05)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: js.retarget(SHORT, LONG, 60, js.Continue), "`policy` must be `Continue\\(\\)`"),
        (lambda: js.retarget(SHORT, LONG, 60), "missing 1 required positional argument: 'policy'"),
        (lambda: js.retarget(SHORT, LONG, -1, js.Continue()), "`step` must be at least 0 .*, got -1."),
        (lambda: js.retarget("0.1", LONG, 1, js.Continue()), "`old` must be a schedule, a number or a"),
        (
            lambda: js.retarget(SHORT, LONG, 200, js.Continue()),
            "`new` must not be at its end at step 200, got",
        ),
        (lambda: js.Rewarmup(-1), "`warmup_steps` must be at least 0, got -1."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()

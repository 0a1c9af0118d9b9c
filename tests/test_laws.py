"""Every case of the catalogue under every law."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from cases import CASES, COMBINATORS, SHAPES, SHORT, TRANSITIONS

import jaxsched as js
from jaxsched.testing import LAWS, check_laws

FIRST = {"total", "compiled", "one_trace", "value"}
"""The laws for combinators that are not left to the thorough run; shapes take all of them first."""


def marks(case, law):
    first = case in SHAPES or (case in COMBINATORS and law in FIRST)
    return [] if first else pytest.mark.thorough


@pytest.mark.parametrize(
    ("case", "law"),
    [pytest.param(case, law, marks=marks(case, law)) for case in CASES for law in LAWS],
)
def test_law(case, law):
    LAWS[law](CASES[case](SHORT))


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_short_lengths_are_total(case, length):
    LAWS["total"](CASES[case](length))


@pytest.mark.parametrize("length", [0, 1, 10, 41, 47, 55, 10**6, 2**31 - 1])
@pytest.mark.parametrize("case", TRANSITIONS)
def test_ends_are_exact(case, length):
    schedule = TRANSITIONS[case](length)
    first, last, after = schedule(np.array([0, length, 2**31 - 1]))
    assert last == np.float32(schedule.end_value)
    assert after == np.float32(schedule.end_value)
    assert first == np.float32(schedule.init_value if length else schedule.end_value)


def test_a_broken_schedule_is_found_out():
    class Unsteady(js.Schedule):
        """Not total: infinite at its start."""

        init_value: js.Number = js.number()

        def evaluate(self, clock):
            return self.init_value / clock.time.high

    class Forgetful(js.Schedule):
        """Not differentiable where it says so: the gradient stops."""

        init_value: js.Number = js.number()

        def evaluate(self, clock):
            return jax.lax.stop_gradient(self.init_value.high) * clock.time.high

    with pytest.raises(AssertionError, match=r"Unsteady\(0.3\) breaks the law `total`"):
        check_laws(Unsteady(0.3))
    with pytest.raises(AssertionError, match=r"Forgetful\(0.3\) breaks the law `differentiable`"):
        check_laws(Forgetful(0.3))


def test_check_laws_runs_every_law():
    check_laws(js.warmup(js.Cosine(0.3, 0.01, 15), 5))

"""The ports of fastai: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

from jaxsched.ports import fastai


def test_cycles_of_the_same_length():
    schedule = fastai.fit_sgdr(3, 2, 0.3, cycle_mult=1, batches_per_epoch=5)
    expected = [0.15 * (1 + math.cos(math.pi * (step % 10) / 10)) for step in range(30)]
    np.testing.assert_allclose(rates(schedule, range(30)), expected, rtol=1e-6)


@pytest.mark.thorough
def test_the_default_cycles_begin_late():
    """Of 1, 2 and 4 epochs, the last begins a batch late: its first is at the 0 of the one before."""
    schedule = fastai.fit_sgdr(3, 1, 0.3, batches_per_epoch=50)
    at_50, at_149, at_150, at_151 = rates(schedule, [50, 149, 150, 151])
    assert at_50 == np.float32(0.3)
    assert 0 < at_149 < 1e-4
    assert at_150 == 0.0
    assert at_151 == pytest.approx(0.15 * (1 + math.cos(math.pi / 200)), rel=1e-6)


def test_a_last_part_without_length():
    parts = [fastai.SchedNo(0.1, 0.1), fastai.SchedLin(0.1, 0.3), fastai.SchedNo(5, 5)]
    schedule = fastai.combine_scheds([0.5, 0.5, 0.0], parts, total_steps=8)
    np.testing.assert_allclose(rates(schedule, [0, 4, 6, 8, 10]), [0.1, 0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    held = fastai.fit_flat_cos(2, 0.3, pct_start=1.0, batches_per_epoch=4)
    np.testing.assert_array_equal(rates(held, [0, 7, 8, 100]), np.float32(0.3))


def test_fractions_that_floats_do_not_add_up():
    """Their sum in floats is not exactly 1, which fastai refuses."""
    parts = [fastai.SchedNo(level, level) for level in (1, 2, 3)]
    schedule = fastai.combine_scheds([0.7, 0.1, 0.2], parts, total_steps=10)
    np.testing.assert_array_equal(rates(schedule, [6, 7, 8, 9]), [1, 2, 3, 3])


def test_functions_of_the_position_are_parts():
    parts = [lambda position: 0.1 * jnp.sqrt(position), fastai.SchedLin(0.1, 0.0)]
    schedule = fastai.combine_scheds([0.5, 0.5], parts, total_steps=8)
    np.testing.assert_allclose(rates(schedule, [0, 1, 4, 6]), [0.0, 0.05, 0.1, 0.05], rtol=1e-6)


@pytest.mark.parametrize("power", by_default((0.05,), (0.05, 3, 1000)))
def test_a_power_goes_on_for_ever(power):
    steps = np.array([1, 5, 8, 9, 11, 64, 10**6])
    with np.errstate(over="ignore"):
        expected = np.float32(0.1 + 0.2 * (steps / 8) ** power)
    schedule = fastai.SchedPoly(0.1, 0.3, power, total_steps=8)
    np.testing.assert_allclose(
        rates(schedule, steps), np.minimum(expected, np.finfo(np.float32).max), rtol=1e-6
    )


def test_the_learner_has_a_rate():
    assert fastai.fit_flat_cos(4, batches_per_epoch=5) == fastai.fit_flat_cos(4, 0.001, batches_per_epoch=5)


def test_a_rate_for_each_group():
    groups = fastai.fit_one_cycle(4, [0.01, 0.1], batches_per_epoch=5)
    assert groups == [fastai.fit_one_cycle(4, lr, batches_per_epoch=5) for lr in (0.01, 0.1)]
    assert len(fastai.fit_sgdr(2, 1, [0.01, 0.1], batches_per_epoch=5)) == 2


def test_what_does_not_change_the_rate():
    plain = fastai.fit_one_cycle(4, 0.1, batches_per_epoch=5)
    assert (
        fastai.fit_one_cycle(4, 0.1, wd=0.1, moms=(1,), cbs=[0], reset_opt=True, batches_per_epoch=5) == plain
    )
    assert fastai.fit_flat_cos(4, 0.1, start_epoch=2, batches_per_epoch=5) == fastai.fit_flat_cos(
        4, 0.1, batches_per_epoch=5
    )
    assert fastai.LRFinder(num_it=3) == fastai.LRFinder(num_it=6) != fastai.LRFinder(num_it=7)


PARTS = [fastai.SchedNo(0.1, 0.1), fastai.SchedCos(0.1, 0.0)]

VALUE_ERRORS = {
    "length": (lambda: fastai.SchedCos(1, 0, total_steps=0), "`total_steps` must be above 0, got 0."),
    "start": (lambda: fastai.SchedExp(0, 1), "`start` must not be 0 on an exponential path, got 0."),
    "sign": (lambda: fastai.SchedExp(1, -1), "`end` must have the sign of `start` (1), got -1."),
    "power": (
        lambda: fastai.SchedPoly(1, 0, -1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "sum": (lambda: fastai.combine_scheds([0.5, 0.4], PARTS), "`pcts` must have a sum of 1, got 0.9."),
    "negative": (
        lambda: fastai.combine_scheds([1.5, -0.5], PARTS),
        "`pcts[1]` must be at least 0, got -0.5.",
    ),
    "count": (
        lambda: fastai.combine_scheds([1.0], PARTS),
        "`scheds` must have as many entries as `pcts`, 1, got 2.",
    ),
    "pct": (lambda: fastai.combined_cos(1.5, 0, 1, 0), "`pct` must be at least 0 and at most 1, got 1.5."),
    "pct_start": (
        lambda: fastai.fit_one_cycle(1, 0.1, pct_start=-0.1, batches_per_epoch=9),
        "`pct_start` must be at least 0 and at most 1, got -0.1.",
    ),
    "div": (
        lambda: fastai.fit_one_cycle(1, 0.1, div=0, batches_per_epoch=9),
        "`div` must be above 0, got 0.",
    ),
    "div_final": (
        lambda: fastai.fit_flat_cos(1, 0.1, div_final=0, batches_per_epoch=9),
        "`div_final` must be above 0, got 0.",
    ),
    "epochs": (lambda: fastai.fit_one_cycle(0, batches_per_epoch=9), "`n_epoch` must be at least 1, got 0."),
    "batches": (
        lambda: fastai.fit_one_cycle(1, batches_per_epoch=2.5),
        "`batches_per_epoch` must be a whole number, got 2.5.",
    ),
    "resumed": (
        lambda: fastai.fit_one_cycle(5, 0.1, start_epoch=2, batches_per_epoch=9),
        "`start_epoch` must be 0, got 2: a schedule has no state to resume from.",
    ),
    "momenta": (
        lambda: fastai.fit_one_cycle_momentum(5, moms=(0.9, 0.8), batches_per_epoch=9),
        "`moms` must have 3 entries, got (0.9, 0.8).",
    ),
    "cycles": (
        lambda: fastai.fit_sgdr(0, 1, batches_per_epoch=9),
        "`n_cycles` must be at least 1 and at most 10000, got 0.",
    ),
    "too many cycles": (
        lambda: fastai.fit_sgdr(10**9, 1, cycle_mult=1, batches_per_epoch=9),
        "`n_cycles` must be at least 1 and at most 10000, got 1000000000.",
    ),
    "more epochs than there are floats": (
        lambda: fastai.fit_sgdr(2000, 1, batches_per_epoch=9),
        "`n_cycles` must be lower with `cycle_mult=2`, got 2000.",
    ),
    "cycle_mult": (
        lambda: fastai.fit_sgdr(2, 1, cycle_mult=1.5, batches_per_epoch=9),
        "`cycle_mult` must be a whole number, got 1.5.",
    ),
    "range test": (lambda: fastai.LRFinder(0.0), "`start` must not be 0 on an exponential path, got 0."),
}

TYPE_ERRORS = {
    "rates in a slice": (
        lambda: fastai.fit_one_cycle(1, slice(0.01, 0.1), batches_per_epoch=9),
        "`lr_max` must be a rate, or a list with one for each parameter group, got slice(0.01, 0.1, None).",
    ),
    "rate": (
        lambda: fastai.fine_tune(1, "0.1", batches_per_epoch=9),
        "`base_lr` must be a number, got '0.1'",
    ),
    "traced cycles": (
        lambda: jax.jit(lambda cycles: fastai.fit_sgdr(cycles, 1, batches_per_epoch=9)(0))(2),
        "`n_cycles` and `cycle_mult` must be concrete",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


def combined(start, pcts, total_steps):
    parts = [fastai.SchedPoly(start, 0.1, 2), fastai.SchedExp(0.1, start)]
    return fastai.combine_scheds(pcts, parts, total_steps=total_steps)


TRACED = {
    "SchedLin": (lambda start, steps: fastai.SchedLin(start, 0.1, total_steps=steps), (0.3, 9.0)),
    "SchedPoly": (
        lambda start, power, steps: fastai.SchedPoly(start, 0.1, power, total_steps=steps),
        (0.3, 2.0, 9.0),
    ),
    "combine_scheds": (combined, (0.3, np.array([0.25, 0.75]), 12.0)),
    "fit_one_cycle": (
        lambda epochs, lr, div, pct: fastai.fit_one_cycle(epochs, lr, div, 1e3, pct, batches_per_epoch=4),
        (3.0, 0.3, 10.0, 0.25),
    ),
    "fit_sgdr": (lambda length, lr: fastai.fit_sgdr(2, length, lr, batches_per_epoch=4), (1.0, 0.3)),
    "fine_tune": (functools.partial(fastai.fine_tune, batches_per_epoch=4), (3.0, 0.3, 1.0)),
}


@pytest.mark.parametrize("name", by_default(("fit_one_cycle",), TRACED))
def test_arguments_may_be_traced(name):
    check_traced(*TRACED[name], np.arange(20, dtype=np.int32), 1e-7)

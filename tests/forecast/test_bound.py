"""The convex bound, against its docstring's formula term by term, closed forms, and the paper's own code."""

from __future__ import annotations

import math
import re

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from selection import by_default

import jaxsched as js
from jaxsched import forecast
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

INF = math.inf


def expected(rates, norms=1.0, distance=1.0):
    """The formula, with a sum of its own for each suffix: the term with the distance, and the others."""
    rates = [float(rate) for rate in rates]
    energy = np.square(np.array(rates) * norms).tolist()
    total = math.fsum(rates)
    if total == 0:
        return INF, 0.0
    noise = math.fsum(energy) / (2 * total)
    for k in range(len(rates) - 1):
        after = math.fsum(rates[k + 1 :])
        rest = math.fsum(energy[k:])
        if rates[k] and rest:
            noise += rates[k] / after * rest / math.fsum(rates[k:]) / 2 if after else INF
    return distance**2 / (2 * total), noise


def harmonic(n):
    return math.fsum(1 / i for i in range(1, n + 1))


@pytest.mark.parametrize(
    ("schedule", "value", "multiplier", "best"),
    [
        (js.Constant(1), "4.5892", ".00738", ".06774"),
        (js.Linear(1, 0, 2000), "1.0043", ".02231", ".04480"),
        (js.Cosine(1, 0, 2000), "1.0636", ".02168", ".04610"),
        (js.cooldown(1, 1600, 400), "2.1141", ".01146", ".04846"),
        (js.InversePower(1, 1, 0.5), ".16167", ".19086", ".05954"),
    ],
    ids=repr,
)
def test_the_code_of_the_paper_gives_the_same(schedule, value, multiplier, best):
    """The printed digits of https://github.com/fabian-sp/lr-scheduling, with 2,000 steps and norms of 1."""
    found = forecast.bound(schedule, 2000)
    for number, printed in (
        (found.value, value),
        (found.best_multiplier, multiplier),
        (found.best_value, best),
    ):
        decimals = len(printed.partition(".")[2])
        assert f"{number:.{decimals}f}".removeprefix("0") == printed


@pytest.mark.parametrize("steps", [1, 2, 10, 100_000])
def test_a_constant_pays_a_logarithm_and_a_linear_decay_does_not(steps):
    """The sums in closed form, for a constant and for the rates 1, 1 - 1/T, ..., 1/T."""
    constant = forecast.bound(0.1, steps, gradient_norms=3.0, distance=2.0)
    assert constant.value == pytest.approx(20 / steps + 0.45 * (1 + harmonic(steps - 1)), rel=1e-12)
    linear = forecast.bound(js.Linear(1, 0, steps), steps)
    noise = (2 * steps + 1) / (6 * steps) + (2 * (steps - 1) + 3 * harmonic(steps - 1)) / (3 * steps)
    assert linear.value == pytest.approx(1 / (steps + 1) + noise, rel=1e-12)
    assert linear.best_value == pytest.approx(2 * math.sqrt(noise / (steps + 1)), rel=1e-12)


SIZE = 9
RATES = st.lists(st.sampled_from([0.0, 0.0, 1e-6]) | st.floats(1e-4, 1.0), min_size=SIZE, max_size=SIZE)
NORMS = st.lists(st.just(0.0) | st.floats(0.1, 10.0), min_size=SIZE, max_size=SIZE)


@given(RATES, NORMS, st.floats(0.1, 10.0))
@settings(max_examples=60)
def test_any_rates_and_norms_at_any_horizon(rates, norms, distance):
    found = forecast.bound(js.Table(rates), SIZE, gradient_norms=norms, distance=distance)
    parts = [expected(rates[:end], norms[:end], distance) for end in range(1, SIZE + 1)]
    horizons, values = found.curve(range(1, SIZE + 1))
    np.testing.assert_array_equal(horizons, range(1, SIZE + 1))
    np.testing.assert_allclose(values, [start + noise for start, noise in parts], rtol=1e-12)
    start, noise = parts[-1]
    assert found.value == values[-1]
    best = INF if start == INF else 2 * math.sqrt(start * noise)
    assert found.best_value == pytest.approx(best, rel=1e-12)
    if math.isfinite(start) and noise:
        assert found.best_multiplier == pytest.approx(math.sqrt(start / noise), rel=1e-12)
        assert found.best_value <= found.value * (1 + 1e-12)


def test_the_best_multiplier_gives_the_best_value():
    schedule = js.warmup(js.Cosine(0.3, 0, 180), 20)
    found = forecast.bound(schedule, 200, gradient_norms=np.linspace(2, 1, 200))
    scaled = forecast.bound(schedule * found.best_multiplier, 200, gradient_norms=np.linspace(2, 1, 200))
    assert scaled.value == pytest.approx(found.best_value, rel=1e-12)
    assert scaled.best_multiplier == pytest.approx(1, rel=1e-12)


def test_zeros_at_the_end_are_a_limit():
    """The bound of a last rate that goes to 0 grows as its inverse; first rates of 0 change nothing."""
    rates = [0.3, 0.2, 0.1]
    near = forecast.bound(js.Table([*rates, 1e-9]), 4).value
    assert forecast.bound(js.Table([*rates, 1e-10]), 4).value == pytest.approx(10 * near, rel=1e-6)
    for zeros in (1, 2, 5):
        found = forecast.bound(js.Table([*rates, 0]), 3 + zeros)
        assert (found.value, found.best_multiplier, found.best_value) == (INF, 0, INF)
    assert forecast.bound(js.Table([0, 0, *rates]), 5).value == forecast.bound(js.Table(rates), 3).value
    still = forecast.bound(0.0, 3)
    assert (still.value, still.best_multiplier, still.best_value) == (INF, INF, INF)


def test_no_digits_are_lost_at_the_end():
    """The last suffixes are 1e-18 of the whole; a difference of prefixes would have none of their digits."""
    rates = [1.0, 1.0, 3e-18, 1e-18, 2e-18]
    found = forecast.bound(js.Table(rates), 5).value
    assert found == pytest.approx(sum(expected(rates)), rel=1e-13)


def test_a_curve_at_a_number_of_horizons():
    found = forecast.bound(js.Constant(0.1), 1000)
    assert found.curve().horizons.tolist() == list(range(5, 1001, 5))
    assert found.curve(3).horizons.tolist() == [333, 666, 1000]
    assert forecast.bound(js.Constant(0.1), 4).curve().horizons.tolist() == [1, 2, 3, 4]


STEPS = 30
NOISE = np.random.default_rng(0).uniform(0.5, 2, STEPS)
PLANS = {
    "from 0": (lambda x: js.warmup(js.Cosine(x[0], x[1], STEPS), 5 + x[2]), [0.2, 0.01, 0.5]),
    "table": (lambda x: js.Table([0, x[0], x[1], x[2]]), [0.1, 0.3, 0.2]),
}


def differences(function, at):
    """The gradient of a function of NumPy float64, by central differences."""
    steps = 1e-5 * np.eye(len(at))
    return [(function(at + step) - function(at - step)) / 2e-5 for step in steps]


@pytest.mark.parametrize("case", by_default(["from 0"], PLANS))
def test_gradients(case):
    """By the numbers of the schedule, the norms and the distance, of the value and of a curve."""
    build, start = PLANS[case]
    numbers = np.array([*start, 1.5, 2.0])

    def total(x):
        """The bound at the end and at two horizons."""
        found = forecast.bound(build(x), STEPS, gradient_norms=x[3] * NOISE, distance=x[4])
        return found.value + found.curve([7, 20]).values.sum()

    def reference(x):
        rates = np.asarray(build(x)(np.arange(STEPS)))
        return sum(sum(expected(rates[:h], x[3] * NOISE[:h], x[4])) for h in (STEPS, 7, 20))

    with enable_x64(True):
        value, gradient = jax.jit(jax.value_and_grad(total))(numbers)
        assert value == pytest.approx(reference(numbers), rel=1e-12)
        np.testing.assert_allclose(gradient, differences(reference, numbers), rtol=1e-6, atol=1e-7)


def test_gradients_are_finite_where_the_bound_is_not():
    """And where the best multiplier is not; `steps` is past the end, or there is no noise."""

    def bounds(rate, norm):
        found = forecast.bound(js.warmup(js.Linear(rate, 0.0, 5), 2), 8, gradient_norms=norm)
        return [found.value, found.best_multiplier, found.best_value, *found.curve([1, 7]).values]

    slopes = jax.jit(jax.jacobian(bounds, argnums=(0, 1)))
    assert np.isfinite(slopes(0.1, 1.0)).all()
    assert np.isfinite(slopes(0.1, 0.0)).all()


def test_traced_and_batched():
    schedule = js.Linear(0.3, 0.0, STEPS)
    whole = forecast.bound(schedule, STEPS, gradient_norms=NOISE)
    traced = jax.jit(lambda plan, norms: forecast.bound(plan, STEPS, gradient_norms=norms))(schedule, NOISE)
    assert isinstance(traced, forecast.Bound)
    for name in ("value", "best_multiplier", "best_value"):
        found = getattr(traced, name)
        assert found.dtype == np.float32
        assert found == pytest.approx(getattr(whole, name), rel=1e-6)
    np.testing.assert_allclose(traced.curve([9]).values, whole.curve([9]).values, rtol=1e-6)
    with float32_path():
        narrow = jax.jit(lambda plan: forecast.bound(plan, STEPS, gradient_norms=NOISE).value)(schedule)
    assert narrow == pytest.approx(whole.value, rel=1e-5)
    several = js.stack([schedule, 2 * schedule, 3 * schedule])
    with jax.debug_nans(True), jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        values = jax.vmap(lambda plan: forecast.bound(plan, STEPS).value)(several)
    expectation = [forecast.bound(factor * schedule, STEPS).value for factor in (1, 2, 3)]
    np.testing.assert_allclose(values, expectation, rtol=1e-6)
    end = jax.jit(lambda rate: forecast.bound(js.Linear(rate, 0.0, 5.0), 6))(0.1)
    assert (end.value, end.best_multiplier, end.best_value) == (INF, 0, INF)


def test_on_a_tpu_it_runs_in_float32():
    traced = jax.jit(lambda plan: forecast.bound(plan, STEPS).value).trace(js.Linear(0.3, 0.0, STEPS))
    assert "f64" not in traced.lower(lowering_platforms=("tpu",)).as_text()
    assert "f64" in traced.lower(lowering_platforms=("cpu",)).as_text()


def test_a_function_is_a_schedule():
    found = forecast.bound(lambda step: 0.1 / (1 + step), 50)
    assert found.value == pytest.approx(sum(expected(0.1 / np.arange(1, 51))), rel=1e-12)
    slope = jax.grad(lambda rate: forecast.bound(lambda step: rate / (1 + step), 50).value)(0.1)
    steps = differences(lambda x: sum(expected(x[0] / np.arange(1, 51))), np.array([0.1]))
    assert slope == pytest.approx(steps[0], rel=1e-4)


VALUE_ERRORS = {
    "`steps` must be at least 1": lambda: forecast.bound(0.1, 0),
    "`steps` must be a whole number, got 1.5.": lambda: forecast.bound(0.1, 1.5),
    "`distance` must be above 0, got 0.": lambda: forecast.bound(0.1, 5, distance=0),
    "`gradient_norms` must be at least 0, got -1.": lambda: forecast.bound(0.1, 5, gradient_norms=-1),
    "`gradient_norms` must have 5 entries, one a step, got 2.": lambda: forecast.bound(
        0.1, 5, gradient_norms=[1, 2]
    ),
    "`gradient_norms[1]` must be a finite float32 number, got nan.": lambda: forecast.bound(
        0.1, 2, gradient_norms=np.array([1, np.nan])
    ),
    "`schedule` must have finite rates of at least 0, got -0.25 at step 3.": lambda: forecast.bound(
        js.Linear(0.5, -0.5, 4), 4
    ),
    "`schedule` must be one schedule, got a stack of 2; use `jax.vmap`.": lambda: forecast.bound(
        js.stack([js.Constant(1), js.Constant(2)]), 4
    ),
    "`horizons[1]` must be a whole number from 1 to 5, got 6.": lambda: forecast.bound(0.1, 5).curve([1, 6]),
    "`horizons[0]` must be a whole number from 1 to 5, got 0.5.": lambda: forecast.bound(0.1, 5).curve([0.5]),
    "`horizons` must be at least 1": lambda: forecast.bound(0.1, 5).curve(0),
    "`horizons` must have at least one entry, got none.": lambda: forecast.bound(0.1, 5).curve([]),
    "`gradient_norms[0]` must be a finite float32 number, got 1e+200.": lambda: forecast.bound(
        0.1, 1, gradient_norms=[1e200]
    ),
}
TYPE_ERRORS = {
    "`schedule` must be a schedule, a number or a callable, got 'Constant(1)' (str)": lambda: forecast.bound(
        "Constant(1)", 5
    ),
    "`steps` must be concrete, got a traced number": lambda: jax.jit(lambda n: forecast.bound(0.1, n))(5),
    "`gradient_norms` must be a number, got '1' (str).": lambda: forecast.bound(0.1, 5, gradient_norms="1"),
    "`horizons` must be concrete, got traced ones.": lambda: jax.jit(forecast.bound(0.1, 5).curve)(5),
}


@pytest.mark.parametrize("message", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_bad_input(message):
    error = ValueError if message in VALUE_ERRORS else TypeError
    with pytest.raises(error, match=re.escape(message)):
        (VALUE_ERRORS | TYPE_ERRORS)[message]()

"""The refined schedule, against its docstring's formula and what theory says of it."""

from __future__ import annotations

import re
import statistics
import time

import jax
import numpy as np
import pytest

import jaxsched as js
from jaxsched import forecast

NOISE = np.random.default_rng(0)
FALLING = 1 + 14 * np.exp(-np.arange(300) / 20)
CASES = {
    "short": np.array([3.0, 1.0, 2.0]),
    "falling": FALLING * NOISE.uniform(0.5, 2, 300),
    "rising": np.linspace(0.01, 5, 77),
    "a spike": np.where(np.arange(40) == 20, 1e30, 1.0),
    "tiny": 1e-200 * NOISE.uniform(0.5, 2, 50),
    "equal": NOISE.integers(1, 4, 65).astype(float),
}


def expected(norms, power, smoothing):
    """The formula, with each median and each sum by itself; the largest is 1."""
    norms = norms.tolist()
    size = len(norms)
    half = int(smoothing * size) // 2
    last = size - 1

    def norm(i):
        """The first norm before the run, and a mirror at its end."""
        return norms[max(i if i <= last else 2 * last - i, 0)]

    smooth = [statistics.median(norm(i) for i in range(t - half, t + half + 1)) for t in range(size)]
    weights = [(each / min(smooth)) ** power for each in smooth]
    rates = [weights[t] * sum(weights[t + 1 :]) for t in range(size)]
    return np.array(rates) / max(rates)


@pytest.mark.parametrize("norms", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("optimizer", "power"), [("adam", -1), ("sgd", -2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_any_norms(norms, optimizer, power, smoothing):
    found = forecast.refine(0.3, norms, optimizer, smoothing=smoothing)
    assert isinstance(found, js.Table)
    np.testing.assert_allclose(found.values, 0.3 * expected(norms, power, smoothing), rtol=1e-11)


@pytest.mark.thorough
def test_a_million_norms_take_seconds():
    """The time does not grow with the window, which is a tenth of the run."""
    norms = np.random.default_rng(1).uniform(1, 2, 10**6)
    start = time.process_time()
    found = forecast.refine(0.3, norms).values
    assert time.process_time() - start < 20
    smooth = [np.median(norms[t - 50_000 : t + 50_001]) for t in (60_000, 500_000)]
    rates = found[[60_000, 500_000]] / [940, 500]
    assert rates[0] / rates[1] == pytest.approx(smooth[1] / smooth[0], rel=0.01)


def test_equal_norms_give_a_linear_decay_from_the_peak_of_the_run():
    """The peak is that of the run: a later one does not count."""
    schedule = js.join([js.warmup(js.Constant(0.2), 5), 0.7], [11])
    found = forecast.refine(schedule, np.full(11, 3.0))
    np.testing.assert_allclose(found.values, 0.2 * np.arange(10, -1, -1) / 10, rtol=1e-12, atol=1e-16)


def test_it_beats_a_linear_decay_in_the_bound_of_its_norms():
    refined = forecast.refine(1.0, FALLING, "sgd", smoothing=0)
    steps = len(FALLING) - 1  # at its last update the rate is 0
    values = [
        forecast.bound(plan, steps, gradient_norms=FALLING[:steps]).best_value
        for plan in (refined, js.Linear(1, 0, steps), js.Cosine(1, 0, steps))
    ]
    assert values[0] < 0.95 * min(values[1:])
    assert np.argmax(refined.values) > 50  # a warmup, while the norms fall


def test_knots_go_through_the_table():
    table = forecast.refine(0.3, FALLING).values
    found = forecast.refine(0.3, FALLING, knots=14)
    assert len(found.steps) == 14
    assert found.steps[[0, -1]].tolist() == [0, 299]
    np.testing.assert_array_equal(found.values, table[found.steps.astype(int)])
    assert js.parse(repr(found)) == found
    every = forecast.refine(0.3, FALLING, knots=300)
    np.testing.assert_array_equal(every.values, table)


VALUE_ERRORS = {
    '`optimizer` must be "adam" or "sgd", got \'lion\'.': lambda: forecast.refine(0.1, [1, 2], "lion"),
    "`gradient_norms` must have at least 2 numbers, got 1.": lambda: forecast.refine(0.1, [1]),
    "`gradient_norms[1]` must be finite and above 0, got 0.": lambda: forecast.refine(0.1, [1, 0]),
    "`gradient_norms[0]` must be finite and above 0, got inf.": lambda: forecast.refine(0.1, [np.inf, 1]),
    "`smoothing` must be at least 0 and at most 1, got 2.": (
        lambda: forecast.refine(0.1, [1, 2], smoothing=2)
    ),
    '`optimizer` must be "adam" or "sgd", got [\'adam\'].': lambda: forecast.refine(0.1, [1, 2], ["adam"]),
    "`schedule` must have a rate above 0 up to step 1, got only zeros.": lambda: forecast.refine(0, [1, 2]),
    "`knots` must be from 2 to 3, the number of norms, got 4 (int).": (
        lambda: forecast.refine(0.1, [1, 2, 3], knots=4)
    ),
    "`schedule` must have finite rates of at least 0, got -0.5 at step 0.": (
        lambda: forecast.refine(-0.5, [1, 2])
    ),
}
TYPE_ERRORS = {
    "`gradient_norms` must be a list of numbers, got 1.0 (float).": lambda: forecast.refine(0.1, 1.0),
    "`gradient_norms` and `smoothing` must be concrete": (
        lambda: jax.jit(lambda norms: forecast.refine(0.1, norms))(np.ones(3))
    ),
}


@pytest.mark.parametrize("message", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_bad_input(message):
    error = ValueError if message in VALUE_ERRORS else TypeError
    with pytest.raises(error, match=re.escape(message)):
        (VALUE_ERRORS | TYPE_ERRORS)[message]()

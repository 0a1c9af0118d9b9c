"""The range test, against the formulas of its docstring in float64."""

from __future__ import annotations

import functools
import math
import re
import sys

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.optim.range_test import RangeTest, range_test

TRIES = 60
T = np.linspace(0, 1, TRIES)
NOISE = 0.05 * np.random.default_rng(0).normal(size=TRIES)
BOWL = 2.3 - 2 / (1 + np.exp(-20 * (T - 0.6))) + np.exp(40 * (T - 0.9)) + NOISE


def replaced(curve, at, value):
    return np.where(np.arange(TRIES) == at, value, curve)


COSTS = {
    "bowl": BOWL,
    "not a number": replaced(BOWL, 30, np.nan),
    "infinite": replaced(BOWL, 30, np.inf),
    "infinitely good": replaced(BOWL, 30, -np.inf),
    "not a number at first": replaced(BOWL, 0, np.nan),
    "not a number next": replaced(BOWL, 1, np.nan),
    "negative": BOWL - 10,
    "far below 0, then not": replaced(BOWL - 10, 40, 80.0),
    "through 0": BOWL - 1,
    "only worse": 1 + T,
    "constant": np.ones(TRIES),
    "zero": np.zeros(TRIES),
    "0, then not": np.where(T < 0.5, 0.0, 1e-3),
}


def played(curve, rate, i):
    """A step that trains nothing and returns the metrics of a given curve."""
    return curve, curve[i]


@functools.partial(jax.jit, static_argnames=("mode",))
def play(curve, smoothing, divergence, mode):
    """A range test that compiles once for all curves."""
    options = {"smoothing": smoothing, "divergence": divergence, "mode": mode}
    return range_test(played, curve, min_value=1e-5, max_value=10.0, steps=TRIES, **options)


def expected(curve, smoothing, divergence, mode):
    """The result of `play` by the docstring."""
    sign = {"min": 1, "max": -1}[mode]
    curve = np.asarray(curve, np.float32).astype(np.float64)
    rates = np.geomspace(1e-5, 10, TRIES)
    smoothed, diverged = [], False
    for i in range(TRIES):
        weights = smoothing ** np.arange(i, -1, -1.0)
        smoothed.append(np.sum(weights * curve[: i + 1]) / np.sum(weights))
        best = min(sign * value for value in smoothed)
        limit = best * divergence if best > 0 else best / divergence
        diverged = not math.isfinite(curve[i]) or sign * smoothed[i] > limit
        if diverged:
            break
    cost = sign * np.array(smoothed)
    finite = {i: value for i, value in enumerate(cost) if math.isfinite(value)}
    best = min(finite, key=finite.get, default=0)
    steepest = rates[np.argmax(cost[:best] - cost[1 : best + 1])] if best else np.nan
    return {
        "rates": rates,
        "metrics": np.append(curve[: len(cost)], np.full(TRIES - len(cost), np.nan)),
        "smoothed": np.append(smoothed, np.full(TRIES - len(cost), np.nan)),
        "count": len(cost),
        "diverged": diverged,
        "steepest": steepest,
        "tenth_of_best": rates[best] / 10 if finite else np.nan,
    }


@pytest.mark.parametrize("case", COSTS)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(("smoothing", "divergence"), [(0.9, 4.0), (0.0, 1.5)])
def test_a_curve_is_measured_as_the_docstring_says(case, mode, smoothing, divergence):
    curve = COSTS[case] if mode == "min" else -COSTS[case]
    found = play(curve, smoothing, divergence, mode)
    for name, value in expected(curve, smoothing, divergence, mode).items():
        actual = getattr(found, name)
        assert actual.dtype == {"count": np.int32, "diverged": bool}.get(name, np.float32)
        np.testing.assert_allclose(actual, value, rtol=2e-5, err_msg=name)


def test_an_accuracy_is_maximised():
    """It rises to 0.9, most steeply at 40 % of the ramp, and falls to chance, 0.1, at 80 %."""
    curve = 0.1 + 0.8 / (1 + np.exp(-20 * (T - 0.4))) * (T < 0.8)
    found = play(curve, 0.0, 4.0, "max")
    assert found.diverged
    assert found.count == np.flatnonzero(T >= 0.8)[0] + 1
    assert found.steepest == found.rates[int(0.4 * (TRIES - 1))]
    assert found.tenth_of_best == found.rates[found.count - 2] / 10
    never = play(curve, 0.0, 10.0, "max")  # chance is no less than a tenth of 0.9
    assert not never.diverged
    assert never.count == TRIES


def descent(state, rate, i):
    """Gradient descent on h/2 w^2."""
    curvature, weight = state
    return (curvature, weight - rate * curvature * weight), curvature / 2 * weight**2


def test_on_a_quadratic_it_finds_the_limit():
    curvatures = np.array([0.3, 2.0, 8.0, 60.0])
    test = functools.partial(range_test, descent, min_value=1e-3, max_value=100.0, steps=120, smoothing=0)
    found = jax.vmap(lambda curvature: test((curvature, 1.0)))(curvatures)
    assert found.diverged.all()
    for i, curvature in enumerate(curvatures):
        limit = int(np.searchsorted(found.rates[i], 2 / curvature))  # the first try above it
        assert limit < found.count[i] - 1 <= limit + 5
        np.testing.assert_allclose(found.tenth_of_best[i], 0.2 / curvature, rtol=0.2)
        assert found.steepest[i] < 2 / curvature


def test_a_linear_ramp_from_0_and_what_a_step_is_given():
    seen = []

    def step(state, rate, i):
        seen.extend([rate, i])
        assert (rate.dtype, rate.shape, i.dtype, i.shape) == (jnp.float32, (), jnp.int32, ())
        return {"rates": state["rates"].at[i].set(rate)}, 10 - jnp.sum(state["rates"]) - i

    state = {"rates": jnp.zeros(6)}
    found = range_test(step, state, min_value=0, max_value=0.5, steps=6, shape=js.Linear, smoothing=0)
    np.testing.assert_allclose(found.rates, np.linspace(0, 0.5, 6), rtol=1e-7)
    np.testing.assert_allclose(
        found.metrics, 10 - np.cumsum([0, 0, 0.1, 0.2, 0.3, 0.4]) - np.arange(6), rtol=1e-6
    )
    assert (found.count, found.diverged, found.log_scale) == (6, False, False)
    # The effect of a rate shows in the next metric; that of the last rate in none.
    assert found.steepest == found.rates[4]
    curve = jnp.array([9.0, 1.0, 2.0])
    found = range_test(played, curve, min_value=0, max_value=0.5, steps=3, shape=js.Linear, smoothing=0)
    assert np.isnan(found.steepest)  # a rate of 0 improves nothing
    assert found.tenth_of_best == np.float32(0.025)
    assert not state["rates"].any()
    assert all(isinstance(value, jax.core.Tracer) for value in seen)


def test_a_partial_is_a_ramp_and_whole_numbers_are_a_metric():
    shape = functools.partial(js.Polynomial, power=2)
    found = range_test(lambda state, rate, i: (state, i), None, steps=2, shape=shape)
    np.testing.assert_array_equal(found.rates, js.Polynomial(1e-6, 1, 1, 2)(np.arange(2)))
    np.testing.assert_array_equal(found.metrics, [0, 1])
    assert np.isnan(found.steepest)
    assert found.tenth_of_best == np.float32(1e-7)


def test_it_is_pure_and_a_pytree():
    key = jax.random.key(0)

    def step(key, rate, i):
        return jax.random.split(key)[0], jax.random.uniform(key) + 1

    eager = range_test(step, key, steps=5)
    with (
        jax.checking_leaks(),
        jax.debug_nans(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        again = range_test(step, key, steps=5)
        traced = jax.jit(lambda key, high: range_test(step, key, max_value=high, steps=5))(key, 1)
    assert isinstance(traced, RangeTest)
    for one, two, three in zip(*map(jax.tree.leaves, (eager, again, traced)), strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, three, rtol=1e-6)
    assert repr(eager).startswith("RangeTest(count=Array(5, dtype=int32), diverged=Array(False")


def test_in_x64_mode_it_is_float32_as_well():
    with enable_x64(True):
        found = range_test(descent, (2.0, 1.0), steps=3)
    assert found.rates.dtype == found.smoothed.dtype == found.steepest.dtype == jnp.float32
    assert found.count == 3


def test_not_a_number_is_found_while_jax_looks_for_it():
    with jax.debug_nans(True):
        found = range_test(lambda state, rate, i: (state, 1 / (rate - rate)), None, steps=3)
    assert found.diverged
    assert found.count == 1


def returning(*result):
    return lambda state, rate, i: result


VALUE_ERRORS = {
    "`steps` must be at least 2, got 1.": {"steps": 1},
    '`mode` must be "min" or "max", got \'least\'.': {"mode": "least"},
    "`min_value` must be at least 0, got -1.": {"min_value": -1},
    "`init_value` must not be 0 on a geometric path, got 0.": {"min_value": 0},
    "`max_value` must be above `min_value` (0.5), got 0.5.": {"min_value": 0.5, "max_value": 0.5},
    "`max_value` must be a finite float32 number, got inf.": {"max_value": math.inf},
    "`smoothing` must be at least 0 and below 1, got 1.": {"smoothing": 1},
    "`divergence` must be above 1, got 1.": {"divergence": 1.0},
}
TYPE_ERRORS = {
    "`step` must be callable, got 0.1 (float).": {"step": 0.1},
    "`steps` must be an integer, got 10.0 (float).": {"steps": 10.0},
    "`steps` must be an integer, got True (bool).": {"steps": True},
    "`min_value` must be a number, got '0.1' (str).": {"min_value": "0.1"},
    "`smoothing` must be a number, got None (NoneType).": {"smoothing": None},
    "`shape` must be a transition class, such as `Linear` or": {"shape": js.Exponential},
    "`step` must return a pair, (state, metric), got float32[]": {"step": lambda state, rate, i: rate},
    "`step` must return a pair, (state, metric), got (1, 2, 3) (tuple).": {"step": returning(1, 2, 3)},
    "`step` must return a real scalar as its metric, got float32[3].": {
        "step": lambda state, rate, i: (state, jnp.ones(3))
    },
    "`step` must return a real scalar as its metric, got complex64[].": {
        "step": lambda state, rate, i: (state, rate + 1j)
    },
    "`step` must return a real scalar as its metric, got bool[].": {
        "step": lambda state, rate, i: (state, rate > 0)
    },
    "`step` must return a real scalar as its metric, got None (NoneType).": {"step": returning(0, None)},
    "`step` must return a real scalar as its metric, got 'float32' (str).": {"step": returning(0, "float32")},
    "`step` must return a state with the structure of its argument, PyTreeDef(*), got PyTreeDef([*, *]).": {
        "step": returning([0, 0], 0.0)
    },
    "state has type float32[]": {"step": lambda state, rate, i: (jnp.ones(2), rate)},
}


@pytest.mark.parametrize("message", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_bad_input(message):
    error = ValueError if message in VALUE_ERRORS else TypeError
    arguments = {"step": played, "state": jnp.float32(0)} | (VALUE_ERRORS | TYPE_ERRORS)[message]
    with pytest.raises(error, match=re.escape(message)):
        range_test(**arguments)


def drawn(found):
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    assert found.plot(ax) is ax
    figure.canvas.draw()
    return ax


def test_a_figure_shows_the_curve_and_both_suggestions():
    found = play(BOWL, 0.9, 4.0, "min")
    ax = drawn(found)
    assert [line.get_color() for line in ax.lines] == ["#999999", "#0072b2", "#d55e00", "#009e73"]
    raw, smoothed, steepest, tenth = ax.lines
    np.testing.assert_array_equal(raw.get_data(), (found.rates[: found.count], found.metrics[: found.count]))
    np.testing.assert_array_equal(smoothed.get_ydata(), found.smoothed[: found.count])
    assert steepest.get_xdata()[0] == found.steepest
    assert tenth.get_xdata()[0] == found.tenth_of_best
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "learning rate", "metric")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[2:] == [
        f"steepest: {found.steepest:.2g}",
        f"a tenth of the best: {found.tenth_of_best:.2g}",
    ]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_figure_is_not_flattened_by_the_divergence(mode):
    curve = replaced(BOWL, 50, 1e6) * (1 if mode == "min" else -1)
    found = play(curve, 0.9, 4.0, mode)
    assert found.diverged
    low, high = drawn(found).get_ylim()
    assert high - low < 5
    assert low < np.min(curve[10:50]) or mode == "max"
    assert high > np.max(curve[10:50]) or mode == "min"


@pytest.mark.parametrize("case", ["not a number at first", "not a number next", "constant", "only worse"])
def test_a_figure_of_little(case):
    found = play(COSTS[case], 0.9, 4.0, "min")
    assert len(drawn(found).lines) == 2 + int(np.isfinite(found.tenth_of_best))


def test_a_figure_of_its_own():
    plt.switch_backend("agg")
    ax = range_test(played, jnp.asarray(BOWL), steps=TRIES, shape=js.Linear).plot()
    assert ax.get_xscale() == "linear"
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)


def test_no_figure():
    found = play(BOWL, 0.9, 4.0, "min")
    with pytest.raises(TypeError, match="A traced range test cannot be drawn"):
        jax.jit(lambda found: found.plot() and 0)(found)
    several = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), found)
    with pytest.raises(
        ValueError,
        match=re.escape("A batch of 2 range tests cannot be drawn; draw one of"),
    ):
        several.plot()


def test_no_matplotlib(monkeypatch):
    found = play(BOWL, 0.9, 4.0, "min")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=re.escape("Figures need Matplotlib: `pip install matplotlib`.")):
        found.plot()

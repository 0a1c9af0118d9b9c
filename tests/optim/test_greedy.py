"""The rule that raises the rate too: against its docstring, and in an optimizer."""

from __future__ import annotations

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js
from jaxsched.plateau import Greedy
from jaxsched.ports.transformers import GreedyLR

LENGTH = 30


@jax.jit
def states(rule, metrics):
    def observe(state, metric):
        state = rule.observe(state, metric)
        return state, state

    return jax.lax.scan(observe, rule.init(), metrics)[1]


def by_hand(rule, metrics):
    """The docstring of `Greedy` in float64: scale, best, streak, pause and floor count after each metric."""
    worst = math.inf if rule.mode == "min" else -math.inf
    scale, best, streak, pause, floors, kept = 1.0, worst, 0, 0, 0, []
    for metric in metrics:
        kept.append(metric)
        mean = np.mean(kept[-rule.window :])
        if pause:
            pause, streak = pause - 1, 0
            yield scale, best, streak, pause, floors
            continue
        if rule.mode == "min":
            improves = mean < (1 - rule.rtol) * best - rule.atol
        else:
            improves = mean > (1 + rule.rtol) * best + rule.atol
        if improves:
            best = mean
        streak = streak + 1 if improves and streak >= 0 else 1 if improves else min(streak, 0) - 1
        if streak > rule.patience:
            higher = min(scale / rule.factor, rule.max_scale)
            scale = higher if higher > scale + rule.eps else scale
            streak, pause, floors = 0, rule.warmup, 0
        elif streak < -rule.patience:
            lower = max(scale * rule.factor, rule.min_scale)
            scale = lower if lower < scale - rule.eps else scale
            streak, pause = 0, rule.cooldown
            if scale <= rule.min_scale:
                floors += 1
                if floors >= rule.reset_after:
                    scale, best, floors, kept = 1.0, worst, 0, []
        yield scale, best, streak, pause, floors


def eighths(lowest, highest):
    """Multiples of 1/8, on which float32 arithmetic is exact, so that ties are ties in both."""
    return st.integers(8 * lowest, 8 * highest).map(lambda n: n / 8)


RULES = st.builds(
    Greedy,
    factor=st.sampled_from([0.25, 0.5]),
    patience=st.integers(0, 2),
    rtol=st.sampled_from([0.0, 0.125, 0.5]),
    atol=eighths(0, 1),
    cooldown=st.integers(0, 2),
    warmup=st.integers(0, 2),
    min_scale=st.sampled_from([0.0, 0.25, 0.375, 1.25]),
    max_scale=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    eps=st.sampled_from([0.0, 0.125, 0.5]),
    reset_after=st.integers(0, 3),
    mode=st.sampled_from(["min", "max"]),
    window=st.just(2),
)
METRICS = eighths(-5, 5) | st.sampled_from([math.nan, math.inf, -math.inf])


@settings(max_examples=100)
@given(RULES, st.lists(METRICS, min_size=LENGTH, max_size=LENGTH))
def test_it_does_what_its_docstring_says(rule, metrics):
    with np.errstate(invalid="ignore"):
        expected = list(by_hand(rule, metrics))
    np.testing.assert_array_equal(np.stack(states(rule, np.float32(metrics))[:5], axis=1), expected)


def test_a_mean_of_one_metric_is_that_metric():
    metrics = np.float32([3, 2, math.nan, 1, 1, 1, 0.5, 2, 2, 2] * 3)
    for rule in (Greedy(0.5, 1, cooldown=1, warmup=2), Greedy(0.5, 0, min_scale=0.25, reset_after=2)):
        np.testing.assert_array_equal(np.stack(states(rule, metrics)[:5], axis=1), [*by_hand(rule, metrics)])


def test_what_is_no_number_leaves_the_mean():
    rule = Greedy(0.5, 0, window=2)
    scales = states(rule, np.float32([4.0, math.nan, 3.0, 1.0] + [math.nan] * (LENGTH - 4))).scale
    np.testing.assert_array_equal(scales[:4], [2, 1, 0.5, 1])


def test_a_long_streak_does_not_overflow():
    rule = Greedy(0.5, 2.0**40)
    observe = jax.jit(rule.observe)
    for streak, metric in ((2**31 - 1, 0.0), (1 - 2**31, math.nan)):
        after = observe(rule.init()._replace(streak=jnp.int32(streak)), metric)
        assert (after.scale, after.streak) == (1, streak)


def test_the_state_of_another_window_is_refused():
    state = Greedy(window=3).init()
    with pytest.raises(ValueError, match="`state` must have a window of 2 metrics, got one of 3"):
        Greedy(window=2).observe(state, 1.0)


@pytest.mark.smoke
def test_an_optimizer_takes_raised_rates():
    rule = Greedy(0.5, 0, cooldown=1, max_scale=4.0)
    tx = optax.chain(js.scale_by_learning_rate(0.1), js.scale_by_plateau(rule))
    losses, params = [3.0, 2.0, 1.0, 1.0, 1.0, 0.5], jnp.ones(2)
    state = tx.init(params)
    observe, update = jax.jit(rule.observe, donate_argnums=0), jax.jit(tx.update)
    observed, rates = rule.init(), []
    for loss in losses:
        updates, state = update(params, state, params, value=loss)
        rates.append(float(js.learning_rate(state)))
        np.testing.assert_allclose(updates, -rates[-1] * params, rtol=1e-6)
        observed = observe(observed, loss)
        jax.tree.map(np.testing.assert_array_equal, state[1].plateau, observed)
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.4, 0.4, 0.2, 0.2], rtol=1e-6)

    simulated = js.simulate(0.1, rule, losses)
    np.testing.assert_allclose(simulated.rate[:-1], rates[1:], rtol=1e-6)
    assert simulated.reductions.tolist() == [4]
    assert simulated.cooldown_count.tolist() == [0, 0, 0, 1, 0, 0]
    marks = [line.split()[-1] for line in repr(simulated).split("\n")[1:]]
    assert [i for i, mark in enumerate(marks, 1) if mark == "raise"] == [1, 2, 6]
    assert [i for i, mark in enumerate(marks, 1) if mark == "cut"] == [4]


def test_a_batched_state_takes_a_metric_for_each_member():
    rule = Greedy(0.5, 1, window=2)
    metrics = np.float32([[3.0, 1.0, 2.0], [2.0, 1.0, 3.0], [2.5, 0.5, 1.0], [2.5, 0.5, 1.0]])
    state = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), rule.init())
    observe = jax.jit(rule.observe)
    alone = jax.vmap(states, (None, 1), 1)(rule, metrics)
    for i, row in enumerate(metrics):
        state = observe(state, row)
        jax.tree.map(np.testing.assert_array_equal, state, jax.tree.map(lambda leaf, i=i: leaf[i], alone))
    assert len(np.unique(state.scale)) > 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Greedy(window=1.0), "`window` must be an integer, got 1.0 (float)."),
        (lambda: Greedy(window=0), "`window` must be at least 1, got 0."),
        (lambda: Greedy(mode="mn"), "`mode` must be 'min' or 'max', got 'mn'."),
        (lambda: GreedyLR(0.1, factor=0), "`factor` must be above 0 and below 1, got 0."),
        (lambda: GreedyLR(0), "`lr` must be above 0, got 0."),
        (lambda: GreedyLR(1e-40), "`lr` must be at least 2.9e-39 here, got 1e-40."),
        (lambda: GreedyLR(0.1, min_lr=-1), "`min_lr` must be at least 0, got -1."),
        (lambda: GreedyLR(0.1, min_lr=[0.1, 0.2]), "`min_lr` must be a number, got [0.1, 0.2] (list)."),
        (lambda: GreedyLR(0.1, warmup=0.5), "`warmup` must be a whole number, got 0.5."),
        (lambda: GreedyLR(0.1, reset_start=-1), "`reset_start` must be at least 0, got -1."),
        (lambda: GreedyLR(0.1, smooth=1), "`smooth` must be True or False, got 1 (int)."),
        (lambda: GreedyLR(0.1, window_size=0), "`window_size` must be at least 1, got 0."),
        (lambda: GreedyLR(0.1, threshold_mode="x"), "`threshold_mode` must be 'rel' or 'abs', got 'x'."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        build()


@pytest.mark.thorough
@pytest.mark.parametrize("rule", [Greedy(0.5, 0, window=2), js.Plateau(0.5, 0)], ids=["greedy", "plateau"])
def test_strict_promotion_changes_nothing(rule):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        state = rule.init()
        many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), state)
        for metric in (1.0, 2.0, 2.0):
            state = jax.jit(rule.observe)(state, metric)
            many = rule.observe(many, jnp.full(3, metric))
    np.testing.assert_array_equal(many.scale, [state.scale] * 3)
    assert state.scale < 1


def test_a_rule_is_a_value():
    rule = GreedyLR(0.5, smooth=True, window_size=3)
    assert repr(rule) == "Greedy(min_scale=0.002, max_scale=2, eps=2e-08, window=3)"
    assert rule == GreedyLR(0.5, smooth=True, window_size=3) != GreedyLR(0.5)

"""The rule of GreedyLR, which raises the rate too: against its docstring, and in an optimizer."""

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
LIVELY = Greedy(factor=0.5, patience=0, cooldown=1, max_scale=4.0)


@jax.jit
def states(rule, metrics):
    def observe(state, metric):
        state = rule.observe(state, metric)
        return state, state

    return jax.lax.scan(observe, rule.init(), metrics)[1]


def machine(rule, metrics):
    """The docstring of `Greedy` in float64."""
    sign = 1 if rule.mode == "min" else -1
    scale, best, good, bad, cooldown, warmup, floors, recent = 1.0, sign * math.inf, 0, 0, 0, 0, 0, []
    for metric in metrics:
        recent = [*recent, metric][-rule.window :]
        mean = sum(recent) / len(recent)
        if cooldown > 0 or warmup > 0:
            cooldown, warmup = (cooldown - 1, warmup) if cooldown > 0 else (cooldown, warmup - 1)
            good = bad = 0
        elif sign * mean < sign * best * (1 - sign * rule.rtol) - rule.atol:
            best, good, bad = mean, good + 1, 0
        else:
            good, bad = 0, bad + 1
        if good > rule.patience:
            higher = min(scale / rule.factor, rule.max_scale)
            scale = higher if higher - scale > rule.eps else scale
            warmup, good, floors = rule.warmup, 0, 0
        elif bad > rule.patience:
            lower = max(scale * rule.factor, rule.min_scale)
            scale = lower if scale - lower > rule.eps else scale
            cooldown, bad = rule.cooldown, 0
            floors += scale <= rule.min_scale
            if scale <= rule.min_scale and floors >= rule.reset_start:
                scale, best, floors, recent = 1.0, sign * math.inf, 0, []
        yield (scale, best, bad, cooldown), good, warmup, floors, len(recent)


def in_steps(size, highest):
    """Multiples of `size`; float32 arithmetic on them is exact, so ties are ties in both."""
    return st.integers(0, highest).map(lambda n: n * size)


RULES = st.builds(
    Greedy,
    factor=st.sampled_from([0.25, 0.5]),
    patience=st.integers(0, 2),
    rtol=in_steps(0.125, 4),
    atol=in_steps(0.125, 8),
    cooldown=st.integers(0, 2),
    warmup=st.integers(0, 2),
    min_scale=in_steps(0.125, 10),
    max_scale=in_steps(0.125, 30),
    eps=in_steps(0.0625, 8),
    reset_start=st.integers(0, 3),
    mode=st.sampled_from(["min", "max"]),
    window=st.sampled_from([1, 2]),
)
METRICS = st.integers(-40, 40).map(lambda n: n / 8) | st.sampled_from([math.nan, math.inf, -math.inf])


@settings(max_examples=150, deadline=None)
@given(RULES, st.lists(METRICS, min_size=LENGTH, max_size=LENGTH))
def test_it_is_the_machine_of_the_docstring(rule, metrics):
    seen = states(rule, jnp.array(metrics, jnp.float32))
    *ours, _, number = seen
    for found, true in zip([*ours, number], zip(*machine(rule, metrics), strict=True), strict=True):
        np.testing.assert_array_equal(np.stack(found, -1) if isinstance(found, tuple) else found, true)


def test_an_optimizer_takes_raised_rates():
    tx = optax.chain(js.scale_by_learning_rate(0.1), js.scale_by_plateau(LIVELY))
    losses, params = [3.0, 2.0, 1.0, 1.0, 1.0, 0.5], jnp.ones(2)
    given_to = observing = tx.init(params)
    observe = jax.jit(LIVELY.observe, donate_argnums=0)
    rates = []
    for loss in losses:
        updates, given_to = tx.update(params, given_to, params, value=loss)
        rates.append(float(js.learning_rate(given_to)))
        np.testing.assert_allclose(updates, -rates[-1] * params, rtol=1e-6)
        observing = observe(jax.tree.map(jnp.copy, observing), loss)
        np.testing.assert_array_equal(observing[1].plateau.plateau.scale, given_to[1].plateau.plateau.scale)
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.4, 0.4, 0.2, 0.2], rtol=1e-6)

    simulated = js.simulate(0.1, LIVELY, losses)
    np.testing.assert_allclose(simulated.rate[:-1], rates[1:], rtol=1e-6)
    assert simulated.reductions.tolist() == [4]
    marks = [line.split()[-1] for line in repr(simulated).split("\n")[1:]]
    assert [i for i, mark in enumerate(marks, 1) if mark == "raise"] == [1, 2, 6]
    assert [i for i, mark in enumerate(marks, 1) if mark == "cut"] == [4]


def test_what_is_not_a_number_leaves_the_mean():
    rule = Greedy(factor=0.5, patience=0, window=2)
    scales = states(rule, jnp.array([4.0, math.nan, 3.0, 1.0] + [math.nan] * (LENGTH - 4))).plateau.scale
    np.testing.assert_array_equal(scales[:4], [2, 1, 0.5, 1])


def test_a_batched_state_takes_a_metric_for_each_member():
    rule = Greedy(factor=0.5, patience=1, window=2)
    metrics = jnp.array([[3.0, 1.0, 2.0], [2.0, 1.0, 3.0], [2.5, 0.5, 1.0], [2.5, 0.5, 1.0]])

    @jax.jit
    def together(rule, metrics):
        def observe(many, row):
            many = rule.observe(many, row)
            return many, many

        many = jax.vmap(lambda _: rule.init(), axis_size=3)(None)
        return jax.lax.scan(observe, many, metrics)[1]

    alone = jax.vmap(states, (None, 1), 1)(rule, metrics)
    jax.tree.map(np.testing.assert_array_equal, together(rule, metrics), alone)
    assert len(np.unique(alone.plateau.scale[-1])) > 1


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
        (lambda: GreedyLR(0.1, smooth=1), "`smooth` must be True or False, got 1 (int)."),
        (lambda: GreedyLR(0.1, window_size=0), "`window_size` must be at least 1, got 0."),
        (lambda: GreedyLR(0.1, threshold_mode="x"), "`threshold_mode` must be 'rel' or 'abs', got 'x'."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        build()


def test_a_rule_is_a_value():
    rule = GreedyLR(0.5, smooth=True, window_size=3)
    assert repr(rule) == "Greedy(min_scale=0.002, max_scale=2, eps=2e-08, window=3)"
    assert rule == GreedyLR(0.5, smooth=True, window_size=3) != GreedyLR(0.5)

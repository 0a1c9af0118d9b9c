"""Simulated plateaus, against the traces of the originals, the docstring and an optimizer."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from refusals import refusals

import jaxsched as js
from jaxsched import ports
from jaxsched._inspect.simulate import Simulation, simulate

GOLDENS = Path(__file__).parents[1] / "goldens"


def padded(metrics, length=30):
    """Pads a trace with NaN, so that all traces share one compiled program; what comes before stays."""
    return [*metrics, *[math.nan] * (length - len(metrics))]


def test_simulate_does_what_pytorch_did():
    for trace in json.loads((GOLDENS / "torch_plateau.json").read_text())["traces"]:
        result = simulate(0.1, js.Plateau(**trace["arguments"]), padded(trace["metrics"]))
        rates = np.ones(len(trace["metrics"]))
        for i, rate in trace["cuts"]:
            rates[i:] = rate
        np.testing.assert_allclose(result.scale[: len(rates)], rates, rtol=1e-6, err_msg=str(trace))
        # PyTorch does not list a cut that changes nothing, by a factor of 1 for example.
        before = np.array([1.0, *rates[:-1]])
        assert (
            result.reductions[result.reductions <= len(rates)].tolist()
            == result.step[: len(rates)][rates < before * (1 - 1e-6)].tolist()
        )


@pytest.mark.parametrize("system", ["torch", "keras", "paddle", "optax", "timm", "transformers"])
def test_simulate_does_what_the_originals_of_the_ports_did(system):
    traces = json.loads((GOLDENS / f"plateau_{system}.json").read_text())["traces"]
    for trace in traces[::6]:
        rule = getattr(getattr(ports, system), trace["name"])(**trace["kwargs"])
        base = trace["kwargs"].get("lr", trace["kwargs"].get("learning_rate", 1.0))
        result = simulate(base, rule, padded(trace["metrics"]))
        cuts = np.array(trace["rates"])
        at = np.searchsorted(cuts[:, 0], np.arange(len(trace["metrics"])), side="right") - 1
        np.testing.assert_allclose(result.rate[: len(at)], cuts[at, 1], rtol=2e-6, err_msg=str(trace))


METRICS = [1.0, 0.5, 0.75, 0.75, math.nan, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_simulate_keeps_what_the_rule_remembers():
    rule = js.Plateau(factor=0.5, patience=1, cooldown=1, min_scale=0.25)
    result = simulate(js.Linear(0.4, 0.0, 100), rule, METRICS, steps_per_observation=5)
    assert result.step.tolist() == list(range(5, 61, 5))
    np.testing.assert_array_equal(result.metric, np.float32(METRICS))
    assert result.best.tolist() == [1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    assert result.bad_count.tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    assert result.cooldown_count.tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0]
    assert result.scale.tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert result.reductions.tolist() == [20, 35]
    listed = [int(line.split()[0]) for line in repr(result).split("\n") if line.endswith("cut")]
    assert listed == result.reductions.tolist()
    np.testing.assert_allclose(result.rate, 0.4 * (1 - result.step / 100) * result.scale, rtol=1e-6)


def test_simulate_gives_the_rates_of_an_optimizer():
    rule, schedule, every = js.Plateau(factor=0.5, patience=0), js.Cosine(0.3, 0.01, 30), 3
    tx = optax.chain(js.scale_by_learning_rate(schedule), js.scale_by_plateau(rule))
    state = tx.init(jnp.ones(2))
    update = jax.jit(lambda state: tx.update(jnp.ones(2), state)[1])
    applied = []
    for metric in METRICS:
        for _ in range(every):
            state = update(state)
        state = rule.observe(state, metric)
        applied.append(float(js.learning_rate(update(state))))
    result = simulate(schedule, rule, METRICS, steps_per_observation=every)
    np.testing.assert_allclose(result.rate, applied, rtol=1e-6)


def test_simulate_takes_any_sequence():
    expected = simulate(0.1, js.Plateau(patience=1), [1.0, 2.0, 3.0])
    for metrics in ((1, 2, 3), range(1, 4), np.arange(1, 4), jnp.arange(1, 4), np.float16([1, 2, 3])):
        result = simulate(0.1, js.Plateau(patience=1), metrics)
        assert isinstance(result, Simulation)
        assert repr(result) == repr(expected)
    assert np.isinf(simulate(0.1, js.Plateau(), [1e300]).metric)


def test_the_table_of_a_simulation():
    result = simulate(0.1, js.Plateau(factor=0.5, patience=1), [1.0, 0.5, math.nan, 2.0])
    assert repr(result).split("\n") == [
        "step  metric  rate  scale  bad  cooldown  best",
        "   1       1   0.1      1    0         0     1",
        "   2     0.5   0.1      1    0         0   0.5",
        "   3     nan   0.1      1    1         0   0.5",
        "   4       2  0.05    0.5    0         0   0.5  cut",
    ]


def test_a_long_table_is_cut():
    metrics = [1.0] * 40 + [0.5] * 60
    lines = repr(simulate(0.1, js.Plateau(factor=0.5, patience=49), metrics)).split("\n")
    assert [line.split()[0] for line in lines] == ["step", "1", "2", "...", "90", "91", "...", "100"]
    assert [line.split()[0] for line in lines if line.endswith("cut")] == ["91"]
    assert len(repr(simulate(0.1, js.Plateau(patience=0), [1.0] * 500)).split("\n")) < 50


BAD_VALUES = {
    "no metrics": (
        lambda: simulate(0.1, js.Plateau(), []),
        "`metrics` must have at least one number, got none.",
    ),
    "no steps between": (
        lambda: simulate(0.1, js.Plateau(), [1.0], steps_per_observation=0),
        "`steps_per_observation` must be at least 1 and at most 2147483647, got 0.",
    ),
    "beyond the last step": (
        lambda: simulate(0.1, js.Plateau(), [1.0, 1.0], steps_per_observation=2**30),
        "`steps_per_observation` must be at most 1073741823 for 2 metrics, got 1073741824.",
    ),
    "stack simulated": (
        lambda: simulate(js.stack([0.1, 0.2]), js.Plateau(), [1.0]),
        "`schedule` must be one schedule, got a stack of 2",
    ),
}

BAD_TYPES = {
    "no rule": (
        lambda: simulate(0.1, 0.5, [1.0]),
        "`rule` must be a `Plateau` or a plateau of `jaxsched.ports`, got 0.5 (float).",
    ),
    "one metric": (lambda: simulate(0.1, js.Plateau(), 1.0), "`metrics` must be a list of numbers, got 1.0"),
    "metrics in words": (
        lambda: simulate(0.1, js.Plateau(), ["1"]),
        "`metrics[0]` must be a number, got '1'",
    ),
    "metrics of rank 2": (
        lambda: simulate(0.1, js.Plateau(), np.ones((2, 2))),
        "`metrics` must be a list of ",
    ),
    "traced metrics": (
        lambda: jax.jit(lambda metrics: simulate(0.1, js.Plateau(), metrics).rate)(jnp.ones(3)),
        "`rule` and `metrics` must be concrete: call this outside of `jax.jit`.",
    ),
}


@refusals(BAD_VALUES, BAD_TYPES)
def test_bad_input(kind, build, message):
    with pytest.raises(kind, match=re.escape(message)):
        build()

"""Every plateau against traces of its original, in `goldens/plateau_*.json`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched.ports import keras, optax, paddle, timm, torch

GOLDENS = {
    path.stem.removeprefix("plateau_"): path
    for path in sorted((Path(__file__).parents[1] / "goldens").glob("plateau_*.json"))
}


@jax.jit
def scales(rule, metrics):
    def observe(state, metric):
        state = rule.observe(state, metric)
        return state, rule.scale_of(state)

    return jax.lax.scan(observe, rule.init(), metrics)[1]


@pytest.mark.parametrize("system", GOLDENS)
def test_plateau_does_what_the_original_did(system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    traces = json.loads(GOLDENS[system].read_text())["traces"]
    assert len(traces) >= 100
    for trace in traces:
        rule = getattr(module, trace["name"])(**trace["kwargs"])
        base = trace["kwargs"].get("lr", trace["kwargs"].get("learning_rate", 1.0))
        cuts = np.array(trace["rates"])
        at = np.searchsorted(cuts[:, 0], np.arange(len(trace["metrics"])), side="right") - 1
        rates = base * np.asarray(scales(rule, jnp.array(trace["metrics"], jnp.float32)), float)
        np.testing.assert_allclose(rates, cuts[at, 1], rtol=2e-6, err_msg=str(trace))


def test_the_rules_go_into_optax():
    import optax as original

    rule = optax.reduce_on_plateau(0.5, 1, accumulation_size=2)
    tx = original.chain(js.scale_by_learning_rate(0.1), js.scale_by_plateau(rule))
    state = tx.init(jnp.ones(2))
    for loss in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        state = rule.observe(state, loss)
    _, state = tx.update(jnp.ones(2), state)
    assert js.learning_rate(state) == np.float32(0.025)


def test_a_traced_rate_is_as_good_as_a_known_one():
    limits = jax.jit(lambda lr: torch.ReduceLROnPlateau(lr, min_lr=0.02).min_scale)
    assert limits(0.1) == pytest.approx(0.2)


def test_a_rule_says_what_machine_it_is():
    text = "Plateau(eps=1e-07, machine=Machine(signed_margin=True, infinities=True))"
    assert repr(torch.ReduceLROnPlateau(0.1)) == text


def test_lists_are_groups():
    rules = torch.ReduceLROnPlateau([0.1, 0.2], min_lr=[0.01, 0.1])
    assert [rule.min_scale for rule in rules] == pytest.approx([0.1, 0.5])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: torch.ReduceLROnPlateau(0.1, "minimum"), "`mode` must be 'min' or 'max', got 'minimum'."),
        (lambda: torch.ReduceLROnPlateau(0.1, factor=1.0), "`factor` must be at least 0 and below 1, got 1."),
        (
            lambda: torch.ReduceLROnPlateau(0.1, threshold_mode="abs "),
            "`threshold_mode` must be 'rel' or 'abs', got 'abs '.",
        ),
        (lambda: torch.ReduceLROnPlateau(0), "`lr` must be above 0, got 0."),
        (lambda: keras.ReduceLROnPlateau(0.1, "accuracy"), "`mode` must be 'min' or 'max' for `monitor="),
        (lambda: optax.reduce_on_plateau(patience=0), "`patience` must be at least 1, got 0."),
        (lambda: optax.reduce_on_plateau(accumulation_size=0), "`accumulation_size` must be at least 1"),
        (lambda: optax.reduce_on_plateau(patience=1.5), "`patience` must be a whole number, got 1.5."),
        (lambda: timm.PlateauLRScheduler(0.1, patience_t=-1), "`patience_t` must be at least 0, got -1."),
        (lambda: keras.ReduceLROnPlateau(0.1, min_delta=-1), "`min_delta` must be at least 0, got -1."),
        (lambda: keras.ReduceLROnPlateau(0.1, None), "`mode` must be 'min' or 'max' for `monitor=None`"),
        (lambda: js.Plateau(machine="x"), "`machine` must be a `Machine`, got 'x'."),
        (
            lambda: timm.PlateauLRScheduler(0.1, warmup_t=5),
            "warm up the schedule instead, with `jaxsched.warmup",
        ),
        (lambda: paddle.ReduceOnPlateau(0.1, epsilon=-1), "`epsilon` must be at least 0, got -1."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()

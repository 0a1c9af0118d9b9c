"""Groups of parameters: frozen groups."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js

SCHEDULE = js.warmup(js.Cosine(0.3, 0.01, 15), 5)


def test_a_frozen_group_gets_zeros_and_changes_no_other():
    labels = {"a": "still", "b": "moves"}
    gradients = {"a": jnp.array([jnp.nan, -jnp.inf], jnp.bfloat16), "b": jnp.array([0.1, 3.0])}
    tx = js.scale_by_learning_rate({"still": None, "moves": SCHEDULE}, param_labels=labels)
    plain = js.scale_by_learning_rate({"still": 1.0, "moves": SCHEDULE}, param_labels=labels)
    state, other = tx.init(gradients), plain.init(gradients)
    structure = jax.tree.structure(state)
    for i in range(7):
        updates, state = jax.jit(tx.update)(gradients, state)
        expected, other = jax.jit(plain.update)(gradients, other)
        np.testing.assert_array_equal(updates["a"], np.zeros(2, jnp.bfloat16), strict=True)
        np.testing.assert_array_equal(updates["b"], expected["b"])
        assert js.learning_rate(state) == {"still": 0, "moves": SCHEDULE(i)}
        assert js.learning_rate(state)["still"].dtype == jnp.float32
    assert jax.tree.structure(state) == structure == jax.tree.structure(other)


def test_a_group_freezes_and_thaws_for_a_call():
    labels = {"a": "a", "b": "b"}
    ones = {"a": jnp.ones(2), "b": jnp.ones(2)}
    tx = js.scale_by_learning_rate({"a": None, "b": 0.5}, param_labels=labels, flip_sign=False)
    update = jax.jit(tx.update)
    for schedule, rates in (({"a": 0.25, "b": None}, (0.25, 0)), ({"a": None, "b": 0.5}, (0, 0.5))):
        updates, state = update(ones, tx.init(ones), schedule=schedule)
        assert js.learning_rate(state) == dict(zip("ab", rates, strict=True))
        assert (updates["a"][0], updates["b"][0]) == rates


def test_a_schedule_of_0_is_not_frozen():
    """`None` alone drops a NaN; what a user gives as a number is multiplied."""
    tx = js.scale_by_learning_rate({"a": 0.0}, param_labels={"w": "a"})
    nan = {"w": jnp.array([jnp.nan])}
    assert np.isnan(tx.update(nan, tx.init(nan))[0]["w"])


def test_frozen_groups_are_labels_like_others():
    tx = js.scale_by_learning_rate({"a": None, "b": 0.1}, param_labels={"w": "a"})
    with pytest.raises(ValueError, match="there is no parameter with the label 'b'"):
        tx.init({"w": jnp.ones(2)})
    tx = js.scale_by_learning_rate({"a": 0.1, "b": None}, param_labels={"w": "a"})
    with pytest.raises(ValueError, match="there is no parameter with the label 'b'"):
        tx.init({"w": jnp.ones(2)})


def test_all_parameters_have_a_schedule_without_groups():
    with pytest.raises(TypeError, match="`schedule` must be a schedule, a number or a callable, got None"):
        js.scale_by_learning_rate(None)

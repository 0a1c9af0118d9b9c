"""The derivative rule: every way to differentiate schedules with lookups, against finite differences."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from mpmath import mpf
from processes import COMPILED_QUICKLY
from selection import by_default

import jaxsched as js
from catalogue import reference

quickly = functools.partial(jax.jit, compiler_options=COMPILED_QUICKLY)

EVERYTHING = {
    "cycle and warmup": js.warmup(js.cycle(js.Cosine(0.3, 0.02, 3), 3, 1.5, 0.8), 4, 0.01),
    "join": js.join(
        [0.1, js.Linear(0.3, 0.1, 7), js.Cosine(0.2, 0.05, 8), js.Linear(0.4, 0.2, 9)], [3, 8, 14]
    ),
    "knots": js.knots([0.1, 0.3, 0.2, 0.05], [2, 6, 11, 17], js.Cosine),
    "table and levels": js.Table([0.1, 0.3, 0.2]) * js.Piecewise([0.3, 0.2, 0.1], [5, 9]),
    "shapes": js.Exponential(0.1, 0.7, 5) + js.InversePower(0.3, 4, 0.5) * js.Geometric(0.3, 0.01, 12),
    "cooldown": js.cooldown(js.clip(js.Linear(0.3, 0.1, 30), 0.15, 0.28), 8, 9, 0.02, js.Polynomial),
}
"""Schedules that cover every kind of lookup."""

INSIDE = [0.37, 2.43, 3.61, 5.29, 7.83, 9.47, 12.71, 16.53]
"""Steps away from every kink."""


def slopes_of_the_formula(schedule, weights):
    """The gradient of the weighted sum of rates at `INSIDE` by every leaf, from central differences."""
    leaves, structure = jax.tree.flatten(schedule)

    def total(leaves):
        changed = jax.tree.unflatten(structure, leaves)
        return sum(mpf(w) * reference.rate(changed, t) for w, t in zip(weights, INSIDE, strict=True))

    found = []
    for i, leaf in enumerate(leaves):
        flat = np.ravel(np.asarray(leaf, np.float64))
        slopes = np.zeros_like(flat)
        for j in range(flat.size):
            # A cycle's start near an integer is rounded to it. This width moves it out of that range.
            width = 2.0**-14
            ends = []
            for sign in (1, -1):
                moved = flat.copy()
                moved[j] += sign * width
                moved = moved.reshape(np.shape(leaf)) if np.ndim(leaf) else float(moved[0])
                ends.append(total([*leaves[:i], moved, *leaves[i + 1 :]]))
            slopes[j] = float((ends[0] - ends[1]) / (2 * width))
        found.append(slopes.reshape(np.shape(leaf)))
    return found


WEIGHTS = np.random.default_rng(0).uniform(0.5, 1.5, len(INSIDE))


def weighted(leaves, structure):
    rates = jax.tree.unflatten(structure, leaves)(np.array(INSIDE, np.float32))
    return (rates * np.float32(WEIGHTS)).sum()


def floats(schedule):
    """The leaves as float32 arrays, and the structure."""
    leaves, structure = jax.tree.flatten(schedule)
    return [jnp.asarray(leaf, jnp.float32) for leaf in leaves], structure


def close(actual, expected, message=""):
    scale = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=2e-3, atol=1e-3 * scale, err_msg=message)


def both_ways():
    """All compiled; eager, where each operation compiles, by default the one with a clock and parts."""
    for name in EVERYTHING:
        later = name in ("knots", "table and levels", "cooldown")
        yield pytest.param(name, quickly, marks=[pytest.mark.thorough] * later, id=f"{name}-compiled")
        marks = [] if name == "cycle and warmup" else pytest.mark.thorough
        yield pytest.param(name, lambda function: function, marks=marks, id=f"{name}-eager")


@pytest.mark.parametrize(("name", "way"), list(both_ways()))
def test_every_way_to_differentiate(name, way):
    """With x64 off: forwards, backwards, linearized and once more."""
    schedule = EVERYTHING[name]
    leaves, structure = floats(schedule)
    expected = slopes_of_the_formula(schedule, WEIGHTS)

    def value(leaves):
        return weighted(leaves, structure)

    tangents = [jnp.asarray(np.random.default_rng(1).normal(size=leaf.shape), jnp.float32) for leaf in leaves]
    along = sum(float((slope * np.asarray(t)).sum()) for slope, t in zip(expected, tangents, strict=True))

    def every_way(leaves):
        primal, forwards = jax.jvp(value, (leaves,), (tangents,))
        again, pull = jax.vjp(value, leaves)
        linear = jax.linearize(value, leaves)[1]
        return primal, again, jax.grad(value)(leaves), pull(jnp.float32(1))[0], forwards, linear(tangents)

    primal, again, slopes, pulled, forwards, linear = way(every_way)(leaves)
    truth = sum(
        w * float(reference.rate(schedule, t)) for w, t in zip(WEIGHTS, np.float32(INSIDE), strict=True)
    )
    np.testing.assert_allclose([primal, again], truth, rtol=1e-5)
    for i, slope in enumerate(expected):
        close(slopes[i], slope, f"leaf {i}")
        close(pulled[i], slope, f"leaf {i}")
    np.testing.assert_allclose([forwards, linear], along, rtol=5e-3, atol=1e-4)


CURVED = {
    "cosine": (js.Cosine(0.3, 0.01, 10), "transition_steps"),
    "exponential": (js.Exponential(0.1, 0.7, 5), "decay_rate"),
    "inverse power": (js.InversePower(0.3, 4, 0.5), "timescale"),
    "warmup and cycle": (js.warmup(js.cycle(js.Cosine(0.3, 0.02, 9), 9), 4, 0.01), "warmup_steps"),
    "join": (js.join([0.1, js.Exponential(0.3, 0.7, 5), js.Exponential(0.3, 0.8, 5)], [3, 8]), "boundaries"),
    "knots": (js.knots([0.1, 0.3, 0.2], [2, 6, 20], js.Cosine), "steps"),
}


@pytest.mark.parametrize(
    "name",
    by_default(("exponential",), CURVED),
)
def test_second_derivatives(name):
    """The Hessian against differences of gradients, and the slope in time against those of the formula."""
    schedule, field = CURVED[name]
    leaves, structure = floats(schedule)

    def value(leaves):
        return weighted(leaves, structure)

    hessian = quickly(jax.hessian(value))(leaves)
    gradient = quickly(jax.grad(value))
    names = [str(path[-1]) for path, _ in jax.tree_util.tree_flatten_with_path(schedule)[0]]
    i = names.index(f".{field}")
    width = np.float32(2**-7)
    for j in range(max(1, leaves[i].size)):
        move = np.zeros(leaves[i].size, np.float32)
        move[j] = width
        move = move.reshape(leaves[i].shape)
        up, down = (gradient([*leaves[:i], leaves[i] + s * move, *leaves[i + 1 :]]) for s in (1, -1))
        for k in range(len(leaves)):
            second = np.asarray(hessian[k][i])
            second = second[..., j] if leaves[i].ndim else second
            numeric = (np.asarray(up[k], np.float64) - np.asarray(down[k])) / (2 * width)
            np.testing.assert_allclose(second, numeric, rtol=0.02, atol=2e-3, err_msg=names[k])

    for function in (jax.grad(schedule), quickly(jax.grad(schedule))):
        for step in INSIDE:
            slope = (
                reference.rate(schedule, step + 2**-20) - reference.rate(schedule, step - 2**-20)
            ) * 2**19
            np.testing.assert_allclose(function(jnp.float32(step)), float(slope), rtol=1e-3, atol=1e-5)


def test_gradients_closed_over_and_inside_of_a_step():
    """The differentiated function builds the schedule from a traced number."""

    def loss(peak, steps):
        return (js.warmup(js.cycle(js.Cosine(peak, 0.1 * peak, 9), 9), 4)(steps)).sum()

    steps = np.arange(20, dtype=np.int32)
    unit = js.warmup(js.cycle(js.Cosine(1.0, 0.1, 9), 9), 4)
    expected = float(sum(reference.rate(unit, int(step)) for step in steps))
    assert jax.grad(loss)(0.3, steps) == pytest.approx(expected, rel=1e-4)
    assert jax.jit(jax.grad(loss))(0.3, steps) == pytest.approx(expected, rel=1e-4)
    by_member = jax.vmap(jax.grad(loss), (0, None))(jnp.array([0.1, 0.2]), steps)
    np.testing.assert_allclose(by_member, expected, rtol=1e-4)


@pytest.mark.parametrize("name", by_default(["cycle and warmup", "shapes"], EVERYTHING))
def test_a_gradient_for_a_tpu_names_no_float64(name):
    leaves, structure = floats(EVERYTHING[name])

    def slopes(leaves, step):
        return jax.grad(lambda leaves: jax.tree.unflatten(structure, leaves)(step))(leaves)

    there = export.export(jax.jit(slopes), platforms=["tpu"])(leaves, jnp.int32(3))
    assert "f64" not in there.mlir_module()
    by_step = export.export(jax.jit(jax.grad(EVERYTHING[name])), platforms=["tpu"])(jnp.float32(3))
    assert "f64" not in by_step.mlir_module()


def test_a_gradient_over_many_steps_keeps_no_more_for_more_leaves():
    """The residuals are the leaves and the steps, not a number per leaf and step."""
    steps = np.arange(10**6, dtype=np.int32)

    def kept(schedule):
        leaves, structure = floats(schedule)
        _, back = jax.vjp(lambda leaves: jax.vmap(jax.tree.unflatten(structure, leaves))(steps), leaves)
        return [leaf for leaf in jax.tree.leaves(back) if np.size(leaf) >= len(steps)]

    few = kept(js.Cosine(0.3, 0.01, 10**6))
    many = kept(
        js.warmup(js.Cosine(0.3, 0.1, 5 * 10**5), 1000, 0.01)
        * js.Linear(1.0, 0.5, 10**6)
        * js.Exponential(1.0, 0.9, 10**5)
        * js.knots([1.0, 0.5, 1.0, 0.7], [0, 10, 1000, 10**6])
    )
    assert [(each.shape, each.dtype) for each in many] == [(each.shape, each.dtype) for each in few]
    assert len(few) <= 1

"""Schedules in Equinox, whose transformations look at arrays alone."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsched as js

LINE = js.Linear(0.3, 0.0, 10)


class Training(eqx.Module):
    """A module with a schedule in a field."""

    weight: jax.Array
    schedule: js.Schedule


def test_another_number_compiles_nothing_and_has_a_gradient():
    traces = []

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def rate(schedule):
        traces.append(schedule)
        return schedule(4)

    for peak in (0.1, 0.2, 0.4):
        schedule = js.as_arrays(js.Linear(peak, 0.0, 10))
        value, gradient = rate(schedule)
        np.testing.assert_allclose(value, 0.6 * peak, rtol=1e-6)
        np.testing.assert_allclose(jax.tree.leaves(gradient), [0.6, 0.4, peak * 0.04], rtol=1e-5)
    assert len(traces) == 1


def test_a_module_with_a_schedule_has_gradients():
    module = js.as_arrays(Training(jnp.ones(2), LINE))
    gradient = eqx.filter_grad(lambda module: jnp.sum(module.schedule(4) * module.weight))(module)
    np.testing.assert_allclose(gradient.weight, [0.18, 0.18], rtol=1e-6)
    np.testing.assert_allclose(gradient.schedule.init_value, 1.2, rtol=1e-6)
    arrays, rest = eqx.partition(module, eqx.is_inexact_array)
    assert eqx.combine(arrays, rest).schedule == module.schedule


def test_the_numbers_of_a_plain_schedule_are_structure_to_equinox():
    """Why `as_arrays` is there; if this changes, it is not needed any more."""
    gradient = eqx.filter_grad(lambda schedule: schedule(4))
    assert gradient(LINE).init_value is None


def test_a_training_step_of_equinox():
    tx = js.scale_by_learning_rate(LINE)
    model = eqx.nn.Linear(3, 1, key=jax.random.key(0))
    state = tx.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(model, state, schedule):
        gradients = eqx.filter_grad(lambda model: jnp.sum(model(jnp.ones(3)) ** 2))(model)
        updates, state = tx.update(gradients, state, schedule=schedule)
        return eqx.apply_updates(model, updates), state

    for peak in (0.3, 0.1):
        model, state = step(model, state, js.as_arrays(peak * js.Linear(1.0, 0.0, 10)))
    np.testing.assert_allclose(js.learning_rate(state), 0.09, rtol=1e-6)

"""Schedules among the types and the tools of other libraries."""

from __future__ import annotations

import functools
import importlib
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from flax import serialization
from jax import export

import jaxsched as js
from jaxsched._core.versions import enable_x64

LINE = js.Linear(0.3, 0.0, 10)


class Variable:
    """What holds an array and says so, as the variables of Keras and Flax do."""

    def __init__(self, value):
        self.value = value

    def __jax_array__(self):
        return self.value


@pytest.mark.parametrize("step", [jnp.int32(3), np.int64(3), 3, jnp.arange(4), jnp.float32(2.5)])
def test_a_variable_is_a_step(step):
    np.testing.assert_array_equal(LINE(Variable(step)), LINE(step))


def test_a_traced_variable_is_a_step():
    assert jax.jit(lambda step: LINE(Variable(step)))(3) == LINE(3)
    with pytest.raises(TypeError, match="`step` must be an integer or floating number or array"):
        LINE(Variable(jnp.array(True)))


def test_a_variable_of_a_large_number_is_that_step():
    slow = js.Linear(0.0, 1.0, 2.0**41)
    assert slow(Variable(np.int64(2**40))) == slow(2**40) == 0.5


def test_an_exported_function_takes_a_schedule():
    parts = [0.1, js.Linear(0.3, 0.1, 9), js.Linear(0.1, 0.0, 9), 0.2 + js.Table([1, 0])]
    curve = functools.partial(js.Polynomial, power=2.0)
    schedule = js.warmup(js.join(parts, [3, 6, 9]), 5, shape=curve)
    function = jax.jit(lambda schedule, step: (schedule(step), schedule))
    read = export.deserialize(export.export(function)(schedule, 0).serialize())
    other = jax.tree.map(lambda leaf: 0.5 * leaf, schedule)
    rate, back = read.call(other, 4)
    assert jax.tree.structure(back) == jax.tree.structure(schedule)
    assert rate == function(other, 4)[0]


def test_an_exported_training_step_takes_our_rules_and_states():
    rule = js.ports.torch.ReduceLROnPlateau(1.0, patience=1)
    tx = optax.chain(js.scale_by_learning_rate(LINE), js.scale_by_plateau(rule))

    @jax.jit
    def step(rule, state):
        return rule, rule.observe(tx.update(jnp.ones(2), state)[1], 1.0)

    read = export.deserialize(export.export(step)(rule, tx.init(jnp.ones(2))).serialize())
    back, state = read.call(rule, tx.init(jnp.ones(2)))
    assert js.learning_rate(state) == LINE(0)
    assert jax.device_get(back).machine == rule.machine
    assert type(back.machine) is type(rule.machine)


def test_an_exported_function_takes_no_function():
    exported = export.export(jax.jit(lambda schedule: schedule(3)))(js.Lambda(jnp.sin))
    with pytest.raises(TypeError, match="A `Lambda` cannot be an argument or a result of an"):
        exported.serialize()


def test_a_class_that_is_defined_again_stays_usable():
    """As in a notebook, where a cell is run twice: `jax.export` knows one class of a name."""
    for value in (1.0, 2.0):

        class Again(js.Schedule):
            scale: js.Number = js.number()

            def evaluate(self, t, value=value):
                return value * self.scale

        assert Again(0.5)(0) == 0.5 * value


def test_a_second_import_registers_nothing_twice(monkeypatch):
    """As in a notebook that drops the modules after an upgrade; `jax.export` keeps the first names."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "jaxsched"]:
        monkeypatch.delitem(sys.modules, name)
    again = importlib.import_module("jaxsched")
    assert again is not js
    assert again.Linear(0.3, 0.0, 10)(3) == LINE(3)


@pytest.mark.parametrize("every", [js.Constant(3), js.Piecewise([1, 2, 3], [1, 2]), js.Linear(1, 3, 4)])
def test_an_argument_that_counts_takes_whole_numbers(every):
    tx = optax.MultiSteps(optax.sgd(1.0), every_k_schedule=js.as_integer(every))
    update = jax.jit(tx.update)
    state, after = tx.init(jnp.ones(2)), []
    for i in range(1, 10):
        updates, state = update(jnp.ones(2), state)
        after += [i] if updates.any() else []
    lengths = np.rint(np.asarray(every(np.arange(len(after))), np.float64))
    np.testing.assert_array_equal(after, np.cumsum(lengths))


def test_whole_numbers_are_values():
    whole = js.as_integer(js.Linear(0.0, 5.0, 10))
    assert whole(jnp.arange(8)).tolist() == [0, 0, 1, 2, 2, 2, 3, 4]  # 0.5, 1.5, 2.5 and 3.5 to even ones
    assert whole(3).dtype == jax.jit(whole)(3).dtype == jnp.int32
    assert js.as_integer(1e30)(0) > 2**31 - 256
    assert js.as_integer(-1e30)(0) < 256 - 2**31
    assert whole == js.as_integer(js.Linear(0.0, 5.0, 10)) != js.as_integer(js.Linear(0.0, 5.0, 9))
    assert repr(whole) == "as_integer(Linear(0, 5, 10))"
    with pytest.raises(TypeError, match="`schedule` must be a schedule, a number or a callable, got 'three'"):
        js.as_integer("three")


CONFIG = {"rates": [LINE, js.warmup(0.1, 5)], "momentum": (js.Constant(0.9), 0.5), "name": "adam"}


def test_schedules_stay_whole_in_a_tree():
    leaves = jax.tree.leaves(CONFIG, is_leaf=js.is_schedule)
    assert leaves == [js.Constant(0.9), 0.5, "adam", LINE, js.warmup(0.1, 5)]
    assert [each for each in leaves if js.is_schedule(each)] == [leaves[0], *leaves[3:]]
    assert not any(map(js.is_schedule, (js.Linear, lambda step: 0.1, 0.1, js.as_integer(3))))


@pytest.mark.parametrize("x64", [False, True])
def test_the_numbers_of_schedules_become_arrays(x64):
    with enable_x64(x64):
        tree = js.as_arrays(CONFIG)
        leaves = jax.tree.leaves([*tree["rates"], tree["momentum"][0]])
        assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float64" if x64 else "float32")}
        assert not any(leaf.weak_type for leaf in leaves)
        assert (tree["momentum"][1], tree["name"]) == (0.5, "adam")
        table = js.as_arrays(js.Table([0.1, 0.2]))
        assert isinstance(table.values, jax.Array)
        assert js.as_arrays(table) == table
    rate = jax.jit(lambda schedule: schedule(3))
    assert jax.jit(lambda: js.as_arrays(LINE)(3))() == rate(js.as_arrays(LINE)) == rate(LINE)


def test_the_numbers_of_a_plateau_become_arrays():
    rule = js.ports.torch.ReduceLROnPlateau(1.0, patience=1)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(js.as_arrays({"rule": rule})))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(js.as_arrays(js.as_integer(LINE))))


def test_checkpoints_of_other_libraries_take_a_schedule(tmp_path):
    """As the page on states says: Orbax in a tree, `flax.serialization` as a list of leaves."""
    state = {"params": jnp.ones(2), "schedule": js.warmup(js.join([LINE, js.Table([0.1, 0.2])], [9]), 5)}
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", state)
    leaves, structure = jax.tree.flatten(state)
    written = serialization.to_bytes(leaves)
    from_flax = jax.tree.unflatten(structure, serialization.from_bytes(leaves, written))
    for back in (restored, from_flax):
        assert back["schedule"] == state["schedule"]
        np.testing.assert_array_equal(back["params"], state["params"])


@pytest.mark.parametrize("half", [Fraction(1, 2), np.float16(0.5), np.array(0.5), 0.5])
def test_numbers_of_every_kind_are_operands(half):
    assert half * LINE == 0.5 * LINE
    assert LINE * half == LINE * 0.5
    assert LINE + half == LINE + 0.5
    assert LINE - half == LINE - 0.5
    assert js.Constant(half) == js.Constant(0.5)

"""Schedules inside transformations, with mixed leaves, and with user-defined shapes."""

from __future__ import annotations

import functools
import logging
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from processes import COMPILED_QUICKLY
from selection import by_default

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

quickly = functools.partial(jax.jit, compiler_options=COMPILED_QUICKLY)

HELD = {
    "jit": lambda rate: jax.jit(lambda w, t: rate(w, t))(2.0, 3),
    "grad": lambda rate: jax.grad(rate)(2.0, 3.0),
    "grad under jit": lambda rate: jax.jit(jax.grad(rate))(2.0, 3.0),
    "jit under grad": lambda rate: jax.grad(jax.jit(rate))(2.0, 3.0),
    "vmap": lambda rate: jax.vmap(rate, (0, None))(jnp.arange(4.0), 3),
    "vmap under jit": lambda rate: jax.jit(jax.vmap(rate, (0, None)))(jnp.arange(4.0), 3),
    "scan": lambda rate: lax.scan(lambda w, t: (w, rate(w, t)), 2.0, jnp.arange(4))[1],
    "hessian": lambda rate: jax.jit(jax.hessian(rate))(2.0, 3.0),
}
"""Transformations of a function of the step and of a number that a schedule's function closes over."""


@pytest.mark.parametrize("way", HELD)
def test_a_function_that_holds_what_is_traced(way):
    """A closed-over number is transformed like an argument. As a constant, its gradient would be 0."""
    got = HELD[way](lambda w, t: js.Lambda(lambda step: w * w * step)(t))
    expected = HELD[way](lambda w, t: w * w * t)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_an_eager_gradient_compiles_once(caplog):
    gradient = jax.grad(lambda schedule, step: schedule(step))

    def at(rate):
        return gradient(js.warmup(js.Cosine(rate, 0.01, 10), 5), 7.0)

    at(0.1)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for rate in (0.2, 0.3, 0.4):
            at(rate)
    assert not [record for record in caplog.messages if record.startswith("Compiling")]


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_an_eager_call_is_one_program_for_all_numbers(backend, monkeypatch, caplog):
    """JAX calls a GPU "gpu" here, but "cuda" or "rocm" where a program is lowered for it."""
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(export, "default_export_platform", lambda: {"gpu": "cuda"}.get(backend, backend))
    js.Tanh(0.1, 0.01, 10)(7)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for rate in (0.2, 0.3):
            js.Tanh(rate, 0.02, 11)(8)
    assert not [record for record in caplog.messages if record.startswith("Compiling")]


@pytest.mark.parametrize("platform", ["cpu", "cuda", "rocm", "tpu"])
def test_float64_is_for_the_platforms_that_have_it(platform):
    schedule = js.Linear(0.3, 0.1, 10)
    program = export.export(jax.jit(lambda step: schedule(step)), platforms=[platform])(jnp.int32(3))
    assert ("f64" in program.mlir_module()) == (platform != "tpu")


@pytest.mark.thorough
def test_disable_jit():
    schedule = js.join([js.warmup(js.Cosine(0.3, 0.0, 10), 5), 0.1], [12])
    steps = jnp.arange(15)
    expected = schedule(steps), jax.vmap(jax.grad(schedule))(steps + 0.5)
    with jax.disable_jit():
        got = schedule(steps), jax.vmap(jax.grad(schedule))(steps + 0.5)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


FORMULAS = {
    "power": lambda s, t: s.a**s.n * t,
    "power of the clock": lambda s, t: t**s.n,
    "a function": lambda s, t: jnp.exp(s.a) * t,
    "comparison": lambda s, t: jnp.where(s.a > 1.5, t, 2 * t),
    "equality": lambda s, t: jnp.where(s.a == 2, t + 0, 1.0),
    "value of a choice": lambda s, t: jnp.where(t < s.n, s.a, 0.0),
    "comparison with the clock": lambda s, t: jnp.where(s.n >= t, s.a * 1.0, 0.0),
    "minimum": lambda s, t: s.a * jnp.minimum(t, s.n),
    "quotient": lambda s, t: s.a // s.n + s.a % s.n * t,
    "periods": lambda s, t: divmod(t, s.n)[0] * s.a + divmod(t, s.n)[1],
    "branches": lambda s, t: lax.cond(t < s.n, lambda x: x * 1.0, lambda x: x * 2.0, s.a),
    "closed branches": lambda s, t: lax.cond(t < s.n, lambda: s.a * 1.0, lambda: s.a * 2.0),
    "loop": lambda s, t: lax.fori_loop(0, 5, lambda i, x: x * 0.5, s.a + 0 * t),
    "difference": lambda s, t: s.a * (s.n - t) - abs(s.a),
}


@pytest.mark.parametrize(
    "name", by_default(("power", "comparison with the clock", "branches", "difference"), FORMULAS)
)
def test_a_formula_of_a_user_among_others_of_its_kind(name):
    """In a join its numbers are entries of lists, and must still behave like numbers."""

    class Mine(js.Schedule):
        a: js.Number = js.number()
        n: js.Number = js.number(default=2.0)

        def evaluate(self, t):
            return FORMULAS[name](self, t)

    first, second, steps = Mine(2.0, 3.0), Mine(1.0, 2.0), np.arange(12)
    expected = np.where(steps < 5, first(steps), second(np.maximum(steps - 5, 0)))
    both = js.join([first, second], [5])
    np.testing.assert_allclose(both(steps), expected, rtol=1e-6)
    np.testing.assert_allclose(quickly(lambda: both(steps))(), expected, rtol=1e-6)
    with float32_path():
        np.testing.assert_allclose(both(steps), expected, rtol=1e-6)


def test_a_curve_of_a_user_with_fields_of_any_kind():
    class Bent(js.Transition):
        init_value: js.Number = js.number()
        end_value: js.Number = js.number()
        transition_steps: js.Number = js.number(at_least=0)
        kind: str = "straight"
        bend: js.Number | None = js.optional_number()

        def weights(self, elapsed, left):
            return (left, elapsed) if self.kind == "straight" and self.bend is None else (0 * left, elapsed)

    np.testing.assert_allclose(
        js.warmup(0.4, 4, shape=Bent)(np.arange(5)), [0, 0.1, 0.2, 0.3, 0.4], rtol=1e-6
    )


def both_paths(function, *arguments):
    """The result of the compiled function, on the float64 path and on the float32 path."""
    yield jax.jit(lambda *arguments: function(*arguments))(*arguments)
    with float32_path():
        yield jax.jit(lambda *arguments: function(*arguments))(*arguments)


FAR = 2**24 + 1
"""A step that float32 cannot represent."""


def test_traced_lists_of_integers_keep_their_digits():
    steps, boundaries = np.array([FAR - 1, FAR, FAR + 1]), jnp.array([FAR], jnp.int32)

    def levels(boundaries, steps):
        return js.Piecewise([1.0, 2.0], boundaries)(steps)

    def parts(boundaries, steps):
        return js.join([1.0, js.Linear(9.0, 0.0, 9)], boundaries)(steps)

    for rates in both_paths(levels, boundaries, steps):
        np.testing.assert_array_equal(rates, [1, 2, 2])
    for rates in both_paths(parts, boundaries, steps):
        np.testing.assert_array_equal(rates, [1, 9, 8])
    with enable_x64(True):
        np.testing.assert_array_equal(jax.jit(levels)(jnp.array([FAR]), steps), [1, 2, 2])


def test_boundaries_of_equal_parts_keep_their_digits():
    """Two joins of one kind are stored as one, with lists of lists."""
    line = js.Linear(9.0, 0.0, 9)
    inner = [js.join([line, line], [FAR]), js.join([line, line], [FAR + 2])]
    schedule, steps = js.join(inner, [2**25]), np.array([FAR - 1, FAR, FAR + 1])
    for rates in both_paths(lambda steps: schedule(steps), steps):
        np.testing.assert_array_equal(rates, [0, 9, 8])


def test_an_integer_shift_into_the_past():
    """As an argument the shift has no known sign, and the difference exceeds int32."""
    schedule = js.shift(js.Piecewise([1.0, 2.0, 3.0], [2.0**31 - 128, 2.0**31]), jnp.int32(-(2**30)))
    steps = np.array([2**30 - 129, 2**30 - 128, 2**30 - 1, 2**30, 2**30 + 5])
    for rates in both_paths(lambda schedule, steps: schedule(steps), schedule, steps):
        np.testing.assert_array_equal(rates, [1, 2, 2, 3, 3])


REFUSED = {
    "half a cycle": (lambda: js.cycle(0.1, 4, cycles=2.5), "`cycles` must be a whole number, got 2.5."),
    "a rate that float32 takes for 1": (lambda: js.Relaxation(1, 0, 9, 1 - 1e-9), "`rate` must be at least"),
    "a window that float32 has not": (
        lambda: js.Tanh(1, 0, 9, 3, 3.00000001),
        "`upper` must be above `lower` (3), got 3.00000001.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """As an argument of a compiled function the number would be rounded to another, or to an invalid one."""
    build, message = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


LOOKED_UP = {
    "levels": js.Piecewise([0.3, 0.2, 0.1], [2, 5]),
    "many levels": js.Piecewise(np.linspace(0.3, 0.1, 13), np.cumsum([1, 2] * 6)),
    "table": js.Table([0.1, 0.3, 0.2, 0.4, 0.5]),
    "knots": js.knots([0.1, 0.3, 0.2], [0, 3, 7]),
    "parts of two kinds": js.join([0.1, js.Linear(0.3, 0.2, 4), 0.4], [3, 9]),
    "many parts": js.join([js.Linear(0.3, 0.1, 3 + i) for i in range(12)], list(range(2, 13))),
    "growing cycles": js.cycle(js.Linear(0.3, 0.1, 4), 4, 1.5),
}


@pytest.mark.parametrize(
    "name",
    by_default(("parts of two kinds",), LOOKED_UP),
)
def test_lookups_under_explicit_axes(name):
    """On a mesh with explicit axes, the rates are sharded like the steps."""
    schedule, steps = LOOKED_UP[name], jnp.arange(16)
    expected = np.asarray(schedule(steps))
    slopes = quickly(jax.grad(lambda schedule: schedule(steps).sum()))(schedule)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        spread = jax.device_put(steps, NamedSharding(mesh, PartitionSpec("data")))
        for rates in (
            schedule(spread),
            quickly(lambda steps: schedule(steps))(spread),
            quickly(lambda schedule, steps: schedule(steps))(schedule, spread),
        ):
            assert jax.typeof(rates).sharding.spec == PartitionSpec("data")
            np.testing.assert_array_max_ulp(np.asarray(rates), expected, 1)
        under = quickly(jax.grad(lambda schedule, steps: schedule(steps).sum()))(schedule, spread)
        for slope, plain in zip(jax.tree.leaves(under), jax.tree.leaves(slopes), strict=True):
            np.testing.assert_allclose(slope, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("step", [7, 7.5, np.int64(7), np.arange(3), jnp.int32(7)], ids=str)
def test_a_known_step_in_a_program_for_a_tpu(step):
    """The step is known, so no schedule is traced; the rate must still suit the platform of the program."""
    schedule = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
    program = export.export(jax.jit(lambda x: x * schedule(step)), platforms=["tpu"])
    assert "f64" not in program(jnp.float32(1)).mlir_module()


def test_loops_in_a_function_stay_loops():
    def decayed(step):
        return lax.fori_loop(0, 1000, lambda i, rate: jnp.where(i > 3, rate * 0.999, rate), 0.3 + 0 * step)

    schedule = js.Lambda(decayed)
    assert len(str(jax.make_jaxpr(lambda step: schedule(step))(3)).splitlines()) < 200
    both = export.export(jax.jit(lambda step: schedule(step)), platforms=["cpu", "tpu"])(jnp.int32(3))
    np.testing.assert_allclose(both.call(jnp.int32(3)), 0.3 * 0.999**996, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.vmap(schedule))(jnp.arange(3)), 0.3 * 0.999**996, rtol=1e-6)


def test_a_table_between_steps():
    """A table finds the step that a clock is in, also if the two parts of the clock are far apart."""
    table = js.Table([0.1, 0.2, 0.3])
    later, twice = js.shift(table, 5000.75), js.shift(js.shift(table, 10.9), 20.9)
    long_ago = js.shift(table, -(2.0**31))
    steps = np.array([5000, 5001, 5002, 5003, 5004, 2**31 - 1])
    for rates in both_paths(lambda steps: later(steps), steps):
        np.testing.assert_array_equal(rates, np.float32([0.1, 0.1, 0.2, 0.3, 0.3, 0.3]))
    for rates in both_paths(lambda steps: long_ago(steps), np.array([0, 2**31 - 1])):
        np.testing.assert_array_equal(rates, np.float32([0.3, 0.3]))
    for rates in both_paths(lambda steps: twice(steps), np.array([32, 33, 34, 35])):
        np.testing.assert_array_equal(rates, np.float32([0.1, 0.2, 0.3, 0.3]))


@pytest.mark.thorough
def test_gradients_by_a_factor_of_0():
    schedules = [js.Exponential(0.1, 0.0), js.cycle(js.Linear(0.3, 0.1, 3), 3, value_factor=0)]
    slopes = quickly(jax.grad(lambda schedules: sum(each(np.arange(7)).sum() for each in schedules)))(
        schedules
    )
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))


def curves():
    """All of them; by default a power, which blends two values like most."""
    every = (
        js.Linear,
        js.Polynomial,
        js.Geometric,
        js.Cosine,
        js.Rex,
        js.Tanh,
        js.Relaxation,
        js.OneMinusSqrt,
    )
    return by_default([js.Polynomial], every)


@pytest.mark.parametrize("curve", curves())
def test_gradients_of_what_has_no_length(curve):
    """By the numbers and by the step, also before the first knot and between two knots at one step."""
    schedules = [
        curve(0.3, 0.1, 0),
        js.warmup(0.3, 0, 0.1, curve),
        js.cooldown(0.3, 5, 0, 0.1, curve),
        js.knots([0.1, 0.3, 0.3, 0.2], [3, 5, 5, 7], curve),
    ]
    steps = np.array([0, 1, 3, 4, 5, 6, 7, 8], np.float32)

    def slopes(schedules, steps):
        of_leaves = jax.grad(lambda schedules: sum(schedule(steps).sum() for schedule in schedules))
        of_steps = [jax.vmap(jax.grad(lambda step, s=schedule: s(step))) for schedule in schedules]
        return of_leaves(schedules), [slope(steps) for slope in of_steps]

    for found in (
        quickly(slopes)(schedules, steps),
        quickly(lambda steps: slopes(schedules, steps)[1])(steps),
    ):
        assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(found))

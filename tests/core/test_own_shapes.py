"""User-defined shapes: a formula may do anything with its fields and its clock, also inside combinators."""

from __future__ import annotations

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import COMPILED_QUICKLY

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.testing import check_laws, float32_path

STEPS = np.array([0, 1, 4, 5, 7, 9, 10, 12, 14, 15, 19], np.int32)


class Bent(js.Schedule):
    """Uses operators, comparisons and functions on its numbers and its clock."""

    a: js.Number = js.number()
    b: js.Number = js.number(default=2.0)

    def evaluate(self, t):
        high = jnp.where(self.b > 1, self.a**2, abs(-self.a)) + jnp.exp2(-self.b) / (1 + self.b)
        low = jnp.minimum(self.a - 2, jnp.sqrt(self.b)) + 2**self.a * (3 - self.a) * jnp.where(t == 4, 1, 0.5)
        late = jnp.where(t >= 5, t % 4, -t // 3) * self.b + jnp.log1p(t) * jnp.where(self.a <= 0.7, 1, 2)
        return high + low + late + jnp.maximum(t, 3) / self.b + t**2 + 2 ** (-t) + (7 - t) * t


def truth(a, b, t):
    high = (a**2 if b > 1 else a) + 2**-b / (1 + b)
    low = min(a - 2, b**0.5) + 2**a * (3 - a) * (1 if t == 4 else 0.5)
    late = (t % 4 if t >= 5 else -t // 3) * b + np.log1p(t) * (1 if a <= 0.7 else 2)
    return high + low + late + max(t, 3) / b + float(t) ** 2 + 2.0**-t + (7 - t) * t


NUMBERS = [(0.3, 2.0), (0.5, 1.0), (0.9, 3.0)]
JOINED = js.join([Bent(*pair) for pair in NUMBERS], [5, 10])
EXPECTED = [truth(*NUMBERS[min(t // 5, 2)], int(t - 5 * min(t // 5, 2))) for t in STEPS]


@pytest.mark.parametrize("shape", [js.Linear, js.Cosine])
def test_large_ends_of_opposite_signs(shape):
    """Their difference overflows float32."""
    with float32_path():
        for schedule in (shape(3e38, -3e38, 4), js.knots([3e38, -3e38, 3e38], [0, 4, 8], shape)):
            np.testing.assert_allclose(schedule(np.array([0, 2, 4])), [3e38, 0, -3e38], 1e-6, atol=1e32)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("shape", [js.Linear, js.Cosine, js.Rex, js.Geometric])
@pytest.mark.parametrize("ends", [(0.3, 0.1), (0.1, 0.3)])
def test_a_traced_length_of_0_is_at_its_end(narrow, shape, ends):
    with float32_path() if narrow else enable_x64(False):
        rates = jax.jit(lambda length: shape(*ends, length)(np.arange(2)))(0)
    np.testing.assert_array_equal(rates, np.float32(ends[1]))


@pytest.mark.parametrize("narrow", [False, True])
def test_in_a_join_of_its_kind(narrow):
    with float32_path() if narrow else enable_x64(False):
        np.testing.assert_allclose(JOINED(STEPS), EXPECTED, rtol=2e-6)
        np.testing.assert_allclose(jax.jit(lambda t: JOINED(t))(STEPS), EXPECTED, rtol=2e-6)
        np.testing.assert_allclose(jax.jit(lambda s, t: s(t))(JOINED, STEPS), EXPECTED, rtol=2e-6)


FORMULAS = {
    "a product": lambda s, t: t * t,
    "a power": lambda s, t: t**2 + 2.0**-s.n,
    "a product with a number": lambda s, t: 65_536 * t,
    "a sum": lambda s, t: t + t,
    "a quotient": lambda s, t: t / 7 * (t + 1),
    "products of a field": lambda s, t: s.n * s.n + s.n**2 + t * s.n,
    "a negative field": lambda s, t: -s.n * (t + 1),
    "a difference": lambda s, t: t - 2**24,
    "a difference from it": lambda s, t: 2**24 + 9 - t,
    "a difference of differences": lambda s, t: (t - 5) - (2**24 - 6),
    "a difference of fields": lambda s, t: 1 - s.n,
    "periods": lambda s, t: t // 3 % 1000,
    "the rest": lambda s, t: t % 3,
    "periods of a field": lambda s, t: t // s.n,
    "the rest of a field": lambda s, t: t % s.n,
    "after a step": lambda s, t: (t > 2**24) * 1.0,
    "at a step": lambda s, t: (t == 2**24 + 1) * 1.0,
    "before a field": lambda s, t: (t < s.n) * 1.0,
}
"""Formulas in Python, for a schedule and for plain numbers."""


class Spelled(js.Schedule):
    """The formula of a name."""

    name: str
    n: js.Number = js.number()

    def evaluate(self, t):
        return FORMULAS[self.name](self, t)


FAR = np.array([0, 5, 46_340, 46_341, 65_536, 2**24, 2**24 + 1, 2**30 + 1, 2**31 - 1], np.int32)


@pytest.mark.parametrize("narrow", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_differences_and_periods_are_whole_and_all_else_is_a_float(narrow):
    """Alone, as an argument with an int32, and in a join, whose fields are looked up. No product wraps."""
    plain = {name: Spelled(name, 50_021) for name in FORMULAS}

    @partial(jax.jit, compiler_options=COMPILED_QUICKLY)
    def every(typed):
        joined = {name: js.join([each, Spelled(name, 3)], [2**31 - 1]) for name, each in plain.items()}
        return [{name: each(FAR) for name, each in form.items()} for form in (plain, typed, joined)]

    with float32_path() if narrow else contextlib.nullcontext():
        forms = every({name: Spelled(name, jnp.int32(50_021)) for name in FORMULAS})
    for name, formula in FORMULAS.items():
        expected = np.array([formula(plain[name], float(step)) for step in FAR])
        for rates in forms[:2]:
            np.testing.assert_allclose(rates[name], expected, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(forms[2][name][:-1], expected[:-1], rtol=1e-6, err_msg=name)


class Mixed(js.Schedule):
    """Multiplies a matrix, a list of integers and its number."""

    a: js.Number = js.number()

    def evaluate(self, t):
        return (jnp.ones((2, 2)) * jnp.arange(2) * self.a).sum()


@pytest.mark.parametrize("narrow", [False, True])
def test_the_callers_strict_modes_do_not_apply_to_a_formula(narrow):
    with (
        float32_path() if narrow else contextlib.nullcontext(),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        assert Mixed(0.25)(3) == 0.5
        assert jax.jit(lambda schedule: schedule(3))(Mixed(0.25)) == 0.5


class Smooth(js.Transition):
    """Smoothstep or a straight line, with static fields and one more number."""

    init_value: js.Number = js.number()
    end_value: js.Number = js.number()
    transition_steps: js.Number = js.number(at_least=0)
    straight: bool = False
    note: str | None = None
    delay: js.Number = js.number(default=0.0, at_least=0, below=1)

    def weights(self, elapsed, left):
        passed = jnp.maximum(elapsed - self.delay, 0) / (1 - self.delay)
        if self.straight:
            return 1 - passed, passed
        return (1 - passed) ** 2 * (1 + 2 * passed), passed**2 * (3 - 2 * passed)


@pytest.mark.parametrize(
    ("keywords", "text", "rate"),
    [
        ({"straight": True}, "straight=True", 0.25),
        ({"note": "steep", "delay": 0.125}, "note='steep', delay=0.125", 1 / 7**2 * (3 - 2 / 7)),
        ({"delay": 0.125, "note": None, "straight": True}, "delay=0.125, note=None, straight=True", 1 / 7),
    ],
)
def test_a_curve_is_shaped_by_flags_and_strings_too(keywords, text, rate):
    schedule = js.warmup(1.0, 8, shape=partial(Smooth, **keywords))
    assert repr(schedule) == f"warmup(1, 8, shape=partial(Smooth, {text}))"
    assert js.parse(repr(schedule)) == schedule
    assert schedule != js.warmup(1.0, 8, shape=partial(Smooth, **{**keywords, "note": "other"}))
    for rates in (schedule, jax.jit(lambda step, schedule=schedule: schedule(step))):
        np.testing.assert_allclose(rates(2), rate, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda schedule: schedule(2))(schedule), rate, rtol=1e-6)
    both = js.stack([schedule, 0.5 * schedule])
    np.testing.assert_allclose(jax.vmap(lambda each: each(2))(both), [rate, rate / 2], rtol=1e-6)


@pytest.mark.thorough
def test_a_curve_with_a_flag_and_a_string_keeps_every_law():
    check_laws(js.warmup(1.0, 8, shape=partial(Smooth, delay=0.125, note=None, straight=True)))

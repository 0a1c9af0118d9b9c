"""Bad input is refused with a message that names the argument, the value and what is allowed."""

from __future__ import annotations

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js

NAN, INF = float("nan"), float("inf")

HOURS = np.timedelta64(3, "h")
DAY = np.datetime64("2026-01-01")
MASKED = np.ma.array([0.1, 0.2], mask=[False, True])

VALUE_ERRORS = {
    "infinite rate in a combinator": (
        lambda: js.warmup(INF, 5),
        "`schedule` must be a finite float32 number, got inf.",
    ),
    "masked entry": (lambda: js.Table(MASKED), "`values` must have no masked entry, got masked_array("),
    "masked entry in a list": (
        lambda: js.Table([0.1, np.ma.masked]),
        "`values[1]` must have no masked entry, got masked (float64).",
    ),
    "masked number": (lambda: js.Constant(MASKED[1]), "`value` must have no masked entry, got masked"),
    "masked step": (lambda: js.Constant(0.1)(MASKED), "`step` must have no masked entry, got masked_array("),
    "negative length": (lambda: js.Cosine(0.3, 0, -5), "`transition_steps` must be at least 0, got -5."),
    "NaN length": (
        lambda: js.Linear(0.3, 0, NAN),
        "`transition_steps` must be a finite float32 number, got nan.",
    ),
    "infinite value": (lambda: js.Constant(INF), "`value` must be a finite float32 number, got inf."),
    "huge value": (lambda: js.Constant(1e39), "`value` must be a finite float32 number, got 1e+39."),
    "huge integer": (lambda: js.Constant(10**400), "`value` must be a finite float32 number, got 1000"),
    "negative warmup": (lambda: js.warmup(0.1, -1), "`warmup_steps` must be at least 0, got -1."),
    "first_step of 2": (
        lambda: js.warmup(0.1, 5, first_step=2),
        "`first_step` must be at least 0 and at most 1, got 2.",
    ),
    "negative power": (
        lambda: js.Polynomial(1, 0, 5, -1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "no warp": (lambda: js.Cosine(1, 0, 5, warp=0), "`warp` must be above 0 and at most 1000000, got 0."),
    "growing relaxation": (
        lambda: js.Relaxation(1, 0, 5, 1.5),
        "`rate` must be above 0 and below 1, got 1.5.",
    ),
    "no beta": (lambda: js.Rex(1, 0, 5, 0), "`beta` must be above 0 and at most 1000000, got 0."),
    "tanh reversed": (lambda: js.Tanh(1, 0, 5, 3, -7), "`upper` must be above `lower` (3), got -7."),
    "geometric from 0": (
        lambda: js.Geometric(0, 1, 5),
        "`init_value` must not be 0 on a geometric path, got 0.",
    ),
    "geometric from a subnormal number": (
        lambda: js.Geometric(-1e-320, -1.2, 5),
        "`init_value` must not be 0 on a geometric path, got -1e-320, which XLA flushes to 0.",
    ),
    "geometric to a number that float32 does not have": (
        lambda: js.Geometric(0.3, 1e-50, 5),
        "`end_value` must not be 0 on a geometric path, got 1e-50, which XLA flushes to 0.",
    ),
    "geometric through 0": (
        lambda: js.Geometric(0.1, -1, 5),
        "`end_value` must have the same sign as `init_value` (0.1), got -1.",
    ),
    "geometric warmup from 0": (
        lambda: js.warmup(0.1, 5, shape=js.Geometric),
        "`init_value` must not be 0 on a geometric path, got 0.",
    ),
    "geometric cooldown to 0": (
        lambda: js.cooldown(0.1, 5, 5, shape=js.Geometric),
        "`end_value` must not be 0 on a geometric path, got 0.",
    ),
    "geometric knots": (
        lambda: js.knots([0.1, 0.0], [0, 5], js.Geometric),
        "`end_value` must not be 0 on a geometric path, got 0.",
    ),
    "negative rate": (lambda: js.Exponential(1, -0.5), "`decay_rate` must be at least 0, got -0.5."),
    "no steps": (lambda: js.Exponential(1, 0.5, 0), "`transition_steps` must be above 0, got 0."),
    "no timescale": (lambda: js.InversePower(1, 0, 0.5), "`timescale` must be above 0, got 0."),
    "unsorted boundaries": (
        lambda: js.Piecewise([1, 2, 3], [5, 3]),
        "`boundaries` must be sorted, got 5 before 3 at index 0.",
    ),
    "unsorted join": (
        lambda: js.join([1, 2, 3], [5, 3]),
        "`boundaries` must be sorted, got 5 before 3 at index 0.",
    ),
    "negative boundary": (
        lambda: js.join([1, 2], [-3]),
        "`boundaries[0]` must be at least 0, got -3.",
    ),
    "NaN boundary": (
        lambda: js.Piecewise([1, 2, 3], [1, NAN]),
        "`boundaries[1]` must be a finite float32 number, got nan.",
    ),
    "one value too few": (
        lambda: js.Piecewise([1, 2], [5, 7]),
        "`values` must have one more entry than `boundaries`, which has 2, got 2.",
    ),
    "one boundary too many": (
        lambda: js.join([1, 2], [5, 7]),
        "`boundaries` must have one fewer entry than `schedules`, which has 2, got 2.",
    ),
    "join of nothing": (lambda: js.join([], []), "`schedules` must have at least one schedule, got none."),
    "knots of two lengths": (
        lambda: js.knots([1, 2], [0]),
        "`steps` must have as many entries as `values`, at least 1, got 1 and 2.",
    ),
    "empty table": (lambda: js.Table([]), "`values` must have at least one number, got none."),
    "table of no steps": (lambda: js.table(lambda t: 0.1, 0), "`steps` must be at least 1, got 0."),
    "NaN in a table": (
        lambda: js.table(lambda t: [0.1, NAN][t], 2),
        "`values[1]` must be a finite float32 number, got nan.",
    ),
    "shrinking without end": (
        lambda: js.cycle(0.1, 5, 0.5),
        "`cycles` must be given if `length_factor` is below 1 (0.5), got None.",
    ),
    "no cycles": (lambda: js.cycle(0.1, 5, cycles=0), "`cycles` must be at least 1, got 0."),
    "no period": (lambda: js.reflect(0.1, 0), "`period` must be above 0, got 0."),
    "no stretch": (lambda: js.stretch(0.1, 0), "`factor` must be above 0, got 0."),
    "no epoch": (lambda: js.per_epoch(0.1, -1), "`steps_per_epoch` must be above 0, got -1."),
    "floor above ceiling": (
        lambda: js.clip(0.1, 0.3, 0.2),
        "`max_value` must be at least `min_value` (0.3), got 0.2.",
    ),
    "stack of nothing": (lambda: js.stack([]), "`schedules` must have at least one schedule, got none."),
    "stack in a join": (
        lambda: js.join([0.1, js.stack([js.Constant(1), js.Constant(2)])], [3]),
        "`schedules[1]` must be one schedule, got a stack of 2; stack the outer schedules.",
    ),
    "stack that is called": (
        lambda: js.stack([js.Constant(1), js.Constant(2)])(3),
        "This is a stack of 2 schedules; call it under `jax.vmap`",
    ),
}

TYPE_ERRORS = {
    "a schedule as a number": (
        lambda: js.warmup(0.1, js.Constant(5)),
        "`warmup_steps` must be a number, got Constant(5) (Constant); call it with a step for its number",
    ),
    "a schedule times an array, as a momentum of Optax": (
        lambda: js.Constant(0.9) * jnp.ones(2),
        "A schedule is added to and multiplied by schedules and numbers, got an array of shape (2,). If you",
    ),
    "a function that returns a text": (
        lambda: js.Lambda(lambda t: "1"),
        "`fn` must return a scalar, got '1'.",
    ),
    "a function that returns a masked number": (
        lambda: js.Lambda(lambda t: MASKED[1]),
        "`fn` must return a scalar, got masked.",
    ),
    "a function that returns a time": (
        lambda: js.Lambda(lambda t: HOURS),
        "`fn` must return a scalar, got np.timedelta64(3,'h').",
    ),
    "a function that returns a date": (
        lambda: js.Lambda(lambda t: DAY),
        "`fn` must return a scalar, got ",
    ),
    "a function that returns a complex number": (
        lambda: js.Lambda(lambda t: jnp.exp(1j * t)),
        "`fn` must return a scalar, got ",
    ),
    "a time as a number": (lambda: js.Constant(HOURS), "`value` must be a number, got np.timedelta64(3,'h')"),
    "times in a list": (lambda: js.Table([HOURS]), "`values[0]` must be a number, got np.timedelta64(3,'h')"),
    "an array of times": (
        lambda: js.Table(np.array([HOURS])),
        "`values` must be a list of numbers, got an array of timedelta64[h][1].",
    ),
    "a time as a step": (lambda: js.Constant(0.1)(HOURS), "`step` must be an integer or floating number"),
    "a time as a count": (lambda: js.table(lambda t: 0.1, HOURS), "`steps` must be an integer, got "),
    "a date as a number": (lambda: js.Constant(DAY), "`value` must be a number, got np.datetime64("),
    "an array of dates": (
        lambda: js.Table(np.array([DAY])),
        "`values` must be a list of numbers, got an array of datetime64[D][1].",
    ),
    "a time as a metric": (
        lambda: js.Plateau().observe(js.Plateau().init(), HOURS),
        "`metric` must be a real scalar, got np.timedelta64(3,'h').",
    ),
    "a masked metric": (
        lambda: js.Plateau().observe(js.Plateau().init(), MASKED[1]),
        "`metric` must be a real scalar, got masked.",
    ),
    "a time as a clock": (
        lambda: js.set_count(js.scale_by_learning_rate(0.1).init(()), HOURS),
        "`count` must be an integer, got np.timedelta64(3,'h')",
    ),
    "boolean": (lambda: js.Constant(True), "`value` must be a number, got True (bool)."),
    "NumPy boolean": (lambda: js.Constant(np.True_), "`value` must be a number, got np.True_ (bool)."),
    "string": (lambda: js.Linear("0.3", 0, 5), "`init_value` must be a number, got '0.3' (str)."),
    "None": (lambda: js.Linear(0.3, None, 5), "`end_value` must be a number, got None (NoneType)."),
    "complex": (lambda: js.Constant(1j), "`value` must be a number, got 1j (complex)."),
    "array": (
        lambda: js.Constant(np.ones(3)),
        "`value` must be a single number, got an array of shape (3,); for several schedules at once, "
        "use `jaxsched.stack`.",
    ),
    "JAX boolean": (
        lambda: js.Constant(jnp.array(True)),
        "`value` must be a number, got Array(True, dtype=bool)",
    ),
    "number for a list": (
        lambda: js.Piecewise(0.1, [5]),
        "`values` must be a list of numbers, got 0.1 (float).",
    ),
    "string for a list": (
        lambda: js.Piecewise("ab", [5]),
        "`values` must be a list of numbers, got 'ab' (str).",
    ),
    "string in a list": (
        lambda: js.Piecewise([0.1, "x"], [5]),
        "`values[1]` must be a number, got 'x' (str).",
    ),
    "matrix for a list": (
        lambda: js.Table(np.ones((2, 2))),
        "`values` must be a list of numbers, got an array of float64[2, 2].",
    ),
    "string for a schedule": (
        lambda: js.warmup("Constant(1)", 5),
        "`schedule` must be a schedule, a number or a callable, got 'Constant(1)' (str); use "
        "`jaxsched.parse` for text.",
    ),
    "class for a schedule": (
        lambda: js.warmup(js.Constant, 5),
        "`schedule` must be a schedule, a number or a callable, got <class",
    ),
    "no list of schedules": (
        lambda: js.join(0.1, []),
        "`schedules` must be a list of schedules, got 0.1 (float).",
    ),
    "None among schedules": (
        lambda: js.join([0.1, None], [5]),
        "`schedules[1]` must be a schedule, a number or a callable, got None (NoneType).",
    ),
    "instance for a shape": (
        lambda: js.warmup(0.1, 5, shape=js.Linear(0, 1, 5)),
        "`shape` must be a transition class, such as `Linear` or",
    ),
    "no transition for a shape": (
        lambda: js.warmup(0.1, 5, shape=js.Exponential),
        "`shape` must be a transition class, such as `Linear` or",
    ),
    "bound end of a shape": (
        lambda: js.warmup(0.1, 5, shape=partial(js.Polynomial, end_value=1)),
        "`shape` must leave `end_value` open, got functools.partial",
    ),
    "positional in a shape": (
        lambda: js.warmup(0.1, 5, shape=partial(js.Polynomial, 1)),
        "`shape` must bind its arguments by keyword, got functools.partial",
    ),
    "unknown keyword of a shape": (
        lambda: js.warmup(0.1, 5, shape=partial(js.Polynomial, pwer=1)),
        "unexpected keyword argument 'pwer'",
    ),
    "product with None": (lambda: js.Constant(1) * None, "unsupported operand type"),
    "sum with None": (lambda: None + js.Constant(1), "unsupported operand type"),
    "division": (lambda: js.Constant(1) / 2, "unsupported operand type"),
    "table of no function": (lambda: js.table(0.1, 5), "`fn` must be callable, got 0.1 (float)."),
    "table of half steps": (
        lambda: js.table(lambda t: t, 2.5),
        "`steps` must be an integer, got 2.5 (float).",
    ),
    "table of strings": (lambda: js.table(str, 2), "`fn(0)` must be a number, got '0' (str)."),
    "Lambda of no function": (lambda: js.Lambda(0.1), "`fn` must be callable, got 0.1 (float)."),
    "Lambda that branches": (
        lambda: js.Lambda(lambda step: 0.1 if step < 5 else 0.01),
        "`fn` must be written with `jax.numpy`: its step is traced, so it cannot branch on it, index a "
        "list with it or convert it to a Python number. Use `jnp.where`, or `jaxsched.table(fn, steps)`, "
        "which calls `fn` once for each step.",
    ),
    "Lambda that converts": (
        lambda: js.warmup(lambda step: 0.1 * float(step), 5),
        "`fn` must be written with `jax.numpy`",
    ),
    "Lambda that indexes": (
        lambda: js.Lambda(lambda step: [0.1, 0.2][step]),
        "`fn` must be written with `jax.numpy`",
    ),
    "Lambda of a vector": (
        lambda: js.Lambda(lambda step: jnp.ones(3) * step),
        "`fn` must return a scalar, got",
    ),
    "Lambda of nothing": (lambda: js.Lambda(lambda step: None), "`fn` must return a scalar, got None."),
    "step of a string": (
        lambda: js.Constant(1)("3"),
        "`step` must be an integer or floating number or array (Python, NumPy or JAX), got '3' (str).",
    ),
    "step of None": (lambda: js.Constant(1)(None), "`step` must be an integer or floating number or array"),
    "boolean step": (lambda: js.Constant(1)(True), "`step` must be an integer or floating number or array"),
    "boolean array": (lambda: js.Constant(1)(np.array([True])), "`step` must be an integer or floating"),
    "JAX boolean step": (lambda: js.Constant(1)(jnp.array(True)), "`step` must be an integer or floating"),
    "complex step": (lambda: js.Constant(1)(1j), "`step` must be an integer or floating number or array"),
    "list of steps": (
        lambda: js.Constant(1)([1, 2]),
        "`step` must be an integer or floating number or array",
    ),
    "too many arguments": (lambda: js.Linear(1, 2, 3, 4), "takes 4 positional arguments but 5 were given"),
    "comparison under jit": (
        lambda: jax.jit(lambda s: s == js.Constant(1))(js.Constant(1)),
        "A traced Constant cannot be compared: its numbers are not known yet.",
    ),
    "hash under jit": (
        lambda: jax.jit(lambda s: hash(s))(js.Constant(1)),
        "A traced Constant cannot be hashed: its numbers are not known yet.",
    ),
    "text of no string": (lambda: js.parse(0.1), "`text` must be a string, got 0.1 (float)."),
}


@pytest.mark.parametrize("case", VALUE_ERRORS)
def test_value_error(case):
    make, message = VALUE_ERRORS[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("case", TYPE_ERRORS)
def test_type_error(case):
    make, message = TYPE_ERRORS[case]
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


def test_traced_numbers_pass_the_checks():
    def rate(length):
        return js.Cosine(0.3, 0.0, length)(1)

    assert jax.jit(rate)(10) > 0
    assert jax.vmap(rate)(jnp.arange(1, 4)).shape == (3,)
    assert jnp.isfinite(jax.jit(rate)(-5))


def test_schedules_are_final():
    with pytest.raises(TypeError, match="`Cosine` is final: a `MyCosine` can hold one, but not be one."):

        class MyCosine(js.Cosine):
            pass


def test_names_of_the_library_are_taken():
    with pytest.raises(TypeError, match="jaxsched has a schedule named `Cosine`"):
        type("Cosine", (js.Schedule,), {"evaluate": lambda self, clock: 0.0})


def test_schedules_are_frozen():
    with pytest.raises(AttributeError, match="cannot assign to field 'value'"):
        js.Constant(0.1).value = 0.2
    with pytest.raises(ValueError, match="read-only"):
        js.Table([0.1, 0.2]).values[0] = 1

"""The text form: what it says, what it reads, and how it answers a mistake."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js

TEXTS = [
    "Constant(0.3)",
    "Cosine(0.3, 0.01, 15)",
    "Cosine(0.3, 0.01, 15, 2)",
    "Cosine(0.3, 0.01, 15, warp=2)",
    "Linear(1e-05, 0, 2147483647)",
    "warmup(Cosine(0.3, 0.01, 15), 5)",
    "warmup(0.1, 5, 0.01, Cosine)",
    "warmup(0.1, 5, shape=partial(Polynomial, power=2, warp=0.5), first_step=1)",
    "join([0, Cosine(1, 0, 5), Linear(1, 0, 5)], [2, 4])",
    "Piecewise([0.3, 0.1, 0.03], [10, 20])",
    "knots([0.1, 1, 0.5], [0, 5, 10], Geometric)",
    "clip(Exponential(1, 0.9), max_value=0.5)",
    "clip(Exponential(1, 0.9), 0.01, 0.5)",
    "cycle(Cosine(1, 0, 5), 5, cycles=3)",
    "0.5 * Exponential(1, 0.9) * Linear(1, 0, 5)",
    "Linear(1, 0, 5) + 0.1 - Constant(0.3) * 2",
    "-Linear(1, 0, 5) + 1",
    "1 - Linear(1, 0, 5)",
    "(Linear(1, 0, 5) + 0.1) * (2 - Linear(1, 0, 3))",
    "-(Linear(1, 0, 5) + 0.1)",
    "Constant(2) * 3 * Linear(1, 0, 5)",
    "Constant(1) - 2 + Linear(1, 0, 5)",
    "Linear(1, 0, 5) + -2 * Linear(1, 0, 3)",
    "stack([Linear(1, 0, 5), 0.3, Linear(2, 0, 5)])",
    "stack([Linear(1, 0, 5), Linear(2, 0, 5)])",
    "stack([stack([Constant(0.1), 0.2]), stack([0.3, 0.4])])",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read_and_written_the_same(text):
    schedule = js.parse(text)
    assert js.parse(repr(schedule)) == schedule
    assert eval_of(repr(schedule)) == schedule
    if "stack" not in text and "Constant(0.3) * 2" not in text:
        assert repr(schedule) == text


def eval_of(text):
    """What Python makes of the text: the expression that builds the schedule."""
    return eval(text, {**vars(js), "partial": partial})


def test_a_number_is_a_constant():
    assert js.parse("0.1") == js.Constant(0.1)
    assert js.parse(" -3 * 2 + 7 / 2 ") == js.Constant(-2.5)


def test_arithmetic_of_numbers():
    assert js.parse("Cosine(0.3, 0.3 / 100, 15 * 235 - 5)") == js.Cosine(0.3, 0.003, 3520)


def test_numbers_of_numpy_and_ints_are_floats():
    for one, other in [(1, 1.0), (np.float32(0.5), 0.5), (np.int64(3), 3.0), (np.array(2), 2.0)]:
        schedule = js.Constant(one)
        assert type(schedule.value) is float
        assert schedule == js.Constant(other)
        assert repr(schedule) == repr(js.Constant(other))


def test_traced_schedules_print():
    seen = []
    jax.jit(lambda s: seen.append(repr(s)) or s(3))(js.warmup(js.Linear(1, 0, 5), 2))
    assert seen == [
        "warmup(Linear(<traced float32[]>, <traced float32[]>, <traced float32[]>), <traced float32[]>, "
        "<traced float32[]>, first_step=<traced float32[]>)"
    ]


def test_functions_print():
    assert repr(js.Lambda(jnp.sin)) == "Lambda(<sin>)"


MISTAKES = {
    "warmup(Cosin(0.3, 0.01, 15), 5)": (
        "Unknown schedule `Cosin`; did you mean `Cosine`?",
        "       ^",
    ),
    "warmup(0.1, 5, shape=Linea)": ("Unknown shape `Linea`; did you mean `Linear`?", " " * 21 + "^"),
    "Cosine(0.3, 0.01": ("'(' was never closed", "      ^"),
    "Cosine(0.3, 0.01, -5)": ("`transition_steps` must be at least 0, got -5.", "^"),
    "2 * Cosine(0.3, 0.01)": ("missing 1 required positional argument: 'transition_steps'", "    ^"),
    "Cosine(0.3, 0.01, 15, pwer=2)": ("unexpected keyword argument 'pwer'", "^"),
    "__import__('os').system('true')": ("This is not part of a schedule's text.", "^"),
    "Constant(0.1).value": ("This is not part of a schedule's text.", "^"),
    "[Constant(0.1)]": ("This is no schedule.", "^"),
    "Constant(1) / 2": ("unsupported operand type(s) for /", "^"),
    "Constant(1 / 0)": ("division by zero", "         ^"),
    "Constant(**{})": ("`**` is not part of a schedule's text.", "           ^"),
    "Constant(2 ** 9)": ("This is not part of a schedule's text.", "         ^"),
    "'a' * Constant(2)": ("`+`, `-`, `*` and `/` stand between numbers and schedules.", "^"),
    "": ("invalid syntax", "^"),
    "lambda: 0": ("This is not part of a schedule's text.", "^"),
    "Lambda(0)": ("Unknown schedule `Lambda`.", "^"),
    "Constant(1e999)": ("`value` must be a finite float32 number, got inf.", "^"),
    "Constant(True)": ("`value` must be a number, got True (bool).", "^"),
    "x = 3": ("invalid syntax", "  ^"),
    "Constant(1) Constant(2)": ("invalid syntax", "            ^"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_shown_in_its_place(text):
    message, caret = MISTAKES[text]
    with pytest.raises(ValueError) as caught:
        js.parse(text)
    first, shown, pointer = str(caught.value).split("\n")
    assert message in first
    assert shown == f"  {text}"
    assert pointer == f"  {caret}"


def test_long_texts_are_shown_in_part():
    text = "join([" + ", ".join(["0.1"] * 500) + ", Cosin(1, 0, 5)], [])"
    with pytest.raises(ValueError, match="Unknown schedule `Cosin`") as caught:
        js.parse(text)
    _, shown, pointer = str(caught.value).split("\n")
    assert len(shown) < 120
    assert shown[pointer.index("^") :].startswith("Cosin(")


@pytest.mark.parametrize("text", ["(" * 10**4, "-" * 10**5 + "1", "*".join(["1"] * 10**5), "1" * 10**5])
def test_deep_and_long_texts_are_refused(text):
    with pytest.raises(ValueError):
        js.parse(text)


WORDS = [
    "Cosine",
    "warmup",
    "(",
    ")",
    "[",
    "]",
    ",",
    "0.1",
    "5",
    "-",
    "*",
    "+",
    "/",
    "=",
    "shape",
    "partial",
    " ",
]
WORDS += [
    "Linear",
    "join",
    "stack",
    "None",
    "power",
    "1e400",
    "\n",
    "'",
    "\\",
    "\x00",
    "é",
    "lambda",
    ":",
    ".",
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=25).map("".join)))
def test_any_text_is_a_schedule_or_a_value_error(text):
    try:
        schedule = js.parse(text)
    except ValueError:
        return
    assert isinstance(schedule, js.Schedule)

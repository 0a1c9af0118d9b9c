"""Every text, however strange, gives a `ValueError` or a schedule that can be called."""

from __future__ import annotations

import functools
import inspect
import re
import string

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from selection import by_default

import jaxsched as js
from jaxsched._core.clock import LAST_STEP
from jaxsched._core.evaluate import batch_shape
from jaxsched._core.transition import Transition
from jaxsched._text.parse import LONGEST_TEXT, readable
from jaxsched.testing import float32_path

NAMES = {name: value for name, value in readable().items() if value.__module__.startswith("jaxsched.")}
SHAPES = sorted(
    name for name, value in NAMES.items() if isinstance(value, type) and issubclass(value, Transition)
)
KEYWORDS = sorted({keyword for value in NAMES.values() for keyword in inspect.signature(value).parameters})

ODD = r"""
lambda: 0|x := 1|f'{x}'|b'ab'|'ab'|"\n"|''|...|1j|0x10|1_0|1__0|007|*[1]|**{}|{1: 2}|{}|()|(1,)|[]
[x for x in y]|1 if 2 else 3|not 1|a.b|a[0]|2 ** 9|2 // 3|1 == 1|yield|await x|~1|+1|1;2|# text|\|`|$|"|'
<sin>|Lambda|Lambda(0)|Product([1])|Sum([1, 2])|partial|partial()|Schedule|True|False|None|__import__('os')
nan|inf|1e999|-1e999|1e-999
""".replace("\n", "|").split("|")
ODD += list("\x00\x0b\x0c\r\x1c\x85\u2028\ud800\U0001f600\ufeff\u00e9\u0301\u210c\u6f22\uff2c")
ODD += ["1" * 400, "1" * 5000, "0." + "0" * 5000]
ODD += [each * 3000 for each in ("-", "(", "[", "x", "1+", "1,", "''", "\n", "\ud800", "Linear(")]
SIGNS = list("()[],=+-*/. \t\n'")


def numbers(least=None):
    """Texts of numbers, small ones and those at the limits of their types."""
    special = [0, 1, 2, 3, 5, 10, 0.5, 0.1, 1e-5, 1000, LAST_STEP, 1e-37, 3e38, 1e-44, 1e-320, 5e-324]
    signed = st.sampled_from(special + [-each for each in special])
    finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
    values = signed | st.integers(1, 20) | st.floats(-2, 2) | finite
    return (values if least is None else values.map(abs)).map(repr)


def lists(items, size=None):
    return st.lists(items, min_size=size or 0, max_size=size).map(lambda each: f"[{', '.join(each)}]")


@st.composite
def shapes(draw):
    name = draw(st.sampled_from(SHAPES))
    parameters = list(inspect.signature(NAMES[name]).parameters)[3:]
    bound = draw(st.lists(st.sampled_from(parameters), unique=True)) if parameters else []
    keywords = [f"{each}={draw(numbers(0))}" for each in bound]
    return f"partial({name}, {', '.join(keywords)})" if keywords else name


@st.composite
def calls(draw, schedules):
    """A call with arguments of the right kinds, but not always in range."""
    name = draw(st.sampled_from(sorted(NAMES)))
    size = draw(st.integers(1, 4))
    texts, by_name = [], False
    for parameter in inspect.signature(NAMES[name]).parameters.values():
        if parameter.default is not parameter.empty and draw(st.booleans()):
            by_name = True
            continue
        text = draw(argument(name, parameter.name, size, schedules))
        by_name = by_name or parameter.kind is parameter.KEYWORD_ONLY
        texts.append(f"{parameter.name}={text}" if by_name else text)
    return f"{name}({', '.join(texts)})"


def argument(callee, name, size, schedules):
    ascending = st.lists(st.integers(0, 30), min_size=size, max_size=size).map(sorted)
    match callee, name:
        case _, "schedule":
            return schedules
        case _, "schedules":
            return lists(schedules, size)
        case "knots", "steps":
            return ascending.map(repr)
        case _, "boundaries":
            return ascending.map(lambda steps: repr(steps[1:]))
        case _, "values":
            return lists(numbers(), size)
        case _, "shape":
            return shapes()
        case _, "three_phases":
            return st.sampled_from(["True", "False"])
        case _, "init_value" | "end_value" | "midpoint" | "lower" | "value" | "steps":
            return numbers()
    return numbers(0)


def sums(lefts, rights):
    forms = st.sampled_from(["{} + {}", "{} - {}", "{} * {}", "-({} + {})", "2 * ({} - {})", "{} * -{}"])
    return st.tuples(forms, lefts, rights).map(lambda each: each[0].format(*each[1:]))


PARTS = st.recursive(numbers(), lambda parts: calls(parts) | sums(calls(parts), parts), max_leaves=8)

RIGHT = calls(PARTS) | sums(PARTS, calls(PARTS))
"""Texts of schedules, most of them valid."""

ANYTHING = numbers() | st.sampled_from([*NAMES, *KEYWORDS, "partial"]) | st.sampled_from(ODD)


@st.composite
def wrong_calls(draw, inner):
    """A call of a known name with any arguments."""
    name = draw(st.sampled_from([*NAMES, "partial"]))
    texts = draw(st.lists(inner, max_size=5))
    keywords = draw(st.lists(st.sampled_from(KEYWORDS), max_size=3))
    return f"{name}({', '.join(texts + [f'{keyword}={draw(inner)}' for keyword in keywords])})"


WRONG = st.recursive(
    ANYTHING,
    lambda inner: wrong_calls(inner) | sums(inner, inner) | lists(inner),
    max_leaves=12,
)


@st.composite
def mutated(draw):
    """A valid text with tokens removed, doubled, swapped or replaced."""
    tokens = re.findall(r"\w+|.", draw(RIGHT))
    for _ in range(draw(st.integers(1, 4))):
        i, j = (draw(st.integers(0, len(tokens) - 1)) for _ in range(2))
        match draw(st.integers(0, 3)):
            case 0:
                tokens[i] = ""
            case 1:
                tokens[i] *= 2
            case 2:
                tokens[i], tokens[j] = tokens[j], tokens[i]
            case 3:
                tokens[i] = draw(st.sampled_from([*ODD, *NAMES, *KEYWORDS, *SIGNS, *string.printable]))
    return "".join(tokens)


CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=80)
WORDS = st.lists(st.sampled_from([*NAMES, *KEYWORDS, *ODD, *SIGNS * 10, "0.1", "5"]), max_size=40).map(
    lambda words: "".join(words)[:LONGEST_TEXT]
)

TEXTS = {
    "characters": CHARACTERS,
    "characters in a string": CHARACTERS.map(lambda text: f"Constant({text!r})"),
    "words": WORDS,
    "mutated": mutated(),
    "wrong arguments": wrong_calls(WRONG),
    "right arguments": RIGHT,
}


READ = {"mutated": 0.02, "right arguments": 0.12}
"""The share of texts of each kind that must be valid, well below the usual share."""


def fuzz(check, texts, examples, share=0.0):
    """Checks `examples` texts; at least `share` of them must give a schedule."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    read = []

    def body(text):
        read.append(check(text) is not None)

    settings(max_examples=examples, deadline=None, suppress_health_check=slow)(given(texts)(body))()
    assert sum(read) >= share * len(read), f"{sum(read)} of {len(read)} texts were read"


def read(text):
    """The schedule, or `None` after a `ValueError`, whose message is checked."""
    try:
        schedule = js.parse(text)
    except ValueError as caught:
        error = caught
    else:
        assert isinstance(schedule, js.Schedule)
        return schedule
    assert type(error) is ValueError
    assert type(error.__cause__) in (type(None), ValueError, TypeError), "what the constructor raised"
    message, shown, pointer = str(error).split("\n")
    assert 0 < len(message) <= 500
    assert len(shown) <= 108
    assert re.fullmatch(" {2,}\\^", pointer)
    assert str(error).replace("\n", "").isprintable()
    return None


def check_text(text):
    schedule = read(text)
    if schedule is not None:
        again = js.parse(repr(schedule))
        assert again == schedule
        assert hash(again) == hash(schedule)
    return schedule


def check_rates(text):
    schedule = read(text)
    if schedule is None:
        return None
    for step in (0, 3, LAST_STEP):
        at_step = functools.partial(_call, step=step)
        for _ in batch_shape(schedule):
            at_step = jax.vmap(at_step)
        rates = np.asarray(at_step(schedule))
        assert rates.shape == batch_shape(schedule)
        assert np.isfinite(rates).all()
    return schedule


def _call(schedule, step):
    return schedule(step)


@pytest.mark.parametrize("kind", by_default(TEXTS.keys() - {"wrong arguments"}, TEXTS))
def test_any_text_is_a_schedule_or_a_value_error(kind):
    fuzz(check_text, TEXTS[kind], 150, READ.get(kind, 0))


def test_what_is_read_can_be_called():
    fuzz(check_rates, RIGHT, 25, READ["right arguments"])


@pytest.mark.thorough
@pytest.mark.parametrize("kind", TEXTS)
def test_any_text_is_a_schedule_or_a_value_error_thoroughly(kind):
    fuzz(check_text, TEXTS[kind], 2000, READ.get(kind, 0))


@pytest.mark.thorough
def test_what_is_read_can_be_called_thoroughly():
    fuzz(check_rates, RIGHT, 500, READ["right arguments"])


@pytest.mark.thorough
def test_what_is_read_can_be_called_in_float32():
    with float32_path():
        fuzz(check_rates, RIGHT, 250, READ["right arguments"])


def test_what_the_fuzzer_found():
    with float32_path():
        check_rates("Exponential(3, 2)")
        check_rates("Exponential(3e+38, 0, 1) * Constant(2)")
        check_rates("Geometric(1, 2, 1e-44)")
        check_rates("InversePower(1, 1e-44, 1)")
        check_rates("stretch(cycle(Linear(1, 0, 5), 5), 2e-38)")
        check_rates("Linear(0, 3e+38, 0.5)")
        check_rates("clip(-2, max_value=0) * InversePower(3e+38, 1e-37, 2)")
        check_rates("step_decay(0, 2, 1e-298) + Constant(0)")
        check_rates("one_cycle_momentum(0, 1, 4e-182, three_phases=True)")
    assert js.parse(repr(js.parse("stack([select([0], 0)])"))) == js.parse("stack([select([0], 0)])")
    for text in ["Relaxation(0, 0, 3e38, 1e-320)", "noam(1e-320, 1e-320)", "noam(1e-300, 1, 1e30)"]:
        assert read(text) is None
    assert read(f"multi_step(1, 10, {[1] * 400})") is None


HUGE = {
    "numbers": ("Table([", "1,", "])"),
    "numbers but the last": ("Table([", "1,", "None])"),
    "strings": ("Table([", "'1',", "])"),
    "lists": ("Table([", "[1],", "])"),
    "schedules": ("stack([", "Linear(1, 0, 5),", "])"),
    "constants": ("stack([", "1,", "])"),
    "mixed": ("stack([Table([1, 2]),", "1,", "])"),
    "presets": ("stack([", "warm_restarts(1, 0, 5),", "])"),
    "ramps that check their ends": ("stack([", "warmup(1, 5, 1, Geometric),", "])"),
    "ends that are looked at": ("warmup(", "Linear(1, 0, 5) + ", "1, 5, 1, Geometric)"),
    "partials": ("join([", "partial(Polynomial, power=2),", "])"),
    "terms": ("", "1 + ", "1"),
    "schedules as terms": ("", "Linear(1, 0, 5) + ", "1"),
    "signs": ("", "-", "1"),
    "signs of a schedule": ("", "-", "Constant(1)"),
    "calls": ("", "reflect(", "1"),
    "brackets": ("", "(", "1"),
    "digits": ("", "1", ""),
    "digits and a letter": ("", "1", "x"),
    "underscores": ("1", "_", "1"),
    "a fraction": ("0.", "3", "e5"),
    "a name": ("", "x", "()"),
    "a string": ("'", "x", "'"),
    "escapes": ("'", "\\n", "'"),
    "quotes": ("", "'", ""),
    "keywords": ("Linear(", "x=", "1)"),
    "spaces": ("", " ", "1"),
    "comments": ("", "#\n", "1"),
    "surrogates": ("", "\ud800", ""),
}
"""Long texts: a start, a part that repeats, and an end."""


@pytest.mark.parametrize(
    "kind", by_default(("numbers but the last", "mixed", "terms", "calls", "quotes"), HUGE)
)
def test_the_longest_text_is_a_schedule_or_a_value_error(kind):
    """Each takes a second or two; without the limits it would not end."""
    start, unit, stop = HUGE[kind]
    read(start + unit * ((LONGEST_TEXT - len(start + stop)) // len(unit)) + stop)


DEEP = ["reflect({}, 4)", "cycle({}, 5, 2)", "staircase({}, 3)", "cooldown({}, 5, 5, 1, Geometric)"]
DEEP += ["warmup({}, 5, 1, Geometric)", "join([{}, 1], [3])", "2 * ({} + 1)", "stretch(clip({}, 0), 3)"]


@pytest.mark.thorough
@pytest.mark.parametrize("form", DEEP)
def test_the_deepest_schedule_can_be_called(form):
    text = "Linear(1, 0.5, 5)"
    while not (error := why(form.format(text))):
        text = form.format(text)
    limit = "Ramps that check their ends must have at most 1000 pytree nodes in total, got "
    assert (limit if "Geometric" in form else "must be nested at most 100 deep, got 10") in error
    check_rates(text)
    check_text(text)


def why(text):
    """The error message for a text, if any."""
    try:
        js.parse(text)
    except ValueError as error:
        return str(error)
    return ""

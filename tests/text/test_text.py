"""The text form: printing, reading, and the messages about mistakes."""

from __future__ import annotations

import functools
import inspect
import json
import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from catalogue.cases import EVERY, SHORT
from catalogue.ports import PORTS
from jaxsched._text.parse import readable

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
    "reclock(Cosine(1, 0, 80), knots([0, 50, 150], [0, 50, 100]))",
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


@pytest.mark.smoke
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read_and_written_the_same(text):
    schedule = js.parse(text)
    assert js.parse(repr(schedule)) == schedule
    assert eval_of(repr(schedule)) == schedule
    if "stack" not in text and "Constant(0.3) * 2" not in text:
        assert repr(schedule) == text


def eval_of(text):
    """The text, evaluated by Python: it is an expression that builds the schedule."""
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


DOTS = "A name in a text has no dots. For a port, use the text that it prints."

MISTAKES = {
    # names
    "warmup(Cosin(0.3, 0.01, 15), 5)": ("Unknown schedule `Cosin`; did you mean `Cosine`?", "Cosin("),
    "WARMUP(0.1, 5)": ("Unknown schedule `WARMUP`; did you mean `warmup`?", "WARMUP"),
    "Lambda(0)": ("Unknown schedule `Lambda`.", "Lambda"),
    "Product([1, 2])": ("Unknown schedule `Product`.", "Product"),
    "__import__('os').system('true')": ("Unknown schedule `__import__`.", "__import__"),
    "warmup(0.1, 5, shape=Linea)": (
        "Unknown shape or number `Linea`; did you mean `Linear`?",
        "Linea)",
    ),
    "warmup(0.1, 5, shape=Exponential)": (
        "`Exponential` needs its arguments: `Exponential(init_value, decay_rate)`.",
        "Exponential",
    ),
    "warmup(0.1, 5, shape=cycle)": (
        "`cycle` needs its arguments: `cycle(schedule, cycle_steps)`.",
        "cycle",
    ),
    "Linear": ("`Linear` needs its arguments: `Linear(init_value, end_value, transition_steps)`.", "Linear"),
    "2 * -Linear": (
        "`Linear` needs its arguments: `Linear(init_value, end_value, transition_steps)`.",
        "Linear",
    ),
    # arguments
    "Cosine(0.3, 0.01, 15, pwer=2)": ("`Cosine` has no argument `pwer`; did you mean `power`?", "pwer"),
    "Cosine(0.3, 0.01, 15, q=2)": ("`Cosine` has no argument `q`.", "q="),
    "2 * Cosine(0.3, 0.01)": ("`Cosine` is missing `transition_steps`.", "Cosine"),
    "warmup()": ("`warmup` is missing `schedule`, `warmup_steps`.", "warmup"),
    "Linear(1, 2, 3, 4, 5)": (
        "`Linear` takes no positional argument after `transition_steps`.",
        "4, 5",
    ),
    "warmup(1, 2, 3, Linear, 4)": ("`warmup` takes no positional argument after `shape`.", "4)"),
    "Linear(1, 2, init_value=3)": ("`Linear` has two values for `init_value`.", "init_value"),
    "Linear(1, 2, 3, init_value=4, init_value=5)": (
        "`Linear` has two values for `init_value`.",
        "init_value",
    ),
    "Linear(init_value=1, 2)": ("A positional argument must come before the keyword arguments.", "2)"),
    "Cosine(0.3, 0.01, -5)": ("`transition_steps` must be at least 0, got -5.", "-5"),
    "Cosine(transition_steps=  -5, init_value=0.3, end_value=0)": (
        "`transition_steps` must be at least 0, got -5.",
        "-5",
    ),
    "Constant(1e999)": ("`value` must be a finite float32 number, got inf.", "1e999"),
    "Constant(True)": ("`value` must be a number, got True (bool).", "True"),
    "Constant('0.1')": ("`value` must be a number, got '0.1' (str).", "'0.1'"),
    "join([1, [2, 3], # two\n  None], [5, 9])": (
        "`schedules[1]` must be a schedule, a number or a callable, got [2, 3] (list).",
        "[2, 3]",
    ),
    "join([1, clip(2, (3, )), None], boundaries=[5, 9])": (
        "`min_value` must be a number, got (3,) (tuple).",
        "(3, )",
    ),
    "join([1, clip(2, max_value=3), None], boundaries=[5, 9])": (
        "`schedules[2]` must be a schedule, a number or a callable, got None (NoneType).",
        "None",
    ),
    "Piecewise([1, 2], [5, 6])": (
        "`values` must have one more entry than `boundaries`, which has 2, got 2.",
        "[1, 2]",
    ),
    "Piecewise([1, 2, 3], [5, -5])": ("`boundaries[1]` must be at least 0, got -5.", "-5"),
    "warmup_cosine(inf, 30, 5)": ("Unknown shape or number `inf`.", "inf"),
    "warmup(Linear(0, 1, 5), 5, 1, Geometric)": (
        "`end_value` must not be 0 on a geometric path, got 0.",
        "warmup",
    ),
    "warmup(1, 5, shape=partial(Polynomial, pwer=2))": (
        "`partial(Polynomial)` has no argument `pwer`; did you mean `power`?",
        "pwer",
    ),
    "warmup(1, 5, shape=partial(Polynomial, power=-2))": (
        "`power` must be at least 0 and at most 1000000, got -2.",
        "-2",
    ),
    "warmup(1, 5, shape=partial(Linear, end_value=2))": (
        "`partial(Linear)` has no argument `end_value`.",
        "end_value",
    ),
    "warmup(1, 5, shape=partial(Polynomial, 2))": (
        "`partial(Polynomial)` takes no positional argument.",
        "2)",
    ),
    "warmup(1, 5, shape=partial(warp=2))": ("Expected a schedule, a number or a list.", "warp"),
    "warmup(1, 5, shape=partial(Linear(1, 2, 3)))": (
        "The first argument of `partial` must be the name of a shape.",
        "Linear",
    ),
    "warmup(1, 5, shape=partial())": (
        "The first argument of `partial` must be the name of a shape.",
        "partial",
    ),
    # arithmetic
    "Constant(1) / 2": ("`/` must divide numbers; multiply the schedule by `1 / number`.", "/"),
    "Constant(1 / 0)": ("Division by zero.", "/"),
    "'a' * Constant(2)": ("The operands of `+`, `-`, `*` and `/` must be numbers or schedules.", "'a'"),
    "1 + [2]": ("The operands of `+`, `-`, `*` and `/` must be numbers or schedules.", "[2]"),
    "-True": ("The operands of `+`, `-`, `*` and `/` must be numbers or schedules.", "True"),
    "1e300 * Constant(2)": ("`operand` must be a finite float32 number, got 1e+300.", "*"),
    "stack([1, 2]) * 2": (
        "`operand` must be one schedule, got a stack of 2; stack the outer schedules.",
        "*",
    ),
    # characters that are not part of the text, or are missing
    "[Constant(0.1)]": ("This is not a schedule.", "["),
    "True": ("This is not a schedule.", "True"),
    "": ("Expected a schedule, a number or a list.", ""),
    "x = 3": ("Expected a schedule, a number or a list.", "x"),
    "Constant(1,, )": ("`Constant` takes no positional argument after `value`.", ", )"),
    "Table([1,, 2])": ("Expected a schedule, a number or a list.", ", 2"),
    "Constant(value=)": ("Expected a schedule, a number or a list.", ")"),
    "Cosine(0.3, 0.01": ("`(` was never closed.", "("),
    "join([0.3, 0.01, ": ("`[` was never closed.", "["),
    "Cosine(0.3, 0.01]": ("Expected `,` or `)`.", "]"),
    "Table([0.3 0.01])": ("Expected `,` or `]`.", "0.01"),
    "Constant(1) Constant(2)": ("Expected `+`, `-`, `*`, `/` or the end.", "Constant(2)"),
    "Constant(0.1).value": (DOTS, ".value"),
    "js.ports.torch.StepLR(0.1, 30)": (DOTS, ".torch"),
    "optax.Constant(0.1)": (DOTS, ".Constant"),
    "Constant(**{})": ("This is not part of a schedule's text.", "**"),
    "Constant(2 ** 9)": ("This is not part of a schedule's text.", "**"),
    "Constant(0x10)": ("This is not part of a schedule's text.", "0x10"),
    "Constant(1__0)": ("`1__0` is not a number.", "1__0"),
    "lambda: 0": ("This is not part of a schedule's text.", ":"),
    "warmup(Lambda(<sin>), 5)": ("Unknown schedule `Lambda`.", "Lambda"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_shown_in_its_place(text):
    message, place = MISTAKES[text]
    with pytest.raises(ValueError) as caught:
        js.parse(text)
    first, shown, pointer = str(caught.value).split("\n")
    assert first == message
    line = next(line for line in text.split("\n") if place in line) if text else ""
    assert shown == f"  {line}"
    assert pointer.index("^") - 2 in {match.start() for match in re.finditer(re.escape(place), line)}
    assert pointer.strip() == "^"


ARGUMENTS = {
    "schedule": "0.5",
    "schedules": "[0.5, 0.1]",
    "boundaries": "[10]",
    "values": "[0.5, 0.1]",
    "shape": "Linear",
    "three_phases": "True",
    "peak_fraction": "0.3",
    "total_steps": "100",
    "lower": "-7",
    "rate": "0.5",
    "first_step": "0.5",
    "index": "0",
    "max_value": "9",
    ("knots", "steps"): "[0, 10]",
}
"""Valid arguments by name, or by function and name; any other takes 5."""

CALLS = {
    name: {
        argument: ARGUMENTS.get((name, argument), ARGUMENTS.get(argument, "5"))
        for argument in inspect.signature(function).parameters
    }
    for name, function in readable().items()
    if function.__module__.startswith("jaxsched.")
}


def call(name, arguments):
    return f"2 + {name}({', '.join(f'{argument}={value}' for argument, value in arguments.items())})"


def mistake(text):
    """The error message for a text, and the text from the caret on."""
    with pytest.raises(ValueError) as caught:
        js.parse(text)
    message, shown, pointer = str(caught.value).split("\n")
    return message, shown[pointer.index("^") :]


@pytest.mark.parametrize("name", CALLS)
def test_every_argument_is_checked_by_its_name_and_in_its_place(name):
    if name != "stack":
        js.parse(call(name, CALLS[name]))
    for argument, value in CALLS[name].items():
        message, place = mistake(call(name, {**CALLS[name], argument: "'typo'"}))
        assert message.startswith(f"`{argument}` must ")
        assert place.startswith("'typo'")

        others = {each: text for each, text in CALLS[name].items() if each != argument}
        misspelt = argument[:-1]
        message, place = mistake(call(name, others | {misspelt: value}))
        assert message == f"`{name}` has no argument `{misspelt}`; did you mean `{argument}`?"
        assert place.startswith(f"{misspelt}={value}")

        if inspect.signature(readable()[name]).parameters[argument].default is inspect.Parameter.empty:
            message, place = mistake(call(name, others))
            assert message == f"`{name}` is missing `{argument}`."
            assert place.startswith(f"{name}(")


def test_long_texts_are_shown_in_part():
    text = "join([" + ", ".join(["0.1"] * 500) + ", Cosin(1, 0, 5)], [])"
    with pytest.raises(ValueError, match="Unknown schedule `Cosin`") as caught:
        js.parse(text)
    _, shown, pointer = str(caught.value).split("\n")
    assert len(shown) < 120
    assert shown[pointer.index("^") :].startswith("Cosin(")


@pytest.mark.parametrize(
    ("before", "columns"),
    [("\t", 1), ("\r", 1), ("\x0c", 1), ("\u2028", 1), ("'\u6f22\u5b57', ", 8), ("'e\u0301', ", 5)],
)
def test_the_caret_stands_under_what_a_terminal_shows(before, columns):
    with pytest.raises(ValueError, match="Unknown shape or number `x`") as caught:
        js.parse(f"[\n0,\n1, {before}x,\n2]")
    _, shown, pointer = str(caught.value).split("\n")
    assert shown.endswith("x,")
    assert shown.isprintable()
    assert pointer == " " * (2 + 3 + columns) + "^"


N = 90_000
"""A length below the limit."""

LONG = {
    "a name": "x" * N,
    "the name of a schedule": "x" * N + "()",
    "a keyword": "Constant(" + "x" * N + "=1)",
    "a number": "1" * N + "_",
    "a large number": "Constant(" + "1" * N + ")",
    "a string": f"Constant('{'x' * 1000}')",
    "a longer string": f"Constant('{'x' * 1001}')",
    "a list of names": "Constant([" + "Linear," * 10**4 + "])",
    "a schedule": "Linear(Table([" + "1," * 10**4 + "]), 0, 5)",
    "lists": "[" * N,
    "calls": "reflect(" * (N // 8),
    "room": f"stack([{'1,' * 5000} Table([{'1,' * 4900}])])",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_is_too_long_is_refused_in_short(text):
    with pytest.raises(ValueError) as caught:
        js.parse(text)
    assert len(str(caught.value)) < 400


def nested(form, depth, inside="0.1"):
    """A text nested `depth` times in a form."""
    return functools.reduce(lambda text, _: form.format(text), range(depth), inside)


LIMITS = {
    "`text` must have at most 100000 characters, got 100001.": " " * 100_001,
    "Brackets must be nested at most 100 deep, got 101.": "(" * N,
    "Schedules must be nested at most 100 deep, got 101.": nested("warmup({}, 5)", 100),
    "Lists must have at most 10000 entries in total, got 10001 up to here.": f"Table([{'1,' * 30_000}])",
    "A schedule must have at most 1000 pytree nodes to be compiled, got 1002.": "Linear(1, 0, 5) + " * 5000,
}


@pytest.mark.parametrize("message", LIMITS)
def test_a_limit_names_what_is_allowed_and_what_it_got(message):
    with pytest.raises(ValueError) as caught:
        js.parse(LIMITS[message])
    assert str(caught.value).split("\n")[0] == message


def test_what_is_within_the_limits_is_read():
    rng = np.random.default_rng(0)
    table = js.Table(rng.standard_normal(4000))
    assert js.parse(repr(table)) == table
    assert js.parse(f"Table([{'1,' * 10_000}])") == js.Table([1] * 10_000)
    assert js.parse("-" * N + "1") == js.Constant(1)
    assert js.parse("*".join(["1"] * 10**4)) == js.Constant(1)
    assert js.parse("0." + "0" * 10**4 + "1e10001") == js.Constant(1)
    assert js.parse("(" * 100 + "1" + ")" * 100) == js.Constant(1)
    assert repr(js.parse(nested("warmup({}, 5)", 99))) == nested("warmup({}, 5)", 99)
    assert len(js.parse(f"join([{'Linear(1, 0, 5), ' * 1000}], {[5] * 999})").schedules) == 1000


def test_a_larger_schedule_prints_and_is_not_read():
    table = js.Table(range(10_001))
    deep = functools.reduce(lambda schedule, _: js.reflect(schedule, 4), range(100), js.Constant(0.1))
    for schedule, limit in [
        (table, "Lists must have at most 10000"),
        (deep, "Schedules must be nested at most 100"),
    ]:
        with pytest.raises(ValueError, match=limit):
            js.parse(repr(schedule))


@pytest.mark.smoke
def test_the_whole_catalogue_fits_into_one_text():
    schedules = js.stack([build(SHORT) for build in EVERY.values()])
    assert js.parse(repr(schedules)) == schedules


def test_texts_last():
    """The texts of an earlier version build the same schedules and print the same, with all defaults."""
    texts = json.loads((Path(__file__).parents[1] / "goldens" / "texts.json").read_text())["texts"]
    for name, horizon, text, numbers in texts:
        schedule = PORTS[name]() if horizon is None else EVERY[name](horizon)
        assert js.parse(text) == schedule, (name, horizon)
        assert repr(schedule) == text, (name, horizon)
        assert [x for leaf in jax.tree.leaves(schedule) for x in np.ravel(leaf)] == numbers, (name, horizon)
    assert len(texts) == 478


@pytest.mark.parametrize(
    "text",
    [None, 0.1, b"Constant(1)", ["Constant(1)"] * 10**5, js.Constant(1), 10**5000],
    ids=["None", "float", "bytes", "list", "schedule", "long"],
)
def test_what_is_no_string_is_a_type_error(text):
    with pytest.raises(TypeError, match="`text` must be a string, got ") as caught:
        js.parse(text)
    assert len(str(caught.value)) < 200


def test_what_python_writes_beside_repr_is_read():
    assert js.parse("Piecewise((0.3, 0.1), (10,),)") == js.Piecewise([0.3, 0.1], [10])
    assert js.parse("(Constant(1_000.5))") == js.Constant(1000.5)
    assert js.parse("Table([.5, 5., 1e2, 1E-2])") == js.Table([0.5, 5.0, 100, 0.01])
    assert js.parse("one_cycle(1, 2, 3, 4, three_phases=True)") == js.one_cycle(1, 2, 3, 4, three_phases=True)
    assert js.parse("clip(1, None, max_value = 3)") == js.clip(1, max_value=3)
    assert js.parse("\n# the rate\nConstant(\n  0.1 # for ever\n)\n") == js.Constant(0.1)
    assert js.parse("js.warmup(jaxsched.Cosine(1, 0, 5), 5, shape=js.Rex)") == js.warmup(
        js.Cosine(1, 0, 5), 5, shape=js.Rex
    )
    assert js.parse("2 * 3 - 4 / -5 - 1") == js.Constant(2 * 3 - 4 / -5 - 1)
    assert js.parse("2 - Linear(1, 0, 5) - 1 * 3") == 2 - js.Linear(1, 0, 5) - 1 * 3


def test_a_text_names_numbers_that_are_given():
    text = "warmup(Cosine(lr, lr / 10, total - warm), warm, shape=partial(Polynomial, power=p))"
    schedule = js.parse(text, lr=np.float32(0.5), total=jnp.int32(100), warm=5, p=2.0)
    assert schedule == js.parse("warmup(Cosine(0.5, 0.05, 95), 5, shape=partial(Polynomial, power=2))")
    assert js.parse("lr", lr=0.1) == js.Constant(0.1)
    assert js.parse("-a * Table([a, b, a])", a=0.5, b=1) == js.parse("-0.5 * Table([0.5, 1, 0.5])")


NAMED = {
    "not given": (
        "Table([1, lr])",
        {},
        ValueError,
        "Unknown shape or number `lr`.\n  Table([1, lr])\n            ^",
    ),
    "misspelt": (
        "peek",
        {"peak": 1},
        ValueError,
        "Unknown shape or number `peek`; did you mean `peak`?\n  peek",
    ),
    "not used": (
        "lr",
        {"lr": 1, "n": 2},
        ValueError,
        "`text` must use every number that is given, and does not",
    ),
    "out of range": (
        "Linear(1, 0, n)",
        {"n": -5},
        ValueError,
        "`transition_steps` must be at least 0, got -5.\n",
    ),
    "called": ("lr(3)", {"lr": 1}, ValueError, "Unknown schedule `lr`.\n"),
    "a shape": ("Linear", {"Linear": 1}, ValueError, "`Linear` must not name a number, because it means"),
    "a preset": ("noam", {"noam": 1}, ValueError, "`noam` must not name a number, because it means"),
    "a constant": ("None", {"None": 1}, ValueError, "`None` must not name a number, because it means"),
    "a word": ("partial", {"partial": 1}, ValueError, "`partial` must not name a number, because it means"),
    "infinite": ("lr", {"lr": np.inf}, ValueError, "`lr` must be a finite float32 number, got inf."),
    "text": ("lr", {"lr": "0.1"}, TypeError, "`lr` must be a number, got '0.1' (str)."),
    "a flag": ("lr", {"lr": True}, TypeError, "`lr` must be a number, got True (bool)."),
    "a schedule": ("lr", {"lr": js.Constant(1)}, TypeError, "`lr` must be a number, got Constant(1)"),
    "a list": ("Table(lr)", {"lr": np.ones(2)}, TypeError, "`lr` must be a single number, got an array"),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_mistake_in_a_number_that_is_given(case):
    text, numbers, kind, message = NAMED[case]
    with pytest.raises(kind) as caught:
        js.parse(text, **numbers)
    assert str(caught.value).startswith(message)


def test_a_traced_number_is_not_given():
    with pytest.raises(TypeError, match="`lr` must be a known number, got .*float32"):
        jax.jit(lambda lr: js.parse("lr", lr=lr)(0))(0.1)


def test_the_structure_of_a_shape_of_ones_own_is_read():
    class Named(js.Schedule):
        names: object
        level: int

        def evaluate(self, t):
            return self.level

    strings = (
        "",
        "it's",
        '"',
        "'\"",
        "\\",
        "a\nb\t\x00\x7f\x80",
        "\u2028\ud800",
        "\U0001f600",
        "\u6f22",
        "x" * 999,
    )
    for names in (*strings, strings, (), ("one",), (1, (True, None, -0.5)), [1, [2]], None, False):
        schedule = Named(names, 2**64)
        assert js.parse(repr(schedule)) == schedule


def test_any_error_of_a_constructor_of_ones_own_is_shown():
    class Picky(js.Schedule):
        level: int

        def check(self):
            {}[self.level]

        def evaluate(self, t):
            return 0.0

    with pytest.raises(ValueError, match="3\n  1 \\+ Picky\\(3\\)\n      \\^") as caught:
        js.parse("1 + Picky(3)")
    assert type(caught.value.__cause__) is KeyError

"""Records: what `to_dict` writes, what `from_dict` reads, and what both refuse."""

from __future__ import annotations

import copy
import json
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusals

import jaxsched as js
from catalogue.cases import CASES, EVERY, SHORT
from catalogue.ports import PORTS

EVERYTHING = {name: build(SHORT) for name, build in EVERY.items()} | {
    name: build() for name, build in PORTS.items()
}
WITH_FUNCTIONS = {name for name, schedule in EVERYTHING.items() if "<" in repr(schedule)}
RECORDS = {name: js.to_dict(schedule) for name, schedule in EVERYTHING.items() if name not in WITH_FUNCTIONS}


def record(**items):
    return {"jaxsched": 1, **items}


COSINE = {"class": "Cosine", "init_value": 0.3, "end_value": 0.01, "transition_steps": 15.0}

LASTING = {
    "Cosine(0.3, 0.01, 15)": record(**COSINE, power=1.0, warp=1.0),
    "warmup(Cosine(0.3, 0.01, 15), 5)": record(
        **{"class": "warmup", "schedule": COSINE | {"power": 1.0, "warp": 1.0}, "warmup_steps": 5.0},
        init_value=0.0,
        shape="Linear",
        first_step=0.0,
    ),
    "cooldown(0.3, 800, 200, shape=partial(Polynomial, power=2))": record(
        **{"class": "cooldown", "schedule": 0.3, "start_step": 800.0, "cooldown_steps": 200.0},
        end_value=0.0,
        shape={"class": "Polynomial", "power": 2.0},
    ),
    "clip(Exponential(1, 0.9), max_value=0.5)": record(
        **{"class": "clip", "min_value": None, "max_value": 0.5},
        schedule={"class": "Exponential", "init_value": 1.0, "decay_rate": 0.9, "transition_steps": 1.0},
    ),
    "join([0.1, Table([0.2, 0.3])], [4])": record(
        **{"class": "join", "schedules": [0.1, {"class": "Table", "values": [0.2, 0.3]}], "boundaries": [4.0]}
    ),
    "-Exponential(1, 0.9) + 0.1": record(
        **{"class": "Sum"},
        schedules=[
            {
                "class": "Product",
                "schedules": [
                    -1.0,
                    {"class": "Exponential", "init_value": 1.0, "decay_rate": 0.9, "transition_steps": 1.0},
                ],
            },
            0.1,
        ],
    ),
    "stack([0.1, 0.2])": record(**{"class": "stack", "schedules": [0.1, 0.2]}),
}
"""Records of version 1. Every later release must read them."""


@pytest.mark.parametrize("text", LASTING)
def test_records_last(text):
    schedule = js.parse(text)
    assert js.from_dict(LASTING[text]) == schedule
    assert js.to_dict(schedule) == LASTING[text]


def in_other_containers(value):
    """A record with tuples for lists, and mappings that are not dicts."""
    if isinstance(value, dict):
        return types.MappingProxyType({key: in_other_containers(each) for key, each in value.items()})
    return tuple(map(in_other_containers, value)) if isinstance(value, list) else value


@pytest.mark.smoke
def test_every_schedule_reads_back_from_json():
    for name, written in RECORDS.items():
        read = js.from_dict(json.loads(json.dumps(written, allow_nan=False)))
        assert read == EVERYTHING[name], name
        assert repr(read) == repr(EVERYTHING[name]), name
        assert js.to_dict(read) == written, name
        assert js.from_dict(in_other_containers(written)) == read, name
    assert len(RECORDS) > 140
    assert len(WITH_FUNCTIONS) < 10


def test_every_schedule_reads_back_from_yaml():
    text = yaml.dump(RECORDS, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
    for name, written in yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)).items():
        assert js.from_dict(written) == EVERYTHING[name], name


@pytest.mark.parametrize("number", ["1.0e-3", "-0.5", "1_000", "-3"])
def test_a_number_of_yaml_is_read(number):
    written = yaml.safe_load(f"{{jaxsched: 1, class: Constant, value: {number}}}")
    assert js.from_dict(written) == js.Constant(float(number))


@pytest.mark.parametrize("number", ["1e-3", "1e5", "-1.0e5"])
def test_a_number_that_yaml_takes_for_a_string_is_explained(number):
    message, place = error(yaml.safe_load(f"{{jaxsched: 1, class: Constant, value: {number}}}"))
    assert message == (
        f"`value` must be a number, got {number!r} (str). "
        "YAML reads 1e-3 as a string; write 1.0e-3, with a point and a sign."
    )
    assert place == ".value"


def test_the_whole_catalogue_fits_into_one_record():
    schedules = js.stack([build(SHORT) for build in EVERY.values()])
    assert js.from_dict(js.to_dict(schedules)) == schedules


def test_a_path_in_a_record_is_the_path_of_the_attribute():
    def check(path, written, value):
        if isinstance(written, dict) and "class" in written and not isinstance(value, js.Schedule):
            assert (written["class"], {**written, "class": None}) == (
                value.cls.__name__,
                {"class": None, **value.keywords},
            ), path
        elif isinstance(written, dict):
            for key, each in written.items():
                if key not in ("class", "jaxsched"):
                    check(f"{path}.{key}", each, getattr(value, key))
        elif isinstance(written, list):
            assert len(written) == len(value), path
            for i, each in enumerate(written):
                check(f"{path}[{i}]", each, value[i])
        elif isinstance(written, str):
            assert written == value.cls.__name__, path
        else:
            number = getattr(value, "value", value)
            assert written is None or type(written) is float, path
            assert written == number, path

    for name, written in RECORDS.items():
        check(name, written, EVERYTHING[name])


def error(bad):
    """The message about a record, and the path in it."""
    with pytest.raises(ValueError) as caught:
        js.from_dict(bad)
    message, path = str(caught.value).split("\n")
    return message, path.removeprefix("  in `record").removesuffix("`")


def dicts(value, path=""):
    """Every dict in a record, with its path."""
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from dicts(each, f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}")


@pytest.mark.parametrize("name", [name for name in CASES if name in RECORDS])
def test_every_key_is_checked_in_its_place(name):
    written = copy.deepcopy(RECORDS[name])
    for path, node in dicts(written):
        original = dict(node)
        for key in original.keys() - {"jaxsched", "class"}:
            inner = f"{path}.{key}"
            node[key] = "typo"
            message, place = error(written)
            assert place == inner
            assert message.startswith("Unknown shape `typo`" if key == "shape" else f"`{key}` must "), message

            del node[key]
            node[key[:-1]] = original[key]
            message, place = error(written)
            assert place == inner[:-1]
            assert f"has no argument `{key[:-1]}`; did you mean `{key}`?" in message
            node.clear()
            node.update(original)

        node["class"] += "x"
        message, place = error(written)
        assert message.startswith("Unknown s")
        assert f"`{node['class']}`; did you mean `{original['class']}`?" in message
        assert place in (path, f"{path}.class")
        node.clear()
        node.update(original)


MISTAKES = {
    "an unknown class": (
        record(**{"class": "warmup", "schedule": COSINE | {"class": "Cosin"}, "warmup_steps": 5}),
        "Unknown schedule `Cosin`; did you mean `Cosine`?",
        ".schedule",
    ),
    "a function": (record(**{"class": "Lambda", "fn": "sin"}), "Unknown schedule `Lambda`.", ""),
    "no class": (
        record(**{"class": "join", "schedules": [0.1, {"value": 0.2}], "boundaries": [5]}),
        "`class` is missing: the name of a schedule.",
        ".schedules[1]",
    ),
    "a class that is no string": (record(**{"class": [COSINE]}), "Unknown schedule `[{'class': '", ""),
    "the word partial": (record(**{"class": "partial"}), "Unknown schedule `'partial'`.", ""),
    "a missing key": (
        record(**{"class": "Cosine", "init_value": 0.3}),
        "`Cosine` is missing `end_value`, `transition_steps`.",
        "",
    ),
    "a surplus key": (record(**COSINE, pwer=2), "`Cosine` has no argument `pwer`; did you mean", ".pwer"),
    "a version inside": (
        record(**{"class": "shift", "schedule": record(**COSINE), "steps": 3}),
        "`Cosine` has no argument `jaxsched`.",
        ".schedule.jaxsched",
    ),
    "a key that closes a bracket": (record(**COSINE, **{")": 2}), "`Cosine` has no argument `')'`.", ".')'"),
    "a key that is no string": (record(**COSINE) | {2: 2}, "`Cosine` has no argument `2`.", ".2"),
    "a number out of range": (
        record(**COSINE | {"transition_steps": -5}),
        "`transition_steps` must be at least 0, got -5.",
        ".transition_steps",
    ),
    "a number as text": (
        record(**COSINE | {"init_value": "0.3"}),
        "`init_value` must be a number, got '0.3' (str).",
        ".init_value",
    ),
    "a number that YAML takes for text": (
        record(**{"class": "Table", "values": [0.1, "1e-3"]}),
        "`values[1]` must be a number, got '1e-3' (str). YAML reads 1e-3 as a string; "
        "write 1.0e-3, with a point and a sign.",
        ".values[1]",
    ),
    "a flag": (
        record(**COSINE | {"init_value": True}),
        "`init_value` must be a number, got True (bool).",
        ".init_value",
    ),
    "nothing": (
        record(**{"class": "Constant", "value": None}),
        "`value` must be a number, got None",
        ".value",
    ),
    "NaN": (
        record(**COSINE | {"init_value": float("nan")}),
        "`init_value` must be a finite float32 number, got nan.",
        ".init_value",
    ),
    "an infinity": (
        record(**COSINE | {"end_value": -float("inf")}),
        "`end_value` must be a finite float32 number, got -inf.",
        ".end_value",
    ),
    "a large integer": (
        record(**{"class": "Constant", "value": 10**150}),
        "`value` must be a finite float32 number, got 1e+150.",
        ".value",
    ),
    "an integer beyond floats": (
        record(**{"class": "Constant", "value": -(10**5000)}),
        "`value` must be a finite float32 number, got -inf.",
        ".value",
    ),
    "an array": (
        record(**{"class": "Table", "values": np.ones(2)}),
        "A record must hold mappings, lists, strings, numbers, True, False and None, got array([1., 1.])",
        ".values",
    ),
    "a schedule": (
        record(**{"class": "shift", "schedule": js.Constant(1), "steps": 3}),
        "A record must hold mappings, lists, strings, numbers, True, False and None, got Constant(1)",
        ".schedule",
    ),
    "the text of a schedule": (
        record(**{"class": "shift", "schedule": "Constant(1)", "steps": 3}),
        "`schedule` must be a schedule, a number or a callable, got 'Constant(1)' (str); use ",
        ".schedule",
    ),
    "an unknown shape": (
        record(**{"class": "warmup", "schedule": 0.1, "warmup_steps": 5, "shape": "Linea"}),
        "Unknown shape `Linea`; did you mean `Linear`?",
        ".shape",
    ),
    "an unknown shape with arguments": (
        record(**{"class": "warmup", "schedule": 0.1, "warmup_steps": 5, "shape": {"class": "Linea"}}),
        "Unknown shape `Linea`; did you mean `Linear`?",
        ".shape.class",
    ),
    "an argument of a shape": (
        record(
            **{"class": "warmup", "schedule": 0.1, "warmup_steps": 5},
            shape={"class": "Polynomial", "power": -2},
        ),
        "`power` must be at least 0 and at most 1000000, got -2.",
        ".shape.power",
    ),
    "the end of a shape": (
        record(**{"class": "warmup", "schedule": 0.1, "warmup_steps": 5}, shape=COSINE),
        "`partial(Cosine)` has no argument `init_value`.",
        ".shape.init_value",
    ),
    "fields that do not fit": (
        record(**{"class": "Piecewise", "values": [1, 2], "boundaries": [5, 6]}),
        "`values` must have one more entry than `boundaries`, which has 2, got 2.",
        ".values",
    ),
    "an entry": (
        record(**{"class": "Piecewise", "values": [1, 2, 3], "boundaries": [5, -5]}),
        "`boundaries[1]` must be at least 0, got -5.",
        ".boundaries[1]",
    ),
    "an empty product": (
        record(**{"class": "Product", "schedules": []}),
        "`schedules` must have at least one schedule, got none.",
        ".schedules",
    ),
    "signs of a terminal": (
        record(**COSINE, **{"\x1b\n": 2}),
        r"`Cosine` has no argument `'\x1b\n'`.",
        r".'\x1b\n'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_shown_with_its_path(name):
    bad, expected, path = MISTAKES[name]
    message, place = error(bad)
    assert message.startswith(expected)
    assert place == path
    assert message.isprintable()


@refusals(
    {
        "no version": (lambda: js.from_dict(COSINE), "`record` is missing `jaxsched`, the version of its"),
        "another version": (
            lambda: js.from_dict({**COSINE, "jaxsched": 2}),
            "`jaxsched` must be 1, .* got 2",
        ),
        "a flag for a version": (
            lambda: js.from_dict({**COSINE, "jaxsched": True}),
            "must be 1, .* got True",
        ),
        "a NaN": (
            lambda: js.to_dict(jax.tree.map(lambda leaf: leaf * float("nan"), js.shift(LINE, 3))),
            "`schedule.schedule.init_value` must be finite to be recorded, got nan.",
        ),
    },
    {
        "no mapping": (lambda: js.from_dict([COSINE]), r"`record` must be a mapping, got \[.* \(list\)\."),
        "text": (lambda: js.from_dict("Constant(1)"), "`record` must be a mapping, got 'Constant"),
        "a type": (lambda: js.from_dict(dict), "`record` must be a mapping, got <class 'dict'>"),
        "no schedule": (lambda: js.to_dict(0.1), r"`schedule` must be a schedule, got 0.1 \(float\)\."),
        "a plateau": (lambda: js.to_dict(js.Plateau()), r"`schedule` must be a schedule, got Plateau\(\)"),
        "a function": (
            lambda: js.to_dict(js.warmup(jnp.sin, 5)),
            r"`schedule.schedule.fn` must be a number, .* got <.*sin.*; tabulate a function with",
        ),
        "a traced number": (
            lambda: jax.jit(lambda s: js.to_dict(s)["class"])(js.shift(LINE, 3)),
            r"`schedule.schedule.init_value` must be a known number .*, got <traced float32\[\]>\.",
        ),
        "a number under vmap": (
            lambda: jax.vmap(lambda s: js.to_dict(s)["class"])(js.stack([LINE, LINE])),
            "`schedule.init_value` must be a known number to be recorded, got <traced",
        ),
        "what is no number": (
            lambda: js.to_dict(jax.eval_shape(lambda: js.join([LINE, 0.1], [3]))),
            r"`schedule.schedules.groups\[0\].init_value` must be a known number .* got <float32",
        ),
    },
)
def test_refusals(kind, build, message):
    with pytest.raises(kind, match=message):
        build()


LINE = js.Linear(0.3, 0.0, 10)


def nested(depth):
    inner = 0.1
    for _ in range(depth):
        inner = {"class": "shift", "schedule": inner, "steps": 1}
    return record(**inner)


def cyclic():
    inner = {"class": "shift", "steps": 1}
    inner["schedule"] = inner
    return record(**inner)


class Endless(list):
    """A list that never ends."""

    def __iter__(self):
        while True:
            yield 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nested(101), "Brackets must be nested at most 100 deep, got 101."),
        (lambda: nested(100), "Schedules must be nested at most 100 deep, got 101."),
        (cyclic, "Brackets must be nested at most 100 deep, got 101."),
        (
            lambda: record(**{"class": "Table", "values": Endless()}),
            "Lists must have at most 10000 entries in total, got 10001 up to here.",
        ),
        (
            lambda: record(**{"class": "Sum", "schedules": [COSINE] * 1000}),
            "A schedule must have at most 1000 pytree nodes to be compiled, got 6002.",
        ),
    ],
    ids=["deep", "deep schedules", "cyclic", "endless", "large"],
)
def test_the_limits_are_those_of_a_text(build, message):
    found, place = error(build())
    assert found == message
    assert len(place) <= 200


def test_what_is_within_the_limits_is_read():
    table = js.Table(np.random.default_rng(0).standard_normal(10_000))
    assert js.from_dict(js.to_dict(table)) == table
    deep = js.from_dict(nested(99))
    assert js.from_dict(js.to_dict(deep)) == deep


def test_a_record_by_hand_may_be_short():
    """Presets, defaults, whole numbers and nested products, which a record of ours has not."""
    written = record(**{"class": "Product", "schedules": [2, {"class": "Product", "schedules": [3, COSINE]}]})
    assert js.from_dict(written) == js.parse("Constant(2) * 3 * Cosine(0.3, 0.01, 15)")
    assert js.from_dict(record(**{"class": "Sum", "schedules": [COSINE]})) == js.Cosine(0.3, 0.01, 15)
    cycle = {"init_value": 1, "peak_value": 2, "end_value": 0, "total_steps": 10, "three_phases": True}
    assert js.from_dict(record(**{"class": "one_cycle"}, **cycle)) == js.one_cycle(**cycle)
    assert js.from_dict(record(**COSINE | {"init_value": np.float64(0.3)})) == js.Cosine(0.3, 0.01, 15)


@pytest.mark.parametrize("number", [0.1, 1e-5, 1 / 3, -2.5e37, 5e-324, 2**24 + 1, np.float32(0.1)])
def test_numbers_are_exact(number):
    assert js.from_dict(json.loads(json.dumps(js.to_dict(js.Constant(number))))) == js.Constant(number)


def test_an_array_is_the_number_that_it_prints():
    schedule = js.as_arrays(js.join([js.Linear(0.3, 0.0, 10), js.Table([0.1, 1])], [5]))
    assert js.from_dict(js.to_dict(schedule)) == js.parse(repr(schedule))
    json.dumps(js.to_dict(schedule))


def test_a_static_number_of_a_record_is_finite():
    class Limited(js.Schedule):
        limits: tuple[float, ...]

        def evaluate(self, t):
            return self.limits[0]

    assert js.from_dict(js.to_dict(Limited((0.1, -2.0)))) == Limited((0.1, -2.0))
    for number in (float("nan"), -float("inf"), np.float32("inf")):
        with pytest.raises(ValueError, match=r"`schedule.limits\[1\]` must be finite to be recorded, got "):
            js.to_dict(Limited((0.1, number)))


def test_the_structure_of_a_shape_of_ones_own_is_recorded():
    class Labelled(js.Schedule):
        label: object
        level: int = 3

        def evaluate(self, t):
            return self.level

    for label in ("", "it's\n", "\u6f22\ud800", "Linear", (), ("one", (1, (True, None, -0.5))), None, False):
        schedule = js.shift(Labelled(label, 2**64 + 1), 3)
        assert js.from_dict(json.loads(json.dumps(js.to_dict(schedule)))) == schedule
    with pytest.raises(TypeError, match=r"`schedule.label\[1\]` must be a number, .* got \[1\] \(list\)"):
        js.to_dict(Labelled((0, [1])))


KEYS = sorted({key for written in RECORDS.values() for _, node in dicts(written) for key in node})
CLASSES = sorted({node["class"] for written in RECORDS.values() for _, node in dicts(written)})
PLAIN = st.sampled_from(
    ["typo", "1e-3", "(", ")", "", None, True, 0, 1, -3, 2.5, 1e300, float("nan"), *CLASSES]
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "-", ""]), inner),
    max_leaves=5,
)


@settings(max_examples=60)
@given(st.data())
def test_any_record_is_a_schedule_or_a_value_error(data):
    written = copy.deepcopy(RECORDS[data.draw(st.sampled_from(sorted(RECORDS)))])
    for _ in range(data.draw(st.integers(1, 3))):
        _, node = data.draw(st.sampled_from(list(dicts(written))))
        node[data.draw(st.sampled_from([*node, *KEYS]))] = data.draw(VALUES)
        written["jaxsched"] = 1
    try:
        schedule = js.from_dict(written)
    except ValueError:
        message, _ = error(written)
        assert message.isprintable()
    else:
        assert js.from_dict(js.to_dict(schedule)) == schedule

"""Records: schedules as dicts, lists, strings and numbers, for JSON, YAML and the configs made of them.

A record is read as the tokens of the text that says the same. So `from_dict` has the grammar, the limits and
the messages of `parse`; only the place of a mistake is a path instead of a caret.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxsched._core.evaluate import batch_shape
from jaxsched._core.fields import brief, describe, is_concrete, is_number, show
from jaxsched._core.grouping import Parts
from jaxsched._core.printer import numeral
from jaxsched._core.schedule import (
    Constant,
    Product,
    Schedule,
    ScheduleLike,
    Sum,
    as_schedules,
    combined,
)
from jaxsched._core.transition import Easing
from jaxsched._text.mistakes import cut, printable
from jaxsched._text.parse import readable
from jaxsched._text.reader import Reader, Token, is_shape, parameters_of

VERSION = 1
"""The version of the format. Another one is for records that this one would read differently."""

NUMERAL = re.compile(r"[-+]?[\d.]+[eE][-+]?\d+")


def to_dict(schedule: Schedule) -> dict[str, Any]:
    """A schedule as a record: dicts, lists, strings and numbers, for JSON, YAML and configs.

    Each schedule in it is a dict: `class` is the name of its class, and the other keys are its fields,
    including those with a default. So a path in the record is also the path of the attribute in the
    schedule. Numbers are floats, as in the schedule. A constant inside another schedule is written as its
    number, and a `shape` as its name or, with arguments, as a dict with its `class`. A record beyond the
    limits of `parse` is written, but cannot be read.

    >>> import jaxsched as js
    >>> js.to_dict(js.cycle(js.Linear(0.3, 0, 10), 10))  # doctest: +NORMALIZE_WHITESPACE
    {'jaxsched': 1, 'class': 'cycle',
     'schedule': {'class': 'Linear', 'init_value': 0.3, 'end_value': 0.0, 'transition_steps': 10.0},
     'cycle_steps': 10.0, 'length_factor': 1.0, 'value_factor': 1.0, 'cycles': None}

    Args:
      schedule: the schedule. Like its text, the record of a stack has every member.

    Returns:
      A dict with the version of the format, `"jaxsched": 1`, for `from_dict`.

    Raises:
      TypeError: it is not a schedule, a number in it is traced, or it holds what a record cannot, such as a
        function. The message has the path.
      ValueError: a number in it is not finite.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"`schedule` must be a schedule, got {describe(schedule)}.")
    for path, leaf in jax.tree_util.tree_leaves_with_path(schedule):
        name = f"schedule{jax.tree_util.keystr(path)}"
        if not is_number(leaf) or not is_concrete(leaf):
            raise TypeError(f"`{name}` must be a known number to be recorded, got {numeral(leaf)}.")
    return {"jaxsched": VERSION, **_fields("schedule", schedule)}


def from_dict(record: Mapping[str, Any]) -> Schedule:
    """Reads a record, as `to_dict` writes it.

    A record that you write yourself may leave out fields with a default, and its `class` may be a preset. Any
    mapping can stand for a dict, and any sequence for a list. The limits are those of `parse`.

    >>> import jaxsched as js
    >>> js.from_dict({"jaxsched": 1, "class": "warmup_cosine", "peak_value": 0.3, "total_steps": 100,
    ...               "warmup_steps": 5})
    warmup(Cosine(0.3, 0, 95), 5)

    Args:
      record: the record.

    Raises:
      TypeError: `record` is not a mapping.
      ValueError: it is not the record of a schedule, or of another version; the message says why, and where
        in the record.
    """
    if not _is_mapping(record):
        raise TypeError(f"`record` must be a mapping, got {describe(record)}.")
    items = dict(record)
    if "jaxsched" not in items:
        raise ValueError(f"`record` is missing `jaxsched`, the version of its format, {VERSION}.")
    version = items.pop("jaxsched")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"`jaxsched` must be {VERSION}, the version of the format, got {describe(version)}.")
    source = _Source()
    try:
        return Reader(source.tokens(items), source.names, source.error).schedule()
    except (RecursionError, MemoryError):
        raise ValueError("`record` needs more memory or a deeper stack than available.") from None


def _fields(path: str, value: Any) -> dict[str, Any]:
    """The record of a schedule, without the version."""
    if isinstance(value, Easing):
        name, fields = value.cls.__name__, value.keywords
    elif batch := batch_shape(value):
        name, fields = "stack", {"schedules": tuple(value._members(batch[0]))}
    else:
        specifiers = dataclasses.fields(value)
        name, fields = type(value).__name__, {each.name: getattr(value, each.name) for each in specifiers}
    return {"class": name, **{key: _plain(f"{path}.{key}", each) for key, each in fields.items()}}


def _plain(path: str, value: Any) -> Any:
    """What stands in a record for the value of a field."""
    if isinstance(value, Constant) and np.ndim(value.value) == 0:
        return _plain(path, value.value)
    if isinstance(value, Schedule):
        return _fields(path, value)
    if isinstance(value, Easing):
        return _fields(path, value) if value.keywords else value.cls.__name__
    if isinstance(value, Parts) or type(value) is tuple:
        return [_plain(f"{path}[{i}]", each) for i, each in enumerate(value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    if is_number(value):
        numbers = [float(show(each)) for each in np.atleast_1d(value)]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"`{path}` must be finite to be recorded, got {numeral(value)}.")
        return numbers if np.ndim(value) else numbers[0]
    hint = "; tabulate a function with `jaxsched.table`" if callable(value) else ""
    raise TypeError(
        f"`{path}` must be a number, a string, True, False, None, a schedule or a tuple of them to be "
        f"recorded, got {describe(value)}{hint}."
    )


def product(schedules: Sequence[ScheduleLike]) -> Schedule:
    """The product of the schedules, as `*` builds it."""
    factors = as_schedules("schedules", schedules)
    return combined(Product, factors) if len(factors) > 1 else factors[0]


def total(schedules: Sequence[ScheduleLike]) -> Schedule:
    """The sum of the schedules, as `+` builds it."""
    terms = as_schedules("schedules", schedules)
    return combined(Sum, terms) if len(terms) > 1 else terms[0]


class _Source:
    """The tokens of a record. The start of a token is an index into `places`.

    Attributes:
      names: the classes and functions that a record can name.
      places: the path of each place in the record, and the value there.
    """

    def __init__(self) -> None:
        self.names = {**readable(), "Product": product, "Sum": total}
        self.places: list[tuple[str, Any]] = []

    def tokens(self, items: Mapping[str, Any]) -> Iterator[Token]:
        """The tokens of a whole record."""
        yield from self._value(self._place("record", items))
        yield Token("end", "", 0)

    def error(self, place: int, message: str) -> ValueError:
        """The error for a mistake at `place`."""
        path, value = self.places[place]
        if "(str)" in message and isinstance(value, str) and NUMERAL.fullmatch(value):
            message += " YAML reads 1e-3 as a string; write 1.0e-3, with a point and a sign."
        return ValueError(f"{cut(printable(message), 500)}\n  in `{cut(path, 200)}`")

    def _place(self, path: str, value: Any) -> int:
        self.places.append((path, value))
        return len(self.places) - 1

    def _value(self, place: int, of_shape: bool = False) -> Iterator[Token]:
        """The tokens of the value at a place; for a parameter that takes a shape, a string is its name."""
        path, value = self.places[place]
        if _is_mapping(value):
            yield from self._call(place, of_shape)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            yield Token("sign", "(", place)
            for i, each in enumerate(value):
                inner = self._place(f"{path}[{i}]", each)
                yield from self._value(inner)
                yield Token("sign", ",", inner)
            yield Token("sign", ")", place)
        elif value is None or isinstance(value, bool):
            yield Token("name", str(value), place)
        elif isinstance(value, str):
            yield Token("name", _word(value), place) if of_shape else Token("string", repr(str(value)), place)
        elif isinstance(value, int | float):
            plain = float(value) if isinstance(value, float) else int(value)
            if abs(plain) > 10**300:
                # As in a text, what is too large for a float is infinite.
                plain = math.inf if plain > 0 else -math.inf
            yield Token("number", str(plain), place)
        else:
            raise self.error(
                place,
                "A record must hold mappings, lists, strings, numbers, True, False and None, "
                f"got {describe(value)}.",
            )

    def _call(self, place: int, of_shape: bool) -> Iterator[Token]:
        """The tokens of a call or, for a parameter that takes a shape, of a `partial`."""
        path, value = self.places[place]
        items = dict(value)
        if "class" not in items:
            raise self.error(place, "`class` is missing: the name of a schedule.")
        word = _word(name := items.pop("class"))
        if of_shape:
            named = self._place(f"{path}.class", name)
            yield from (Token("name", "partial", place), Token("sign", "(", place))
            yield from (Token("name", word, named), Token("sign", ",", named))
        else:
            yield from (Token("name", word, place), Token("sign", "(", place))
        parameters = parameters_of(self.names[word]) if word in self.names else {}
        for key, each in items.items():
            keyword = _word(key)
            inner = self._place(f"{path}.{keyword}", each)
            yield Token("keyword", keyword, inner)
            yield from self._value(inner, keyword in parameters and is_shape(parameters[keyword].default))
            yield Token("sign", ",", inner)
        yield Token("sign", ")", place)


def _is_mapping(value: Any) -> bool:
    """Whether it is a mapping. The `ConfigDict` of ml_collections is one without its base class."""
    return hasattr(type(value), "keys") and hasattr(type(value), "__getitem__")


def _word(value: Any) -> str:
    """A name or key as a token; what cannot be one is quoted, so that it is unknown."""
    return value if isinstance(value, str) and value.isidentifier() and value != "partial" else brief(value)

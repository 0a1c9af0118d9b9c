"""The safe inverse of `repr`, and the names that a text may use."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxsched import presets
from jaxsched._core.fields import Number, checked_number, describe, is_concrete
from jaxsched._core.schedule import Lambda, Product, Schedule, Sum, registry
from jaxsched._text.mistakes import mistake
from jaxsched._text.reader import CONSTANTS, Reader, tokens
from jaxsched.combinators.stack import stack

LONGEST_TEXT = 100_000
"""The most characters that `parse` accepts: about 5,000 numbers with all their digits."""

PRESETS = {
    name: value
    for name, value in vars(presets).items()
    if inspect.isfunction(value) and value.__module__ == presets.__name__ and not name.startswith("_")
}


def readable() -> dict[str, Callable[..., Any]]:
    """The classes and functions that a text can call, by name."""
    classes = {name: cls for name, cls in registry.items() if cls not in (Lambda, Product, Sum)}
    return {**classes, **PRESETS, "stack": stack}


def parse(text: str, **numbers: Number) -> Schedule:
    """Reads the text form of a schedule, as `repr` writes it.

    The text may contain the names of shapes, combinators, presets and your own `Schedule` classes, with or
    without `js.` in front; numbers, strings, lists, tuples, `None`, `True`, `False` and
    `partial(Shape, keyword=number)`; `+`, `-` and `*` between numbers and schedules, `/` between numbers; and
    comments. Nothing else is looked up or executed.

    Numbers that you give by name can stand in the text too. The schedule holds the numbers, not their names.

    Every string gives a schedule or a `ValueError`, in bounded time and memory:

    - A text has at most 100,000 characters, and its lists have at most 10,000 entries in total.
    - Brackets and schedules are nested at most 100 deep.
    - A schedule has at most 1,000 pytree nodes, because they take time to compile. Parts of the same kind in
      a `join` or `stack` count once.
    - Ramps along a `Geometric` check their ends: they compile their schedule while they are read. They have
      at most 1,000 pytree nodes in total.

    `repr` has no such limits.

    >>> import jaxsched as js
    >>> js.parse("warmup(Cosine(0.3, 0.01, 15 * 235), 5 * 235)")
    warmup(Cosine(0.3, 0.01, 3525), 1175)
    >>> js.parse("warmup(Cosine(peak, 0, total - 5), 5)", peak=0.3, total=100)
    warmup(Cosine(0.3, 0, 95), 5)
    >>> js.parse("0.1")
    Constant(0.1)

    Args:
      text: the text.
      **numbers: the numbers that the text names. It must use each of them.

    Raises:
      TypeError: `text` is not a string, or one of `numbers` is not a number or is traced.
      ValueError: it is not the text of a schedule; the message says why and shows where. Or a number is not
        finite, is not used, or has a name that means something else in a text.
    """
    if not isinstance(text, str):
        raise TypeError(f"`text` must be a string, got {describe(text)}.")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"`text` must have at most {LONGEST_TEXT} characters, got {len(text)}.")
    names = readable()
    given = {name: _given(name, value, names) for name, value in numbers.items()}
    reader = Reader(tokens(text), names, functools.partial(mistake, text), given)
    try:
        schedule = reader.schedule()
    except (RecursionError, MemoryError):
        raise ValueError("`text` needs more memory or a deeper stack than available.") from None
    if unused := [name for name in given if name not in reader.used]:
        raise ValueError(f"`text` must use every number that is given, and does not use `{unused[0]}`.")
    return schedule


def _given(name: str, value: Any, names: Mapping[str, Any]) -> float:
    """A number that a text can name."""
    if name in names or name in CONSTANTS or name == "partial":
        raise ValueError(f"`{name}` must not name a number, because it means something else in a text.")
    number = checked_number(name, value)
    if not is_concrete(number):
        raise TypeError(f"`{name}` must be a known number, got {describe(value)}.")
    return float(number)

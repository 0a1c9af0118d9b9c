"""The safe reader of what `repr` writes of a schedule, and what it may name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxsched import presets
from jaxsched._core.fields import describe
from jaxsched._core.schedule import Lambda, Product, Schedule, Sum, registry
from jaxsched._text.reader import Reader
from jaxsched.combinators.stack import stack

LONGEST_TEXT = 100_000
"""`parse` reads no more characters than this: some 5,000 numbers of full length."""

PRESETS = {
    name: value
    for name, value in vars(presets).items()
    if inspect.isfunction(value) and value.__module__ == presets.__name__ and not name.startswith("_")
}


def readable() -> dict[str, Callable[..., Any]]:
    """Everything that a text can call, by name."""
    classes = {name: cls for name, cls in registry.items() if cls not in (Lambda, Product, Sum)}
    return {**classes, **PRESETS, "stack": stack}


def parse(text: str) -> Schedule:
    """Reads the text form of a schedule, as `repr` writes it.

    The text may hold the names of shapes, combinators, presets and your own `Schedule` classes, lists,
    tuples, `partial(Shape, keyword=number)`, `None`, `True`, `False`, strings, comments, and `+`, `-`, `*`,
    `/` between numbers or, but for `/`, schedules. Nothing else is looked up and nothing is executed.

    Every string gives a schedule or a `ValueError`, in bounded time and memory:

    - A text has at most 100,000 characters, and 10,000 entries in its lists together.
    - Its brackets, and the schedules that it builds, are nested at most 100 deep.
    - A schedule has at most 1,000 nodes as a pytree, as they take time to compile. The parts of a `join` or
      `stack` that are of one kind count once.
    - Ramps along a `Geometric` look at their ends while they are read, and have at most 1,000 nodes together.

    `repr` writes larger schedules all the same.

    >>> import jaxsched as js
    >>> js.parse("warmup(Cosine(0.3, 0.01, 15 * 235), 5 * 235)")
    warmup(Cosine(0.3, 0.01, 3525), 1175)
    >>> js.parse("0.1")
    Constant(0.1)

    Raises:
      TypeError: `text` is no string.
      ValueError: it is not the text of a schedule; the message shows where and why.
    """
    if not isinstance(text, str):
        raise TypeError(f"`text` must be a string, got {describe(text)}.")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"`text` must have at most {LONGEST_TEXT} characters, got {len(text)}.")
    try:
        return Reader(text, readable()).schedule()
    except (RecursionError, MemoryError):
        raise ValueError("`text` needs more memory, or a deeper stack, than there is.") from None

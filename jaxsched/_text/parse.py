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

LONGEST_TEXT = 4_000_000
"""`parse` reads no more characters than this: 180,000 numbers of full length.

The worst of such texts take a minute and a gigabyte; `pytest -m thorough tests/text/test_fuzz.py` tries them.
"""


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

    Every string gives a schedule or a `ValueError`, in bounded time and memory: a text has at most 4,000,000
    characters, and its schedules are nested at most 16 deep and of no more than some 200 kinds.

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

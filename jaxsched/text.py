"""The text form of schedules: the expression that builds one, and a safe reader of it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsched import presets
from jaxsched._core.evaluate import batch_shape
from jaxsched._core.fields import describe, field_of, is_concrete, show
from jaxsched._core.parts import Parts, take
from jaxsched._core.schedule import Constant, Lambda, Product, Schedule, Sum, as_schedule, registry
from jaxsched._core.transition import Easing
from jaxsched._core.value import Value
from jaxsched._reader import Reader
from jaxsched.combinators.stack import select, stack

LONGEST_TEXT = 4_000_000
"""`parse` reads no more characters than this: 180,000 numbers of full length.

The worst of such texts take a minute and a gigabyte; `pytest -m thorough tests/test_fuzz.py` tries them.
"""


def to_text(value: Value) -> str:
    """The shortest expression that builds `value`; `parse` reads that of a schedule back.

    Numbers that are traced, and the functions of `Lambda`, show as what they are in angle brackets.
    """
    if isinstance(value, Schedule) and is_concrete(value) and (batch := batch_shape(value)):
        return f"stack([{', '.join(map(to_text, _members(value, batch[0])))}])"
    if isinstance(value, Product):
        return _product(value)
    if isinstance(value, Sum):
        return _sum(value)
    arguments, positional = [], True
    for specifier in dataclasses.fields(value):  # type: ignore[arg-type]
        argument = getattr(value, specifier.name)
        if _is_default(specifier, argument):
            positional = False
            continue
        positional = positional and not specifier.kw_only
        structure = field_of(specifier).static and type(argument) is tuple
        text = repr(argument) if structure else _value(argument)
        arguments.append(text if positional else f"{specifier.name}={text}")
    return f"{type(value).__name__}({', '.join(arguments)})"


def _members(batched: Schedule, count: int) -> list[Schedule]:
    """What the stack was made of, or its members as they are where that makes another one."""
    members = [_member(batched, i) for i in range(count)]
    if isinstance(batched, select) and not (batch_shape(members[0]) or stack(members) == batched):
        return [take(batched, i) for i in range(count)]
    return members


def _member(batched: Schedule, index: int) -> Schedule:
    member = take(batched, index)
    if isinstance(member, select) and not batch_shape(member):
        return as_schedule("member", member.schedules[int(member.index)])
    return member


def _is_default(specifier: dataclasses.Field[Any], value: Any) -> bool:
    if specifier.default is dataclasses.MISSING:
        return False
    if isinstance(value, Easing):
        return value.cls is specifier.default and not value.keywords
    return is_concrete(value) and bool(value == specifier.default)


def _value(value: Any) -> str:
    if isinstance(value, Constant):
        return _value(value.value)
    if isinstance(value, Value):
        return to_text(value)
    if hasattr(value, "_field_defaults"):
        changed = {
            name: each for name, each in value._asdict().items() if each != value._field_defaults[name]
        }
        return f"{type(value).__name__}({', '.join(f'{name}={each!r}' for name, each in changed.items())})"
    if isinstance(value, tuple | Parts):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, Easing):
        if not value.keywords:
            return value.cls.__name__
        keywords = ", ".join(f"{name}={_value(each)}" for name, each in value.keywords.items())
        return f"partial({value.cls.__name__}, {keywords})"
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
    if not is_concrete(value):
        return f"<traced {value.aval.str_short()}>"
    if isinstance(value, np.ndarray | jax.Array) and np.ndim(value) == 1:
        return f"[{', '.join(map(show, np.asarray(value)))}]"
    return show(value) if isinstance(value, float | jax.Array | np.ndarray | np.generic) else repr(value)


def _product(product: Product) -> str:
    factors = list(product.schedules)
    sign = "-" if _negates(product) else ""
    if sign:
        factors = factors[1:]
    texts = [f"({_sum(each)})" if isinstance(each, Sum) else _value(each) for each in factors]
    return sign + " * ".join(_spelled_out(factors, texts))


def _sum(total: Sum) -> str:
    terms = list(total.schedules)
    texts = _spelled_out(terms, [_value(each) for each in terms])
    for i, term in enumerate(terms[1:], start=1):
        subtracted = texts[i].startswith("-") and (isinstance(term, Constant) or _negates(term))
        texts[i] = f"- {texts[i][1:]}" if subtracted else f"+ {texts[i]}"
    return " ".join(texts)


def _negates(schedule: Any) -> bool:
    """Whether it is what `-` makes of a schedule."""
    if not isinstance(schedule, Product) or isinstance(schedule.schedules[1], Constant):
        return False
    first = schedule.schedules[0]
    return isinstance(first, Constant) and is_concrete(first) and bool(first.value == -1)


def _spelled_out(operands: list[Any], texts: list[str]) -> list[str]:
    """`texts`, where two bare numbers in front would be read as one number."""
    if isinstance(operands[0], Constant) and isinstance(operands[1], Constant):
        return [f"Constant({texts[0]})", *texts[1:]]
    return texts


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

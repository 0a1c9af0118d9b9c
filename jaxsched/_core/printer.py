"""The text of a value: the shortest expression that builds it.

`expression` writes a call of the class, and `argument` one of its arguments. A class that prints differently
as an argument defines the method `_argument`. What no text can build, such as a traced number, a function or
a sharding in the place of a number, stands in angle brackets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsched._core.fields import Field, brief, field_of, is_concrete, is_number, show


def expression(value: Any) -> str:
    """The call that builds a `Value`; defaults are left out."""
    arguments, positional = [], True
    for specifier in dataclasses.fields(value):
        each = getattr(value, specifier.name)
        if _is_default(specifier, each):
            positional = False
            continue
        positional = positional and not specifier.kw_only
        text = field_text(field_of(specifier), each, argument)
        arguments.append(text if positional else f"{specifier.name}={text}")
    return f"{type(value).__name__}({', '.join(arguments)})"


def description(value: Any) -> str:
    """The text of a tree like that of a schedule, whose leaves are anything and need not fit together."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(description, value))}]"
    if hasattr(value, "groups"):
        return description(value.groups)
    if not dataclasses.is_dataclass(value):
        return argument(value)
    specifiers = dataclasses.fields(value)
    texts = [field_text(field_of(each), getattr(value, each.name), description) for each in specifiers]
    return f"{type(value).__name__}({', '.join(texts)})"


def field_text(field: Field, value: Any, other: Callable[[Any], str]) -> str:
    """The text of the value of a field; `other` writes what is neither a number nor a static tuple."""
    if field.rank is not None:
        return numeral(value)
    return repr(value) if field.static and type(value) is tuple else other(value)


def argument(value: Any) -> str:
    """The text of the value of a field that does not hold numbers."""
    if hasattr(value, "_argument"):
        return str(value._argument())
    if hasattr(value, "_field_defaults"):
        changed = {
            name: each for name, each in value._asdict().items() if each != value._field_defaults[name]
        }
        return f"{type(value).__name__}({', '.join(f'{name}={each!r}' for name, each in changed.items())})"
    if isinstance(value, tuple):
        return listed(value)
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
    return numeral(value) if is_number(value) else repr(value)


def numeral(value: Any) -> str:
    """The text of what is in the place of a number or of a list of numbers."""
    if isinstance(value, jax.core.Tracer):
        return f"<traced {value.aval.str_short()}>"
    if value is None:
        return "None"
    if not is_number(value) or np.ndim(value) > 1:
        array = isinstance(value, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)
        return f"<{value.dtype}{[*value.shape]}>" if array else f"<{brief(value)}>"
    return f"[{', '.join(map(show, np.asarray(value)))}]" if np.ndim(value) else show(value)


def listed(values: Any) -> str:
    """The text of a list."""
    return f"[{', '.join(map(argument, values))}]"


def _is_default(specifier: dataclasses.Field[Any], value: Any) -> bool:
    field = field_of(specifier)
    if specifier.default is dataclasses.MISSING or not is_concrete(value):
        return False
    if field.rank is not None and value is not None and (not is_number(value) or np.ndim(value)):
        return False
    return bool(value == field.convert(specifier.name, specifier.default))

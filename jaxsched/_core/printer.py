"""The text of a value: the shortest expression that builds it.

`expression` writes a call of the class, and `argument` one of its arguments. A class that prints differently
as an argument defines the method `_argument`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxsched._core.fields import field_of, is_concrete, show


def expression(value: Any) -> str:
    """The call that builds a `Value`; defaults are left out."""
    arguments, positional = [], True
    for specifier in dataclasses.fields(value):
        each = getattr(value, specifier.name)
        if _is_default(specifier, each):
            positional = False
            continue
        positional = positional and not specifier.kw_only
        structure = field_of(specifier).static and type(each) is tuple
        text = repr(each) if structure else argument(each)
        arguments.append(text if positional else f"{specifier.name}={text}")
    return f"{type(value).__name__}({', '.join(arguments)})"


def argument(value: Any) -> str:
    """The text of the value of a field.

    Traced numbers and functions are described in angle brackets.
    """
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
    if not is_concrete(value):
        return f"<traced {value.aval.str_short()}>"
    if isinstance(value, np.ndarray | jax.Array) and np.ndim(value) == 1:
        return f"[{', '.join(map(show, np.asarray(value)))}]"
    return show(value) if isinstance(value, float | jax.Array | np.ndarray | np.generic) else repr(value)


def listed(values: Any) -> str:
    """The text of a list."""
    return f"[{', '.join(map(argument, values))}]"


def _is_default(specifier: dataclasses.Field[Any], value: Any) -> bool:
    if specifier.default is dataclasses.MISSING or not is_concrete(value):
        return False
    return bool(value == field_of(specifier).convert(specifier.name, specifier.default))

"""Values: frozen dataclasses that are pytrees.

Their numbers are leaves, and everything else is structure. The constructor checks the fields;
`jax.tree.unflatten` skips it, because it also puts tracers and other objects in place of numbers. Two values
are equal if their structures and their numbers are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, dataclass_transform

import jax
import numpy as np

from jaxsched._core.exported import register_for_export
from jaxsched._core.fields import field, field_of, is_concrete, number, numbers, optional_number, read_only
from jaxsched._core.printer import expression


@dataclass_transform(frozen_default=True, field_specifiers=(field, number, optional_number, numbers))
class Value:
    """The base class of schedules, rules and policies.

    A subclass is a frozen dataclass of checked fields (see `fields`) and a pytree. It compares by structure
    and numbers, and prints as the expression that builds it.
    """

    def __init_subclass__(cls, *, abstract: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not abstract:
            dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
            _register(cls)

    def check(self) -> None:
        """Checks that the fields fit together, after each one has been checked."""

    def __post_init__(self) -> None:
        for specifier in dataclasses.fields(self):  # type: ignore[arg-type]
            kept = field_of(specifier).convert(specifier.name, getattr(self, specifier.name))
            object.__setattr__(self, specifier.name, kept)
        self.check()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Makes a copy or a pickle as frozen as the value: NumPy forgets that an array is read-only."""
        for name, each in state.items():
            self.__dict__[name] = read_only(each) if isinstance(each, np.ndarray) else each

    def __eq__(self, other: object) -> bool:
        """Whether both have the same structure and the same numbers."""
        if not isinstance(other, Value):
            return NotImplemented
        mine, structure = self._concrete("compared")
        theirs, other_structure = other._concrete("compared")
        return structure == other_structure and all(
            np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)
        )

    def __hash__(self) -> int:
        leaves, structure = self._concrete("hashed")
        # Adding 0 turns -0 into 0; they are equal and must hash alike.
        return hash((structure, *((np.asarray(leaf, np.float64) + 0.0).tobytes() for leaf in leaves)))

    def _concrete(self, verb: str) -> tuple[list[Any], Any]:
        leaves, structure = jax.tree.flatten(self)
        if not is_concrete(leaves):
            raise TypeError(
                f"A traced {type(self).__name__} cannot be {verb}: its numbers are not known yet."
            )
        return leaves, structure

    def __repr__(self) -> str:
        return expression(self)

    def _argument(self) -> str:
        """The text of the value as an argument of a call."""
        return repr(self)


def _register(cls: type[Value]) -> None:
    """Registers `cls` as a pytree; unflattening skips the checks of the constructor."""
    specifiers = dataclasses.fields(cls)  # type: ignore[arg-type]
    names = [each.name for each in specifiers if not field_of(each).static]
    static_names = [each.name for each in specifiers if field_of(each).static]
    keys = [jax.tree_util.GetAttrKey(name) for name in names]

    def flatten(value: Value) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        fields = value.__dict__
        return tuple([fields[name] for name in names]), tuple([fields[name] for name in static_names])

    def flatten_with_keys(value: Value) -> tuple[Any, tuple[Any, ...]]:
        children, static = flatten(value)
        return tuple(zip(keys, children, strict=True)), static

    def unflatten(static: tuple[Any, ...], children: Iterable[Any]) -> Value:
        value = object.__new__(cls)
        value.__dict__.update(zip(static_names, static, strict=True))
        value.__dict__.update(zip(names, children, strict=True))
        return value

    def restored(static: tuple[Any, ...]) -> tuple[Any, ...]:
        # JSON makes tuples of all, and the type of a named one is that of the default.
        kinds: list[Any] = [type(each.default) for each in specifiers if field_of(each).static]
        pairs = zip(kinds, static, strict=True)
        return tuple([kind(*each) if hasattr(kind, "_fields") else each for kind, each in pairs])

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    register_for_export(cls, f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}", tuple, restored)

"""How `jax.export` writes the structure of a value: a schedule can be an argument of what is exported.

An exported program keeps the structures of its arguments and results. JAX asks each type for bytes of what
is static in it; these are JSON of texts, numbers, flags and lists.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from jax import export

State = TypeVar("State", bound=type)


def register_for_export(
    cls: type,
    name: str,
    plain: Callable[[Any], Any],
    restored: Callable[[Any], Any],
) -> None:
    """Registers a pytree's class with `jax.export`.

    A name is taken once. Where a class is defined again, as in a notebook or when a module is imported again,
    the first one keeps it.

    Args:
      cls: the class, which is a pytree.
      name: the name by which another process finds it.
      plain: converts what is static in a value to what JSON can hold.
      restored: the inverse; lists come as tuples.
    """

    def write(static: Any) -> bytes:
        try:
            return json.dumps(plain(static)).encode()
        except TypeError as error:
            raise TypeError(
                f"A `{cls.__name__}` cannot be an argument or a result of an exported function, because it "
                f"holds {static!r}. Close over it instead."
            ) from error

    def read(data: bytes) -> Any:
        return restored(_as_tuples(json.loads(bytes(data))))

    with contextlib.suppress(ValueError):
        export.register_pytree_node_serialization(
            cls, serialized_name=name, serialize_auxdata=write, deserialize_auxdata=read
        )


def exported_state(cls: State) -> State:
    """Registers a named tuple of this library with `jax.export`; the first class of a name keeps it."""
    with contextlib.suppress(ValueError):
        export.register_namedtuple_serialization(cls, serialized_name=f"jaxsched.{cls.__name__}")
    return cls


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value

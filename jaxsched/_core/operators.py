"""Python's operators for numbers that are not arrays yet, built from two methods.

A `Clock` stays exact, and an `Entry` stays on the host, for as long as possible. To a formula both look like
numbers, and they become arrays when they have to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from jax import lax

Operator = Callable[[Any, Any], Any]


def _both_ways(operation: Operator) -> tuple[Operator, Operator]:
    """The methods for an operator and for its reflection."""
    return (
        lambda self, other: self._operate(other, operation),
        lambda self, other: self._operate(other, lambda a, b: operation(b, a)),
    )


def _comparison(relation: Operator) -> Operator:
    return lambda self, other: self._compare(other, relation)


class Operators:
    """The base of `Clock` and `Entry`.

    A subclass defines `_operate(other, operation)` and `_compare(other, relation)`; a relation comes from
    `jax.lax`.
    """

    __slots__ = ()
    __array_ufunc__ = None  # NumPy scalars defer to our operators.
    __hash__ = None  # type: ignore[assignment]

    __add__, __radd__ = _both_ways(operator.add)
    __sub__, __rsub__ = _both_ways(operator.sub)
    __mul__, __rmul__ = _both_ways(operator.mul)
    __truediv__, __rtruediv__ = _both_ways(operator.truediv)
    __floordiv__, __rfloordiv__ = _both_ways(operator.floordiv)
    __mod__, __rmod__ = _both_ways(operator.mod)
    __pow__, __rpow__ = _both_ways(operator.pow)

    def __pos__(self) -> Any:
        return self

    __eq__ = _comparison(lax.eq)
    __ne__ = _comparison(lax.ne)
    __lt__ = _comparison(lax.lt)
    __le__ = _comparison(lax.le)
    __gt__ = _comparison(lax.gt)
    __ge__ = _comparison(lax.ge)

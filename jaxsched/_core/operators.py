"""What a number needs that is no array yet: Python's operators, out of two methods.

A `Clock` is exact as long as it can be, and an `Entry` stays on the host as long as it can. Both look like
numbers to a formula, and become arrays where they must.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from jax import lax

Operator = Callable[[Any, Any], Any]


def _both_ways(operation: Operator) -> tuple[Operator, Operator]:
    """The methods for a number on the left of an operator, and on its right."""
    return (
        lambda self, other: self._operate(other, operation),
        lambda self, other: self._operate(other, lambda a, b: operation(b, a)),
    )


def _comparison(relation: Operator) -> Operator:
    return lambda self, other: self._compare(other, relation)


class Operators:
    """A number with every operator.

    A subclass has `_operate(other, operation)`, and `_compare(other, relation)` for a relation of `jax.lax`.
    """

    __slots__ = ()
    __array_ufunc__ = None  # NumPy's numbers leave the operators to us.
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

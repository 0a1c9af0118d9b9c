"""The algebra of schedules.

A `Schedule` is a function of the optimizer step that is also a value: a frozen dataclass whose numbers
are the leaves of a pytree. There are three kinds:

- A *shape* has a formula. Shapes are `Constant` and `Lambda` below, and everything in `jaxsched.shapes`. A
  `Transition` is a shape that goes from one value to another over a number of steps; its class can also be
  the curve of a ramp.
- A *combinator* changes the clock or the value of other schedules. Combinators are `Product` and `Sum`
  below, built by `*` and `+`, and everything in `jaxsched.combinators`.
- A *preset* or a *port* composes shapes and combinators.

Calling a schedule always goes through `evaluate.call`. Inside, schedules call each other's `evaluate`
directly, so there is one clock and one rounding.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from typing import Any, ClassVar, TypeAlias, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxsched._core.clock import Clock
from jaxsched._core.evaluate import batch_shape, call, take
from jaxsched._core.fields import (
    LARGEST,
    Number,
    checked_number,
    describe,
    field,
    is_concrete,
    is_number,
    is_real,
    number,
    numbers,
    optional_number,
)
from jaxsched._core.lookup import as_array
from jaxsched._core.printer import argument, description, expression, numeral
from jaxsched._core.span import MOST, Span
from jaxsched._core.value import Value

ScheduleLike: TypeAlias = "Schedule | Callable[[Any], ArrayLike] | ArrayLike"
"""Anything that can be converted to a schedule: a schedule, a number, or a function of the step."""

registry: dict[str, type[Schedule]] = {}
"""Every concrete schedule class by name, for the text form."""


def part() -> Any:
    """A field that holds one schedule; numbers and callables are converted."""
    return field(as_schedule)


def parts() -> Any:
    """A field that holds a list of schedules, kept as a tuple."""
    return field(as_schedules)


@dataclass_transform(
    frozen_default=True, field_specifiers=(field, number, optional_number, numbers, part, parts)
)
class Schedule(Value, abc.ABC, abstract=True):
    """A learning-rate schedule: a pure function of the optimizer step, and a value.

    Subclass it to write your own shape. Declare the fields and their limits, and write the formula in
    `evaluate`. Checks, `repr`, `jaxsched.parse`, equality, operators, `jit`, `vmap` and gradients then work;
    `jaxsched.testing.check_laws` tests them.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> class Halving(js.Schedule):
    ...     '''`init_value * 2 ** (-t / half_life)`.'''
    ...
    ...     init_value: js.Number = js.number()
    ...     half_life: js.Number = js.number(above=0)
    ...
    ...     def evaluate(self, t):
    ...         return self.init_value * jnp.exp2(-t / self.half_life)
    >>> schedule = 0.5 * Halving(0.4, half_life=100)
    >>> schedule
    0.5 * Halving(0.4, 100)
    >>> schedule(jnp.array([0, 100, 200]))
    Array([0.2 , 0.1 , 0.05], dtype=float32)
    """

    __array_ufunc__ = None  # NumPy scalars defer to us in `0.1 * schedule`.

    _repr_html_: ClassVar[Callable[[Schedule], str | None]]
    """The picture in a notebook. `jaxsched._inspect.plot` sets it, because the core does not import plots."""

    def __init_subclass__(cls, *, abstract: bool = False, **keywords: Any) -> None:
        if not abstract:
            cls._enlist()
        if "evaluate" in cls.__dict__:
            cls.evaluate = _on_any_clock(cls.evaluate)  # type: ignore[method-assign, assignment]
        super().__init_subclass__(abstract=abstract, **keywords)

    @classmethod
    def _enlist(cls) -> None:
        """Adds the class to the registry. Raises `TypeError` if its name or its base class is not allowed."""
        for base in cls.__mro__[1:]:
            if base in registry.values():
                raise TypeError(
                    f"`{base.__name__}` is final: a `{cls.__name__}` can hold one, but not be one."
                )
        taken = registry.get(cls.__name__)
        if taken is not None and _is_ours(taken) and not _is_ours(cls):
            raise TypeError(
                f"jaxsched has a schedule named `{cls.__name__}`; the text form needs another name."
            )
        registry[cls.__name__] = cls

    @abc.abstractmethod
    def evaluate(self: Any, t: Clock) -> Any:
        """The value at time `t`.

        In here, a field is a float if its number is known and an array if it is traced. `-`, `//`, `%` and
        comparisons of `t` are exact; other operations convert it to a float. The same holds for a field that
        is traced as an integer.

        Args:
          t: the time since the schedule's start in steps, a scalar, at least 0. Pass `jnp.asarray(t)` to
            functions of `jax.lax` and `jax.nn`.

        Returns:
          A scalar, finite for every time.
        """

    def __call__(self, step: ArrayLike) -> jax.Array:
        """The rate at `step`.

        Args:
          step: the number of updates already made, 0 at the first update. It is a Python, NumPy or JAX
            number or array of any shape and any integer or floating dtype. It is clipped to at least 0 and
            at most 2**53; integers of JAX are clipped to at most 2**31 - 1. The rate at NaN is NaN.

        Returns:
          An array with the shape of `step`: float32, or float64 in JAX's x64 mode.

        Raises:
          TypeError: `step` is of another type.
          ValueError: an entry of `step` is masked.
        """
        return call(self, step)

    def __repr__(self) -> str:
        try:
            batch = batch_shape(self) if all(map(is_number, jax.tree.leaves(self))) else None
        except ValueError:
            batch = None
        if batch is None:
            return description(self)
        if batch and is_concrete(self):
            return f"stack([{', '.join(map(repr, self._members(batch[0])))}])"
        return self._expression()

    def _expression(self) -> str:
        """The text of a schedule that is not a stack."""
        return expression(self)

    def _member(self, index: int) -> Schedule:
        """One schedule out of a stack."""
        return take(self, index)

    def _members(self, count: int) -> list[Schedule]:
        """The schedules that `jaxsched.stack` builds this stack from."""
        return [take(self, i) for i in range(count)]

    def spans(self, until: float) -> Iterator[Span]:
        """Describes a composition: which part runs when, and on which clock.

        A combinator yields a `Span` for each interval in which a part's clock is affine in its own. `check`,
        `plot` and `show` find its parts and boundaries this way. A shape without boundaries needs none.

        Args:
          until: the step to stop at. Infinity gives all spans, possibly without end.

        Returns:
          An iterator of the spans that begin before `until`, in order of time.
        """
        return iter(())

    def duration(self) -> float | None:
        """The number of steps after which nothing new happens, or `None` if the schedule never ends.

        The default is the latest end of a span, or the longest duration of the parts, or `None` for a shape.
        The numbers of the schedule must be known, as for `spans` and `peak`.
        """
        spans = [*itertools.islice(self.spans(math.inf), MOST + 1)]
        if len(spans) > MOST:
            return None
        lengths = [span.ends() for span in spans] or [part.duration() for part in self._parts()]
        return _maximum(lengths)

    def peak(self) -> float | None:
        """The largest absolute rate among the numbers of the schedule, or `None` if unknown.

        The default is the largest peak of the parts, times the largest factor of the spans. A rate may exceed
        it; `jaxsched.check` then warns.
        """
        highest = _maximum([part.peak() for part in self._parts()])
        if highest is None or batch_shape(self):
            return highest
        spans = itertools.islice(self.spans(math.inf), MOST)
        return highest * max((abs(span.factor) for span in spans if span.part is not None), default=1.0)

    def _spans(self, since: float, until: float) -> Iterator[Span]:
        """The spans that end after `since` and begin before `until`."""
        return (span for span in self.spans(until) if span.until > since)

    def _parts(self) -> Iterator[Schedule]:
        """The schedules in its fields; those of one kind in a list may be stacked."""
        for specifier in dataclasses.fields(self):
            value = getattr(self, specifier.name)
            for each in getattr(value, "groups", value if isinstance(value, tuple) else (value,)):
                if isinstance(each, Schedule):
                    yield each

    def __mul__(self, other: Any) -> Schedule:
        return _combine(Product, self, other)

    def __rmul__(self, other: Any) -> Schedule:
        return _combine(Product, other, self)

    def __add__(self, other: Any) -> Schedule:
        return _combine(Sum, self, other)

    def __radd__(self, other: Any) -> Schedule:
        return _combine(Sum, other, self)

    def __neg__(self) -> Schedule:
        return -1.0 * self

    def __sub__(self, other: Any) -> Schedule:
        return self + -other

    def __rsub__(self, other: Any) -> Schedule:
        return other + -self


def _on_any_clock(evaluate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Lets `evaluate` accept a plain number as time, as combinators outside of jaxsched pass it."""

    @functools.wraps(evaluate)
    def on_clock(self: Any, t: Any) -> Any:
        return evaluate(self, t if isinstance(t, Clock) else Clock.of(t))

    return on_clock


def _maximum(values: Sequence[float | None]) -> float | None:
    """The largest number, or `None` if there are none or one is unknown."""
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def largest(*values: Any) -> float:
    """The largest absolute value among numbers and lists of numbers."""
    return max(float(np.max(np.abs(np.asarray(value, np.float64)))) for value in values)


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def as_schedule(name: str, value: Any) -> Schedule:
    """`value` as a schedule: itself, a number as `Constant`, a callable as `Lambda`.

    Raises:
      TypeError: it is none of these; the message calls it `name`.
      ValueError: it is a stack of schedules.
    """
    if isinstance(value, Schedule):
        if batch := batch_shape(value):
            raise ValueError(
                f"`{name}` must be one schedule, got a stack of {batch[0]}; stack the outer schedules."
            )
        return value
    if callable(value) and not isinstance(value, type):
        return Lambda(value)
    hint = "; use `jaxsched.parse` for text" if isinstance(value, str) else ""
    try:
        return Constant(checked_number(name, value))
    except TypeError:
        raise TypeError(
            f"`{name}` must be a schedule, a number or a callable, got {describe(value)}{hint}."
        ) from None


def as_schedules(name: str, value: Any) -> tuple[Schedule, ...]:
    """Applies `as_schedule` to each item of a list.

    Raises:
      TypeError: it is not a list, or `as_schedule` refuses an item.
      ValueError: it is empty, or an item is a stack of schedules.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"`{name}` must be a list of schedules, got {describe(value)}.")
    if not value:
        raise ValueError(f"`{name}` must have at least one schedule, got none.")
    return tuple(as_schedule(f"{name}[{i}]", item) for i, item in enumerate(value))


def is_schedule(value: Any) -> bool:
    """Whether `value` is a schedule: an `is_leaf` that keeps schedules whole.

    A schedule is a pytree, so without it `jax.tree.map` over a config maps over the numbers of its schedules.

    >>> import jax
    >>> import jaxsched as js
    >>> config = {"rate": js.Linear(0.3, 0.0, 10), "decay": 0.1}
    >>> jax.tree.map(lambda each: each(5) if js.is_schedule(each) else each, config, is_leaf=js.is_schedule)
    {'decay': 0.1, 'rate': Array(0.15, dtype=float32)}

    Args:
      value: anything.
    """
    return isinstance(value, Schedule)


Tree = TypeVar("Tree")


def as_arrays(tree: Tree) -> Tree:
    """A schedule with JAX arrays as its numbers, for libraries that treat Python numbers as structure.

    Equinox's `filter_jit` traces only arrays and compiles again for every new Python number, and its
    `filter_grad` gives `None` for it. A schedule of arrays compiles once and has gradients. So does a
    plateau's rule.

    >>> import jax
    >>> import jaxsched as js
    >>> jax.tree.leaves(js.as_arrays(js.Linear(0.3, 0.0, 10)))
    [Array(0.3, dtype=float32), Array(0., dtype=float32), Array(10., dtype=float32)]

    Args:
      tree: a schedule or a plateau, or a tree that holds some, such as a module with one in a field.

    Returns:
      The same tree, in which the numbers of schedules and plateaus are arrays: float32, or float64 in JAX's
      x64 mode. They are rounded like those of a schedule that is an argument of `jax.jit`.
    """

    def is_ours(node: Any) -> bool:
        return isinstance(node, Value)

    def converted(node: Any) -> Any:
        if not is_ours(node):
            return node
        dtype = jnp.zeros(()).dtype
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), node)

    return jax.tree.map(converted, tree, is_leaf=is_ours)


class Constant(Schedule):
    r"""The same rate at every step.

    $$f(t) = \text{value}$$

    | step            | 0   | 9   | 10  | 11  |
    |-----------------|-----|-----|-----|-----|
    | `Constant(0.3)` | 0.3 | 0.3 | 0.3 | 0.3 |

    >>> import jaxsched as js
    >>> js.Constant(0.3)(1000)
    Array(0.3, dtype=float32)

    Args:
      value: the rate.

    Raises:
      TypeError: `value` is not a number.
      ValueError: `value` is not finite.
    """

    value: Number = number()

    def evaluate(self: Any, t: Clock) -> Any:
        return self.value

    def duration(self) -> float:
        return 0.0

    def peak(self) -> float:
        return largest(self.value)

    def _argument(self) -> str:
        return numeral(self.value)


class Lambda(Schedule):
    r"""Any function of the step.

    $$f(t) = \text{fn}(t)$$

    It compares by the identity of `fn` and has no text form. `fn` gets a float64 step, or a float32 step on
    a platform without float64. The rate is as accurate as `fn`.

    | step                              | 0   | 9    | 10      | 11    |
    |-----------------------------------|-----|------|---------|-------|
    | `Lambda(lambda t: 0.3 / (1 + t))` | 0.3 | 0.03 | 0.02727 | 0.025 |

    >>> import jaxsched as js
    >>> js.Lambda(lambda step: 0.3 / (1 + step))(2)
    Array(0.1, dtype=float32)

    Args:
      fn: maps the step, a floating scalar, to a scalar. It is traced, so write it with `jax.numpy`. If it
        branches on its step or indexes a list with it, use `jaxsched.table`.

    Raises:
      TypeError: `fn` is not callable, does not return a scalar, or branches on its step.
    """

    fn: Callable[[Any], Any]

    def check(self) -> None:
        if not callable(self.fn):
            raise TypeError(f"`fn` must be callable, got {describe(self.fn)}.")
        jax.eval_shape(self._value, jax.ShapeDtypeStruct((), np.float32))

    def evaluate(self: Any, t: Clock) -> Any:
        return self._value(t.number)

    def _expression(self) -> str:
        # `parse` reads no function, and a schedule in its place must not look as if it did.
        return f"Lambda(<{self.fn!r}>)" if isinstance(self.fn, Value) else super()._expression()

    def _value(self, step: jax.Array) -> jax.Array:
        try:
            value = self.fn(step)
        except TypeError as error:
            raise TypeError(
                "`fn` must be written with `jax.numpy`: its step is traced, so it cannot branch on it, index "
                "a list with it or convert it to a Python number. Use `jnp.where`, or "
                "`jaxsched.table(fn, steps)`, which calls `fn` once for each step."
            ) from error
        if not _is_scalar(value):
            raise TypeError(f"`fn` must return a scalar, got {value!r}.")
        return jnp.asarray(value, step.dtype)


def _is_scalar(value: Any) -> bool:
    """Whether a function may return it as a rate. A flag is 0 or 1; a time or a masked entry is no rate."""
    if not jax.tree_util.all_leaves([value]) or isinstance(value, str | bytes | complex):
        return False
    dtype = getattr(value, "dtype", np.bool)
    return np.shape(value) == () and (dtype == np.bool or is_real(dtype)) and not np.ma.is_masked(value)


class Product(Schedule):
    """The product of schedules on one clock, built by `a * b`."""

    schedules: Sequence[ScheduleLike] = parts()

    def evaluate(self: Any, t: Clock) -> Any:
        if t.dtype != np.float32:
            return _fold(operator.mul, self.schedules, t)
        peak = self.peak() if is_concrete(*jax.tree.leaves(self)) else None
        overflows = peak is not None and is_concrete(peak) and peak > LARGEST

        def product(a: Any, b: Any) -> Any:
            # XLA multiplies known factors first, and their product may overflow float32.
            if overflows or (isinstance(a, float) and abs(a) > 1):
                b = limited(b, t.dtype)
            if overflows or (isinstance(b, float) and abs(b) > 1):
                a = limited(a, t.dtype)
            return a * b

        return _fold(product, self.schedules, t)

    def spans(self, until: float) -> Iterator[Span]:
        return (Span(each, 0.0) for each in self.schedules)

    def peak(self: Any) -> float | None:
        peaks = [each.peak() for each in self.schedules]
        return None if None in peaks else math.prod(peaks)

    @property
    def _negates(self) -> bool:
        """Whether it is the negative of a schedule, as `-` builds it."""
        first, second = self.schedules[:2]
        if not isinstance(first, Constant) or isinstance(second, Constant):
            return False
        return is_concrete(first) and bool(first.value == -1)

    def _expression(self) -> str:
        negates = self._negates
        factors = [*self.schedules[1 if negates else 0 :]]
        texts = [f"({each!r})" if isinstance(each, Sum) else argument(each) for each in factors]
        return ("-" if negates else "") + " * ".join(_spelled_out(factors, texts))


class Sum(Schedule):
    """The sum of schedules on one clock, built by `a + b`."""

    schedules: Sequence[ScheduleLike] = parts()

    def evaluate(self: Any, t: Clock) -> Any:
        return _fold(operator.add, self.schedules, t)

    def spans(self, until: float) -> Iterator[Span]:
        return (Span(each, 0.0) for each in self.schedules)

    def peak(self: Any) -> float | None:
        # Terms that move usually take turns; constants add to them.
        constant = sum(each.peak() for each in self.schedules if isinstance(each, Constant))
        moving = [each.peak() for each in self.schedules if not isinstance(each, Constant)]
        highest = _maximum(moving) if moving else 0.0
        return None if highest is None else constant + highest

    def _expression(self) -> str:
        terms = [*self.schedules]
        texts = _spelled_out(terms, [argument(each) for each in terms])
        for i, term in enumerate(terms[1:], start=1):
            negative = isinstance(term, Constant) or (isinstance(term, Product) and term._negates)
            texts[i] = f"- {texts[i][1:]}" if negative and texts[i].startswith("-") else f"+ {texts[i]}"
        return " ".join(texts)


def _spelled_out(operands: Sequence[Any], texts: list[str]) -> list[str]:
    """`texts`, with the first one spelled out if two bare numbers in front would be read as one."""
    if len(operands) > 1 and all(isinstance(each, Constant) for each in operands[:2]):
        return [f"Constant({texts[0]})", *texts[1:]]
    return texts


def _combine(kind: type[Product] | type[Sum], *operands: Any) -> Any:
    """The `Product` or `Sum` of the operands; nested ones of the same kind are flattened."""
    known = Schedule | Real | jax.Array | np.ndarray | np.generic
    if not all(isinstance(operand, known) for operand in operands):
        return NotImplemented
    for operand in operands:
        if not isinstance(operand, Schedule) and np.ndim(operand):
            raise TypeError(
                f"A schedule is added to and multiplied by schedules and numbers, got an array of shape "
                f"{np.shape(operand)}. If you gave it to a function that wants a number, call it with a step "
                "first, or use `optax.inject_hyperparams`."
            )
    return combined(kind, [as_schedule("operand", operand) for operand in operands])


def combined(kind: type[Product] | type[Sum], schedules: Sequence[Schedule]) -> Schedule:
    """The `Product` or `Sum` of two or more schedules; nested ones of the same kind are flattened."""
    return kind(
        tuple(
            part
            for schedule in schedules
            for part in (schedule.schedules if isinstance(schedule, kind) else (schedule,))
        )
    )


def _fold(operation: Callable[[Any, Any], Any], schedules: tuple[Schedule, ...], t: Clock) -> Any:
    """Combines values pairwise, limited to float32, so that infinity is never multiplied by 0."""
    values = [schedule.evaluate(t) for schedule in schedules]
    return functools.reduce(lambda a, b: limited(operation(a, b), t.dtype), values)


def limited(value: Any, dtype: Any) -> Any:
    """`value`, clipped to the range of float32."""
    if isinstance(value, float):
        return max(-LARGEST, min(value, LARGEST))
    largest = np.dtype(dtype).type(LARGEST)
    return lax.clamp(-largest, as_array(value, dtype), largest)

"""Transitions: shapes from one value to another. Their classes are also the curves of ramps.

A transition defines its `weights`, and `evaluate` turns them into a rate with exact ends. An `Easing` is a
transition without ends yet; it is built from a `shape=` argument, a class or a `functools.partial` of one.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from jaxsched._core.clock import Clock
from jaxsched._core.evaluate import fields_in
from jaxsched._core.exported import register_for_export
from jaxsched._core.fields import Field, Number, brief, field_of, is_concrete, is_known
from jaxsched._core.lookup import Entry, as_array, safe_divide
from jaxsched._core.printer import argument, field_text
from jaxsched._core.schedule import Schedule, largest, registry

ENDS = ("init_value", "end_value", "transition_steps")


class Transition(Schedule, abstract=True):
    """A shape that goes from `init_value` to `end_value` over `transition_steps`, and stays there.

    Its first three fields have these names. `weights` defines the path between the two ends, which are exact.
    """

    init_value: Number
    end_value: Number
    transition_steps: Number

    @abc.abstractmethod
    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        """The weights of the start and the end in the value: $w$ and $1 - w$.

        Args:
          elapsed: the fraction of the length that has passed, a float from 0 to 1.
          left: `1 - elapsed`, computed without cancellation. For a length of 0, both are 0.

        Returns:
          Both weights, each written without cancellation. They are not used at the ends, but they and their
          gradients must be finite there.
        """

    def duration(self: Any) -> float:
        return float(self.transition_steps)

    def peak(self: Any) -> float:
        return largest(self.init_value, self.end_value)

    def on_the_way(self: Any, passed: Clock, remaining: Clock) -> Any:
        """The value between the ends: their weighted mean."""
        steps = self.transition_steps
        start, end = self.weights(_fraction(passed, steps), _fraction(remaining, steps))
        return weighted_mean(self.init_value, self.end_value, start, end)

    @property
    def symmetric(self) -> bool:
        """Whether both weights are the same function, of `left` and of `elapsed`, and exactly 0 at 0.

        This halves the operations between known ends. It is an optional optimization.
        """
        return False

    def evaluate(self: Any, t: Clock) -> Any:
        init, end, steps = self.init_value, self.end_value, self.transition_steps
        if is_known(steps, 0.0) or (isinstance(init, float) and is_known(end, init)):
            return end
        passed, remaining, ended = t.within(steps)
        if self.symmetric and isinstance(steps, float | Entry) and (known := _sorted(init, end)):
            # The smaller end, exact, plus the distance from it.
            small, large, falls = known
            if isinstance(falls, bool):
                away = remaining if falls else passed
            else:
                away = passed.select(falls, remaining, passed)
            fraction = _fraction(away, steps)
            value = as_array(small + (large - small) * self.weights(fraction, fraction)[0], t.dtype)
            return lax.select(away >= steps, as_array(large, t.dtype), value)
        value = as_array(self.on_the_way(passed, remaining), t.dtype)
        if not (self.symmetric and is_known(init, 0.0)):  # A product with a weight of 0 is exact.
            value = lax.select(t > 0, value, as_array(init, t.dtype))
        return lax.select(ended, as_array(end, t.dtype), value)


def _fraction(time: Clock, steps: Any) -> Any:
    """`time` as a fraction of a length."""
    fraction = safe_divide(time.number, steps)
    # XLA multiplies known factors first, and 1 / steps times a large end may overflow.
    return jnp.minimum(fraction, 1) if isinstance(steps, float) and steps < 1 else fraction


def weighted_mean(init: Any, end: Any, start_weight: Any, end_weight: Any) -> Any:
    """`init * start_weight + end * end_weight`, for weights whose sum is 1.

    For known ends of one sign, only the weight of the larger end is used, with one rounding less.
    """
    if is_known(end, 0.0):
        return init * start_weight
    if is_known(init, 0.0):
        return end * end_weight
    if isinstance(init, float) and (known := _sorted(init, end)):
        small, large, falls = known
        return small + (large - small) * (start_weight if falls else end_weight)
    return init * start_weight + end * end_weight


def _sorted(init: Any, end: Any) -> tuple[Any, Any, Any] | None:
    """Known ends of one sign, the smaller first, and whether that is `end`; `None` for other ends."""
    if isinstance(init, Entry) and isinstance(end, Entry):
        return init.sorted(end) if (init.values * end.values >= 0).all() else None
    if isinstance(init, float) and isinstance(end, float) and init * end >= 0:
        return (end, init, True) if abs(init) >= abs(end) else (init, end, False)
    return None


@jax.tree_util.register_pytree_node_class
class Easing:
    """A transition without its ends: a class and keyword arguments.

    Combinators keep their `shape` in this form. Its numbers are leaves, and it compares and prints by value.
    """

    def __init__(self, cls: type[Transition], keywords: dict[str, Any]) -> None:
        self.cls = cls
        self.keywords = keywords

    @property
    def _fields(self) -> dict[str, Field]:
        if not self.keywords:
            return {}  # Every eager call asks for them.
        fields = {specifier.name: field_of(specifier) for specifier in dataclasses.fields(self.cls)}
        return {name: fields[name] for name in self.keywords}

    def tree_flatten(self) -> tuple[list[Any], Any]:
        static = {name: self.keywords[name] for name, each in self._fields.items() if each.static}
        children = [each for name, each in self.keywords.items() if name not in static]
        return children, (self.cls, tuple(self.keywords), tuple(static.items()))

    @classmethod
    def tree_unflatten(cls, structure: Any, children: Any) -> Easing:
        shape, names, static = structure
        known, rest = dict(static), iter(children)
        return cls(shape, {name: known[name] if name in known else next(rest) for name in names})

    def leaf_fields(self) -> list[Field]:
        """The field of each leaf."""
        return [
            each for name, field in self._fields.items() for each in fields_in(field, self.keywords[name])
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Easing) and (self.cls, self.keywords) == (other.cls, other.keywords)

    def __hash__(self) -> int:
        return hash((self.cls, *self.keywords))

    def _argument(self) -> str:
        if not self.keywords:
            return self.cls.__name__
        texts = {name: field_text(each, self.keywords[name], argument) for name, each in self._fields.items()}
        keywords = ", ".join(f"{name}={text}" for name, text in texts.items())
        return f"partial({self.cls.__name__}, {keywords})"

    def between(self, init_value: Any, end_value: Any, steps: Any) -> Transition:
        """The transition between two values, for evaluation."""
        transition = object.__new__(self.cls)
        for specifier in dataclasses.fields(self.cls):
            if specifier.default is not dataclasses.MISSING:
                kept = field_of(specifier).convert(specifier.name, specifier.default)
                transition.__dict__[specifier.name] = kept
        transition.__dict__.update(zip(ENDS, (init_value, end_value, steps), strict=True), **self.keywords)
        return transition

    def check_ends(self, init_value: Any, end_value: Any) -> None:
        """Raises the errors of the transition's constructor for these two values."""
        if is_concrete(self, init_value, end_value):
            self.cls(init_value, end_value, 1, **self.keywords)

    @property
    def cares_for_ends(self) -> bool:
        """Whether the transition refuses some pairs of values."""
        return self.cls.check is not Schedule.check


def _easing_in_json(structure: Any) -> Any:
    cls, *rest = structure
    return [cls.__name__, *rest]


def _easing_from_json(structure: Any) -> Any:
    name, *rest = structure
    return (registry[name], *rest)


register_for_export(Easing, "jaxsched.Easing", _easing_in_json, _easing_from_json)

EasingLike: TypeAlias = "type[Transition] | functools.partial[Any] | Easing"
"""A curve: a transition's class, or a `functools.partial` of one with keyword arguments."""


def as_easing(name: str, value: EasingLike) -> Easing:
    """`value` as an `Easing`.

    Raises:
      TypeError: it is not a transition's class, or it binds positional arguments, an end or an
        unknown keyword.
      ValueError: the value of a keyword argument is not allowed.
    """
    if isinstance(value, Easing):
        return value
    cls: Any = value
    keywords: dict[str, Any] = {}
    if isinstance(value, functools.partial):
        cls, keywords = value.func, dict(value.keywords)
        if value.args:
            raise TypeError(f"`{name}` must bind its arguments by keyword, got {brief(value)}.")
    if not isinstance(cls, type) or not issubclass(cls, Transition):
        raise TypeError(
            f"`{name}` must be a transition class, such as `Linear` or "
            f"`functools.partial(Polynomial, power=2)`, got {brief(value)}."
        )
    if bound := [end for end in ENDS if end in keywords]:
        raise TypeError(f"`{name}` must leave `{bound[0]}` open, got {brief(value)}.")
    probe = cls(1.0, 0.5, 1.0, **keywords)
    return Easing(cls, {key: getattr(probe, key) for key in keywords})

"""Transitions: shapes from one value to another, whose class is the curve of a ramp."""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any, TypeAlias

import jax

from jaxsched import _wide as wide
from jaxsched._clock import Clock
from jaxsched._fields import Number, brief, is_concrete
from jaxsched._schedule import Schedule
from jaxsched._wide import Wide

ENDS = ("init_value", "end_value", "transition_steps")


class Transition(Schedule, abstract=True):
    """A shape that goes from `init_value` to `end_value` over `transition_steps`, and stays there.

    Its first three fields have these names. It says how it gets from one to the other in `curve`; the
    two ends are exact and need no care there.
    """

    init_value: Number
    end_value: Number
    transition_steps: Number

    @abc.abstractmethod
    def curve(self: Any, elapsed: Wide, left: Wide) -> Any:
        """The value where a fraction `elapsed` of the way has passed and `left = 1 - elapsed` is left.

        Both are exact in relative error, so that neither end needs a difference. At the ends the
        result is not used, but it and its gradient must be finite.
        """

    def evaluate(self: Any, clock: Clock) -> Any:
        elapsed, left = clock.fractions(self.transition_steps)
        begun = wide.where(elapsed > 0.0, wide.lift(self.curve(elapsed, left)), self.init_value)
        return wide.where(left > 0.0, begun, self.end_value)


@jax.tree_util.register_pytree_node_class
class Easing:
    """A transition without its ends: a class and the keywords that shape it.

    Combinators keep what they are given as `shape` in this form, so that its numbers are leaves and it
    compares and prints by value.
    """

    def __init__(self, cls: type[Transition], keywords: dict[str, Any]) -> None:
        self.cls = cls
        self.keywords = keywords

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        return tuple(self.keywords.values()), (self.cls, tuple(self.keywords))

    @classmethod
    def tree_unflatten(cls, static: Any, children: tuple[Any, ...]) -> Easing:
        shape, names = static
        return cls(shape, dict(zip(names, children, strict=True)))

    def leaf_ranks(self) -> list[int]:
        return [0] * len(self.keywords)

    def between(self, init_value: Number, end_value: Number, steps: Wide) -> Transition:
        """The transition between two values, for evaluation."""
        transition = object.__new__(self.cls)
        for specifier in dataclasses.fields(self.cls):
            default = specifier.default
            if default is not dataclasses.MISSING:
                transition.__dict__[specifier.name] = steps.like(default)
        ends = (wide.lift(init_value), wide.lift(end_value), steps)
        transition.__dict__.update(zip(ENDS, ends, strict=True), **self.keywords)
        return transition

    def check(self, init_value: Any, end_value: Any) -> None:
        """Raises what the transition's own constructor raises between these two values."""
        if is_concrete(self, init_value, end_value):
            self.cls(init_value, end_value, 1, **self.keywords)

    @property
    def cares_for_ends(self) -> bool:
        """Whether not every pair of values will do."""
        return self.cls.check is not Schedule.check


EasingLike: TypeAlias = "type[Transition] | functools.partial[Any] | Easing"
"""What passes for a curve: a transition's class, or a `functools.partial` of one with keywords."""


def as_easing(name: str, value: EasingLike) -> Easing:
    """`value` as an `Easing`.

    Raises:
      TypeError: it is no transition's class, or binds more than the keywords that shape it.
      ValueError: a keyword's value is not allowed.
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
            f"`{name}` must be a transition's class, as `Linear` or "
            f"`functools.partial(Polynomial, power=2)`, got {brief(value)}."
        )
    if bound := [end for end in ENDS if end in keywords]:
        raise TypeError(f"`{name}` must leave `{bound[0]}` open, got {brief(value)}.")
    probe = cls(1.0, 0.5, 1.0, **keywords)
    return Easing(cls, {key: getattr(probe, key) for key in keywords})

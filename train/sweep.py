"""A grid of schedules: one schedule with some of its numbers varied. Read `train.branches` next."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxsched as js


class Over(NamedTuple):
    """A number of a schedule and the values to give it.

    Attributes:
      name: a field, such as `init_value`, or the end of a path, such as `schedule.init_value`. With a leading
        dot, a whole path, such as `.init_value`.
      values: the values, in the order of the grid.
    """

    name: str
    values: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> Over:
        """Parses `name=low:high:count`, or `name=low:high:count:log` for geometric spacing.

        Raises:
          ValueError: the text has another form, or its numbers are invalid.
        """
        name, equals, span = text.partition("=")
        low, high, count, *scale = [*span.split(":"), *("",) * 3]
        scale = [each for each in scale if each]
        if not (name and equals and low and high and count and scale in ([], ["log"])):
            raise ValueError(f"`{text}` must be NAME=LOW:HIGH:COUNT or NAME=LOW:HIGH:COUNT:log.")
        try:
            first, last, number = float(low), float(high), int(count)
        except ValueError:
            raise ValueError(f"`{text}` must have two numbers and an integer after `=`.") from None
        if not (np.isfinite([first, last]).all() and number >= 1):
            raise ValueError(f"`{text}` must have finite ends and at least 1 value.")
        if scale and not (first > 0 and last > 0):
            raise ValueError(f"`{text}` must have ends above 0, because of `log`.")
        space = np.geomspace if scale else np.linspace
        # To twelve digits: the value between 0.05 and 0.8 is 0.2, not 0.19999999999999998.
        return cls(name, tuple(float(f"{value:.12g}") for value in space(first, last, number)))


def grid(schedule: js.Schedule, overs: Sequence[Over]) -> dict[str, js.Schedule]:
    """Every combination of the values, by its name.

    Raises:
      ValueError: a name matches no number of the schedule or several, or the schedule refuses a value.
    """
    places = [_place(schedule, over.name) for over in overs]
    if len(set(places)) < len(places):
        raise ValueError(
            f"Each number can be varied only once, got {', '.join(over.name for over in overs)}."
        )
    leaves, structure = jax.tree.flatten(schedule)
    members = {}
    for values in itertools.product(*(over.values for over in overs)):
        changed: list[Any] = list(leaves)
        for place, value in zip(places, values, strict=True):
            changed[place] = value
        name = ", ".join(f"{over.name}={value:.12g}" for over, value in zip(overs, values, strict=True))
        # Parsing the text calls the constructors, which check the values.
        members[name] = js.parse(repr(jax.tree.unflatten(structure, changed)))
    return members


def _place(schedule: js.Schedule, name: str) -> int:
    """The index of a number among the leaves of a schedule."""
    paths = {
        f".{jax.tree_util.keystr(path, simple=True, separator='.')}": (i, leaf)
        for i, (path, leaf) in enumerate(jax.tree.leaves_with_path(schedule))
    }
    numbers = {path: i for path, (i, leaf) in paths.items() if np.ndim(leaf) == 0}
    whole = name.startswith(".")
    found = [path for path in numbers if path == name or (not whole and path.endswith(f".{name}"))]
    if len(found) != 1:
        known = ", ".join(f"`{path}`" for path in (found or numbers)) or "only lists"
        many = "several numbers" if found else "no number"
        raise ValueError(f"`{schedule!r}` has {many} named `{name}`; it has {known}.")
    return numbers[found[0]]

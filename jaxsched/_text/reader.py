"""Reads an expression that builds a schedule: names, calls, lists, numbers and arithmetic.

A reader goes through the text once and builds what it says as soon as it has been said, so that each
mistake is found where it stands. It does without `ast.parse`, whose tree takes half a kilobyte for each
character of a list of numbers, and whose limits and messages change with Python's version.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax

from jaxsched._core.grouping import Parts, kind_of
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import ENDS, Transition, as_easing
from jaxsched._core.value import Value

DEEPEST_BRACKETS = 64
"""`parse` reads brackets nested no deeper than this."""

DEEPEST_SCHEDULE = 16
"""`parse` builds schedules nested no deeper than this.

What XLA makes of them may take time exponential in it: a call of 18 nested `reflect` took 0.04 s, one of 20
more than a minute.
"""

LARGEST_PROGRAM = 1000
"""`parse` builds no more kinds of schedules than have together so many nodes as pytrees.

What is compiled grows with it; the parts of a `join` or `stack` that are of one kind count once.
"""

CONSTANTS = {"None": None, "True": True, "False": False}

OPERATORS: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
}
"""How tightly each operator binds, and what it does."""

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?(?![\w.]))
    | (?P<keyword>[^\W\d]\w*)\s*=(?!=)
    | (?P<name>[^\W\d]\w*)
    | (?P<string>'(?:PLAIN|"|ESCAPE){0,1000}'|"(?:PLAIN|'|ESCAPE){0,1000}")
    | (?P<sign>[-+,()\[\]]|\*(?!\*)|/(?!/))
    | (?P<comment>\#[^\n]*)
    | (?P<end>\Z)
    )""".replace("PLAIN", r"[^\\'\"\x00-\x1f\ud800-\udfff]").replace(
        "ESCAPE", r"\\(?:[\\'nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})"
    ),
    re.VERBOSE,
)
"""What a text is made of. A string, which only a field of your own can hold, is as `repr` writes it."""


class Reader:
    """Reads a text from left to right.

    Attributes:
      text: the text.
      names: what it can call, classes and functions by name.
      kind: what the next token is, a group of `TOKEN`.
      token: the next token.
      start: where it begins.
    """

    kind: str
    token: str
    start: int

    def __init__(self, text: str, names: Mapping[str, Callable[..., Any]]) -> None:
        self.text = text
        self.names = names
        self._stop = 0
        self._brackets = 0
        self._kinds: set[Any] = set()
        self._nodes = 0
        self.advance()

    def schedule(self) -> Schedule:
        """What the whole text says."""
        start = self.start
        value = self.expression()
        if self.kind != "end":
            raise self.error(self.start, "Expected `+`, `-`, `*`, `/` or the end.")
        if isinstance(value, type):
            raise self.error(start, _needs_arguments(value))
        if isinstance(value, float | int) and not isinstance(value, bool):
            value = self.build(start, {}, Constant, value)
        if not isinstance(value, Schedule):
            raise self.error(start, "This is no schedule.")
        self.build(start, {}, self.weigh, value)
        return value

    def advance(self) -> None:
        """Goes on to the next token."""
        self.kind = "comment"
        while self.kind == "comment":
            match = TOKEN.match(self.text, self._stop)
            if match is None:
                place = len(self.text) - len(self.text[self._stop :].lstrip())
                raise self.error(place, "This is not part of a schedule's text.")
            self.kind = str(match.lastgroup)
            self.token, self.start, self._stop = match[self.kind], match.start(self.kind), match.end()

    def expression(self, tightness: int = 0) -> Any:
        """Operands, between operators that bind more tightly than that."""
        start = self.start
        value = self.operand()
        while self.token in OPERATORS and OPERATORS[self.token][0] > tightness:
            place, (own, operation) = self.start, OPERATORS[self.token]
            left = self.arithmetic(start, value)
            self.advance()
            following = self.start
            right = self.arithmetic(following, self.expression(own))
            value = self.combine(place, operation, left, right)
        return value

    def operand(self) -> Any:
        """What stands between two operators, with any signs in front."""
        start, signs = self.start, 0
        while self.token == "-":
            signs += 1
            self.advance()
        place = self.start
        value = self.atom()
        if signs:
            value = self.arithmetic(place, value)
            for _ in range(signs if isinstance(value, Schedule) else signs % 2):
                value = self.combine(start, operator.mul, -1.0, value)
        return value

    def atom(self) -> Any:
        """A number, string, name, call, list or something in parentheses."""
        kind, token, start = self.kind, self.token, self.start
        if token == "[":
            return [self.expression() for _ in self.items("]")]
        if token == "(":
            return self.group()
        if kind not in ("number", "string", "name"):
            raise self.error(start, "Expected a schedule, a number or a list.")
        self.advance()
        if kind == "number":
            return self.number(start, token)
        if kind == "string":
            return ast.literal_eval(token)
        if self.token == "(":
            return self.partial(start) if token == "partial" else self.call(start, token)
        return CONSTANTS[token] if token in CONSTANTS else self.shape(start, token)

    def number(self, place: int, token: str) -> float:
        """A number; an integer beyond all floats is one of them, the infinite one."""
        try:
            return int(token) if len(token) < 300 and token.replace("_", "").isdecimal() else float(token)
        except ValueError:
            raise self.error(place, f"`{_cut(token)}` is no number.") from None

    def items(self, closing: str) -> Iterator[int]:
        """Goes through the brackets that begin here, and stops where each item begins for it to be read."""
        opening, bracket = self.start, self.token
        self._brackets += 1
        if self._brackets > DEEPEST_BRACKETS:
            raise self.error(opening, f"Brackets must be nested at most {DEEPEST_BRACKETS} deep.")
        self.advance()
        while self.token != closing:
            if self.kind == "end":
                raise self.error(opening, f"`{bracket}` was never closed.")
            yield self.start
            if self.token == ",":
                self.advance()
            elif self.token != closing and self.kind != "end":
                raise self.error(self.start, f"Expected `,` or `{closing}`.")
        self.advance()
        self._brackets -= 1

    def group(self) -> Any:
        """What stands in parentheses; with a comma among it, a tuple."""
        read, comma = [], False
        for _ in self.items(")"):
            read.append(self.expression())
            comma = self.token == ","
        return tuple(read) if comma or len(read) != 1 else read[0]

    def shape(self, place: int, name: str) -> type[Transition]:
        """A name without arguments: the class of a transition."""
        shapes = {
            each: value
            for each, value in self.names.items()
            if isinstance(value, type) and issubclass(value, Transition)
        }
        if name in shapes:
            return shapes[name]
        if name in self.names:
            raise self.error(place, _needs_arguments(self.names[name]))
        raise self.error(place, f"Unknown shape `{_cut(name)}`{_nearest(name, shapes)}")

    def call(self, place: int, name: str) -> Any:
        """What a class or a function gives for its arguments."""
        if name not in self.names:
            raise self.error(place, f"Unknown schedule `{_cut(name)}`{_nearest(name, self.names)}")
        function = self.names[name]
        parameters = _parameters(function)
        arguments, places = self.arguments(name, parameters, self.items(")"))
        if missing := [each for each in _required(function) if each not in arguments]:
            raise self.error(place, f"`{name}` is missing `{'`, `'.join(missing)}`.")
        value = self.build(place, places, function, **arguments)
        self.build(place, {}, self.weigh, value)
        return value

    def partial(self, place: int) -> functools.partial[Transition]:
        """`partial(Shape, keyword=number)`."""
        items = self.items(")")
        start = next(items, place)
        cls = self.expression() if start != place else None
        if not isinstance(cls, type):
            raise self.error(start, "`partial` takes the name of a shape first.")
        parameters = {
            name: parameter.replace(kind=parameter.KEYWORD_ONLY)
            for name, parameter in _parameters(cls).items()
            if name not in ENDS
        }
        keywords, places = self.arguments(f"partial({cls.__name__})", parameters, items)
        shape = functools.partial(cls, **keywords)
        self.build(place, places, as_easing, "shape", shape)
        return shape

    def arguments(
        self, callee: str, parameters: Mapping[str, inspect.Parameter], items: Iterable[int]
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """The arguments of a call by name, and where each begins."""
        positional = [
            name
            for name, parameter in parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        values: dict[str, Any] = {}
        places: dict[str, int] = {}
        named = False
        for start in items:
            if self.kind == "keyword":
                named, name = True, self.token
                if name not in parameters:
                    near = _nearest(name, parameters)
                    raise self.error(start, f"`{callee}` has no argument `{_cut(name)}`{near}")
                if name in values:
                    raise self.error(start, f"`{callee}` has two values for `{name}`.")
                self.advance()
            elif named:
                raise self.error(start, "An argument without a name must come before those with one.")
            elif len(values) == len(positional):
                after = f" after `{positional[-1]}`" if positional else ""
                raise self.error(start, f"`{callee}` takes no argument without a name{after}.")
            else:
                name = positional[len(values)]
            places[name] = self.start
            values[name] = self.expression()
        return values, places

    def arithmetic(self, place: int, value: Any) -> Any:
        """A schedule, or a number as a float, which arithmetic cannot make arbitrarily long."""
        if isinstance(value, Schedule | float):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, type):
            raise self.error(place, _needs_arguments(value))
        raise self.error(place, "`+`, `-`, `*` and `/` stand between numbers and schedules.")

    def combine(self, place: int, operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """What an operator makes of two numbers or schedules."""
        if operation is operator.truediv:
            if isinstance(left, Schedule) or isinstance(right, Schedule):
                raise self.error(place, "`/` divides numbers; multiply the schedule by `1 / number` instead.")
            if right == 0:
                raise self.error(place, "Division by zero.")
        value = self.build(place, {}, operation, left, right)
        if isinstance(value, Schedule):
            nodes: Any = jax.tree.structure(value)
            self.build(place, {}, _check_size, nodes.num_nodes)
        return value

    def build(
        self, place: int, places: dict[str, int], function: Callable[..., Any], /, *args: Any, **keywords: Any
    ) -> Any:
        """The result of `function`; its errors point at the argument that they name, or at `place`."""
        try:
            return function(*args, **keywords)
        except (RecursionError, MemoryError):
            raise
        except Exception as error:
            named = re.match(r"`(\w+)(?:\[(\d+)\])?", str(error))
            if named and named[1] in places:
                place = self.item(places[named[1]], int(named[2] or 0)) if named[2] else places[named[1]]
            raise self.error(place, str(error)) from error

    def item(self, start: int, index: int) -> int:
        """Where an item of the list that begins at `start` begins."""
        depth = count = 0
        for match in TOKEN.finditer(self.text, start):
            if match.lastgroup == "comment":
                continue
            if depth == 1 and count == index:
                return match.start(str(match.lastgroup))
            if sign := match["sign"]:
                depth += (sign in "[(") - (sign in ")]")
                count += sign == "," and depth == 1
            if depth == 0:
                break
        return start

    def weigh(self, schedule: Any) -> None:
        """Raises `ValueError` where a schedule, beside those before it, would take too long to compile."""
        if isinstance(schedule, Schedule) and (kind := kind_of(schedule)) not in self._kinds:
            self._kinds.add(kind)
            self._nodes += kind[0].num_nodes
            _check_size(self._nodes)
            if _depth(schedule) > DEEPEST_SCHEDULE:
                raise ValueError(f"Schedules must be nested at most {DEEPEST_SCHEDULE} deep.")

    def error(self, place: int, message: str) -> ValueError:
        """What to raise for a mistake there."""
        return ValueError(_pointed(message, self.text, place))


@functools.cache
def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _required(function: Callable[..., Any]) -> list[str]:
    return [name for name, each in _parameters(function).items() if each.default is each.empty]


def _needs_arguments(function: Callable[..., Any]) -> str:
    name = function.__name__
    return f"`{name}` needs its arguments: `{name}({', '.join(_required(function))})`."


def _depth(value: Any) -> int:
    """How many schedules are nested in each other."""
    if isinstance(value, Value):
        parts: Iterable[Any] = [getattr(value, each.name) for each in dataclasses.fields(value)]  # type: ignore[arg-type]
    else:
        parts = value.groups if isinstance(value, Parts) else value if isinstance(value, tuple) else ()
    return isinstance(value, Schedule) + max(map(_depth, parts), default=0)


def _check_size(nodes: int) -> None:
    if nodes > LARGEST_PROGRAM:
        raise ValueError("The text has too many different schedules to compile them.")


def _nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: a known one that is like it, if any."""
    by_letters = {each.lower(): each for each in known}
    # Comparing takes time quadratic in the length.
    near = difflib.get_close_matches(name[:50].lower(), by_letters, n=1)
    return f"; did you mean `{by_letters[near[0]]}`?" if near else "."


def _cut(text: str, most: int = 50) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _pointed(message: str, text: str, place: int) -> str:
    """`message`, and below it the place in `text` with a caret under it."""
    start = text.rfind("\n", 0, place) + 1
    stop = text.find("\n", place)
    stop = len(text) if stop < 0 else stop
    first, last = max(start, place - 60), min(stop, max(start, place - 60) + 100)
    before, after = _printable(text[first:place]), _printable(text[place:last])
    prefix, suffix = "..." if first > start else "", "..." if last < stop else ""
    indent = len(prefix) + sum(map(_columns, before))
    return f"{_cut(message, 500)}\n  {prefix}{before}{after}{suffix}\n  {' ' * indent}^"


def _printable(text: str) -> str:
    return "".join(" " if each == "\t" else each if each.isprintable() else "\ufffd" for each in text)


def _columns(character: str) -> int:
    """How many columns of a terminal it takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

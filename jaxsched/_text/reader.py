"""Reads an expression that builds a schedule, from left to right, and builds each part as soon as it ends.

    text       = expression
    expression = term {("+" | "-") term}
    term       = operand {("*" | "/") operand}
    operand    = {"-"} atom
    atom       = NUMBER | STRING | "None" | "True" | "False" | SHAPE | list | group | call | partial
    list       = "[" [expression {"," expression} [","]] "]"
    group      = "(" [expression {"," expression} [","]] ")"
    call       = NAME "(" [argument {"," argument} [","]] ")"
    argument   = [KEYWORD "="] expression
    partial    = "partial" "(" SHAPE {"," KEYWORD "=" expression} [","] ")"

It is no `ast.parse`: each mistake is found where it stands, and neither what is read nor a message changes
with Python's version.
"""

from __future__ import annotations

import ast
import functools
import inspect
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jaxsched._core.grouping import kind_of
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import ENDS, Transition, as_easing
from jaxsched._text.mistakes import cut, mistake, nearest

DEEPEST = 100
"""Brackets, and the schedules that a text builds, are nested no deeper than this."""

MOST_ENTRIES = 10_000
"""The lists of a text have no more entries than this together."""

LARGEST_PROGRAM = 1000
"""A text builds no schedule with more nodes as a pytree than this.

The time to compile a schedule grows with them, linearly. The parts of a `join` or `stack` that are of one
kind count once. Ramps that look at their ends compile what they stand on while they are read, one after
another, so that they have together as many nodes and no more.
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
    | (?P<other>.)
    )""".replace("PLAIN", r"[^\\'\"\x00-\x1f\ud800-\udfff]").replace(
        "ESCAPE", r"\\(?:[\\'nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})"
    ),
    re.VERBOSE | re.DOTALL,
)
"""What a text is made of. A string, which only a field of your own can hold, is as `repr` writes it."""


class Token(NamedTuple):
    """A part of the text that has no parts: its kind, a group of `TOKEN`, and where it begins."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """All tokens but comments, until one that is none of a schedule's."""
    for match in TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "comment":
            yield Token(kind, match[kind], match.start(kind))
        if kind == "other":
            return


class Reader:
    """Reads a text. A method reads what it is named after, and leaves the token after it as `next`.

    Attributes:
      text: the text.
      names: what it can call, classes and functions by name.
      next: the next token.
    """

    next: Token

    def __init__(self, text: str, names: Mapping[str, Callable[..., Any]]) -> None:
        self.text = text
        self.names = names
        self._tokens = tokens(text)
        self._items: dict[int, list[int]] = {}  # where the items begin, by where their bracket does
        self._brackets = self._entries = self._compiled = 0
        self._kinds: set[Any] = set()
        self.advance()

    def schedule(self) -> Schedule:
        """What the whole text says."""
        start = self.next.start
        value = self.expression()
        if self.next.kind != "end":
            raise self.error(self.next.start, "Expected `+`, `-`, `*`, `/` or the end.")
        if isinstance(value, type):
            raise self.error(start, _needs_arguments(value))
        if isinstance(value, float | int) and not isinstance(value, bool):
            value = self.build(start, {}, Constant, value)
        if not isinstance(value, Schedule):
            raise self.error(start, "This is no schedule.")
        return value

    def advance(self) -> None:
        """Goes on to the next token."""
        self.next = next(self._tokens)
        if self.next.kind == "other":
            raise self.error(self.next.start, "This is not part of a schedule's text.")

    def expression(self, tightness: int = 0) -> Any:
        """Operands, between operators that bind more tightly than that: also a term."""
        start = self.next.start
        value = self.operand()
        while self.next.text in OPERATORS and OPERATORS[self.next.text][0] > tightness:
            place, (own, operation) = self.next.start, OPERATORS[self.next.text]
            left = self.arithmetic(start, value)
            self.advance()
            following = self.next.start
            right = self.arithmetic(following, self.expression(own))
            value = self.combine(place, operation, left, right)
        return value

    def operand(self) -> Any:
        """What stands between two operators, with any signs in front."""
        start, signs = self.next.start, 0
        while self.next.text == "-":
            signs += 1
            self.advance()
        place = self.next.start
        value = self.atom()
        if signs:
            value = self.arithmetic(place, value)
            for _ in range(signs if isinstance(value, Schedule) else signs % 2):
                value = self.combine(start, operator.mul, -1.0, value)
        return value

    def atom(self) -> Any:
        """A number, string, name, call, list or something in parentheses."""
        kind, token, start = self.next
        if token == "[":
            return self.entries("]")[0]
        if token == "(":
            read, comma = self.entries(")")
            return tuple(read) if comma or len(read) != 1 else read[0]
        if kind not in ("number", "string", "name"):
            raise self.error(start, "Expected a schedule, a number or a list.")
        self.advance()
        if kind == "number":
            return self.number(start, token)
        if kind == "string":
            return ast.literal_eval(token)
        if self.next.text == "(":
            return self.partial(start) if token == "partial" else self.call(start, token)
        return CONSTANTS[token] if token in CONSTANTS else self.shape(start, token)

    def number(self, place: int, token: str) -> float:
        """A number; an integer beyond all floats is one of them, the infinite one."""
        try:
            return int(token) if len(token) < 300 and token.replace("_", "").isdecimal() else float(token)
        except ValueError:
            raise self.error(place, f"`{cut(token)}` is no number.") from None

    def entries(self, closing: str) -> tuple[list[Any], bool]:
        """What stands in the brackets that begin here, and whether a comma stands at its end."""
        read, comma = [], False
        for place in self.items(closing):
            self._entries += 1
            if self._entries > MOST_ENTRIES:
                limit = f"at most {MOST_ENTRIES} entries together"
                raise self.error(place, f"Lists must have {limit}, got {self._entries} up to here.")
            read.append(self.expression())
            comma = self.next.text == ","
        return read, comma

    def items(self, closing: str) -> Iterator[int]:
        """Goes through the brackets that begin here, and stops where each item begins for it to be read."""
        _, bracket, opening = self.next
        places = self._items[opening] = []
        self._brackets += 1
        if self._brackets > DEEPEST:
            raise self.error(
                opening, f"Brackets must be nested at most {DEEPEST} deep, got {self._brackets}."
            )
        self.advance()
        while self.next.text != closing:
            if self.next.kind == "end":
                raise self.error(opening, f"`{bracket}` was never closed.")
            places.append(self.next.start)
            yield self.next.start
            if self.next.text == ",":
                self.advance()
            elif self.next.text != closing and self.next.kind != "end":
                raise self.error(self.next.start, f"Expected `,` or `{closing}`.")
        self.advance()
        self._brackets -= 1

    def shape(self, place: int, name: str) -> type[Transition]:
        """A name without arguments: the class of a transition."""
        value = self.names.get(name)
        if isinstance(value, type) and issubclass(value, Transition):
            return value
        if value is not None:
            raise self.error(place, _needs_arguments(value))
        shapes = [
            name
            for name, each in self.names.items()
            if isinstance(each, type) and issubclass(each, Transition)
        ]
        raise self.error(place, f"Unknown shape `{cut(name)}`{nearest(name, shapes)}")

    def call(self, place: int, name: str) -> Any:
        """What a class or a function gives for its arguments."""
        if name not in self.names:
            raise self.error(place, f"Unknown schedule `{cut(name)}`{nearest(name, self.names)}")
        function = self.names[name]
        arguments, places = self.arguments(name, _parameters(function), self.items(")"))
        if missing := [each for each in _required(function) if each not in arguments]:
            raise self.error(place, f"`{name}` is missing `{'`, `'.join(missing)}`.")
        return self.weighed(place, self.build(place, places, function, **arguments))

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
            if self.next.kind == "keyword":
                named, name = True, self.next.text
                if name not in parameters:
                    near = nearest(name, parameters)
                    raise self.error(start, f"`{callee}` has no argument `{cut(name)}`{near}")
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
            places[name] = self.next.start
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
        return self.weighed(place, self.build(place, {}, operation, left, right))

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
                place = places[named[1]]
                items, index = self._items.get(place, []), int(named[2] or 0)
                place = items[index] if named[2] and index < len(items) else place
            raise self.error(place, str(error)) from error

    def weighed(self, place: int, value: Any) -> Any:
        """`value`, unless it is a schedule that would take too long to compile."""
        if not isinstance(value, Schedule):
            return value
        structure, _ = kind = kind_of(value)
        if (depth := _depth(structure)) > DEEPEST:
            raise self.error(place, f"Schedules must be nested at most {DEEPEST} deep, got {depth}.")
        if structure.num_nodes > LARGEST_PROGRAM:
            raise self.error(
                place,
                f"A schedule must have at most {LARGEST_PROGRAM} nodes as a pytree to be compiled, "
                f"got {structure.num_nodes}.",
            )
        looks = getattr(getattr(value, "shape", None), "cares_for_ends", False)
        if looks and kind not in self._kinds:
            self._kinds.add(kind)
            self._compiled += structure.num_nodes
            if self._compiled > LARGEST_PROGRAM:
                raise self.error(
                    place,
                    f"Ramps that look at their ends must have at most {LARGEST_PROGRAM} nodes together, "
                    f"got {self._compiled} up to here.",
                )
        return value

    def error(self, place: int, message: str) -> ValueError:
        """What to raise for a mistake there."""
        return mistake(message, self.text, place)


@functools.cache
def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _required(function: Callable[..., Any]) -> list[str]:
    return [name for name, each in _parameters(function).items() if each.default is each.empty]


def _needs_arguments(function: Callable[..., Any]) -> str:
    name = function.__name__
    return f"`{name}` needs its arguments: `{name}({', '.join(_required(function))})`."


def _depth(structure: Any) -> int:
    """How many schedules of a structure are nested in each other."""
    node = structure.node_data()
    own = node is not None and issubclass(node[0], Schedule)
    return own + max(map(_depth, structure.children()), default=0)

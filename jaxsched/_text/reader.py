"""Reads an expression from left to right, and builds each schedule in it as soon as its text ends.

    text       = expression
    expression = term {("+" | "-") term}
    term       = operand {("*" | "/") operand}
    operand    = {"-"} atom
    atom       = NUMBER | STRING | "None" | "True" | "False" | SHAPE | GIVEN | list | group | call | partial
    list       = "[" [expression {"," expression} [","]] "]"
    group      = "(" [expression {"," expression} [","]] ")"
    call       = NAME "(" [argument {"," argument} [","]] ")"
    argument   = [KEYWORD "="] expression
    partial    = "partial" "(" SHAPE {"," KEYWORD "=" expression} [","] ")"

GIVEN is the name of a number that the caller gives. A NAME or a SHAPE may begin with `js.` or `jaxsched.`,
as in Python.

It does not use `ast.parse`: each error points at its place, and neither the grammar nor the messages depend
on the Python version.
"""

from __future__ import annotations

import ast
import functools
import inspect
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

from jaxsched._core.grouping import kind_of
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import ENDS, Transition, as_easing
from jaxsched._text.mistakes import cut, nearest

DEEPEST = 100
"""The deepest nesting of brackets, and of schedules."""

MOST_ENTRIES = 10_000
"""The most entries of all lists in a text together."""

LARGEST_PROGRAM = 1000
"""The most pytree nodes of a schedule.

The time to compile a schedule is linear in its nodes. Parts of the same kind in a `join` or `stack` count
once. A ramp that checks its ends, such as one along a `Geometric`, compiles its schedule while it is read.
All such ramps of a text together have the same limit.
"""

CONSTANTS = {"None": None, "True": True, "False": False}

OPERATORS: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
}
"""The precedence and the function of each operator."""

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?(?![\w.]))
    | (?P<keyword>[^\W\d]\w*)\s*=(?!=)
    | (?:(?:js|jaxsched)\.)?(?P<name>[^\W\d]\w*)
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
"""The tokens of a text. A string is as `repr` writes it; only fields of your own can hold one."""


STRAY = {".": "A name in a text has no dots. For a port, use the text that it prints."}
"""What to do about a character that no text contains."""


class Token(NamedTuple):
    """A token: its kind, which is a group of `TOKEN`, its text and its start."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """All tokens except comments, up to the first that cannot be part of a schedule."""
    for match in TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "comment":
            yield Token(kind, match[kind], match.start(kind))
        if kind == "other":
            return


class Reader:
    """A recursive-descent parser. Each method reads the rule it is named after, up to the token `next`.

    Attributes:
      names: the classes and functions that can be called, by name.
      error: makes the error for a mistake, from the start of a token and the message.
      numbers: the numbers that the caller gives, by name; `None` where none can be given.
      used: the names of those that were read.
      next: the next token.
    """

    next: Token

    def __init__(
        self,
        tokens: Iterator[Token],
        names: Mapping[str, Callable[..., Any]],
        error: Callable[[int, str], ValueError],
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        self.names = names
        self.error = error
        self.numbers = numbers
        self.used: set[str] = set()
        self._tokens = tokens
        self._items: dict[int, list[int]] = {}  # the starts of the items, by the start of their bracket
        self._brackets = self._entries = self._compiled = 0
        self._kinds: set[Any] = set()
        self.advance()

    def schedule(self) -> Schedule:
        """The schedule of the whole text."""
        start = self.next.start
        value = self.expression()
        if self.next.kind != "end":
            raise self.error(self.next.start, "Expected `+`, `-`, `*`, `/` or the end.")
        if isinstance(value, type):
            raise self.error(start, _needs_arguments(value))
        if isinstance(value, float | int) and not isinstance(value, bool):
            value = self.build(start, {}, Constant, value)
        if not isinstance(value, Schedule):
            raise self.error(start, "This is not a schedule.")
        return value

    def advance(self) -> None:
        """Moves to the next token."""
        self.next = next(self._tokens)
        if self.next.kind == "other":
            raise self.error(
                self.next.start, STRAY.get(self.next.text, "This is not part of a schedule's text.")
            )

    def expression(self, tightness: int = 0) -> Any:
        """Operands between operators of a higher precedence than `tightness`; a term is one too."""
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
        """An atom, with any minus signs in front."""
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
        """A number, string, name, call, list or group."""
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
        if self.numbers and token in self.numbers:
            self.used.add(token)
            return self.numbers[token]
        return CONSTANTS[token] if token in CONSTANTS else self.shape(start, token)

    def number(self, place: int, token: str) -> float:
        """A number; an integer too large for a float is infinite."""
        try:
            return int(token) if len(token) < 300 and token.replace("_", "").isdecimal() else float(token)
        except ValueError:
            raise self.error(place, f"`{cut(token)}` is not a number.") from None

    def entries(self, closing: str) -> tuple[list[Any], bool]:
        """The entries of the brackets that open here, and whether a comma follows the last."""
        read, comma = [], False
        for place in self.items(closing):
            self._entries += 1
            if self._entries > MOST_ENTRIES:
                limit = f"at most {MOST_ENTRIES} entries in total"
                raise self.error(place, f"Lists must have {limit}, got {self._entries} up to here.")
            read.append(self.expression())
            comma = self.next.text == ","
        return read, comma

    def items(self, closing: str) -> Iterator[int]:
        """Yields the start of each item in the brackets that open here; the caller reads the item."""
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
        """A class of transitions, by its name."""
        value = self.names.get(name)
        if is_shape(value):
            return value
        if value is not None:
            raise self.error(place, _needs_arguments(value))
        known = [name for name, each in self.names.items() if is_shape(each)]
        kind = "shape" if self.numbers is None else "shape or number"
        near = nearest(name, [*known, *(self.numbers or ())])
        raise self.error(place, f"Unknown {kind} `{cut(name)}`{near}")

    def call(self, place: int, name: str) -> Any:
        """The result of a call."""
        if name not in self.names:
            raise self.error(place, f"Unknown schedule `{cut(name)}`{nearest(name, self.names)}")
        function = self.names[name]
        arguments, places = self.arguments(name, parameters_of(function), self.items(")"))
        if missing := [each for each in _required(function) if each not in arguments]:
            raise self.error(place, f"`{name}` is missing `{'`, `'.join(missing)}`.")
        return self.weighed(place, self.build(place, places, function, **arguments))

    def partial(self, place: int) -> functools.partial[Transition]:
        """`partial(Shape, keyword=number)`."""
        items = self.items(")")
        start = next(items, place)
        cls = self.expression() if start != place else None
        if not isinstance(cls, type):
            raise self.error(start, "The first argument of `partial` must be the name of a shape.")
        parameters = {
            name: parameter.replace(kind=parameter.KEYWORD_ONLY)
            for name, parameter in parameters_of(cls).items()
            if name not in ENDS
        }
        keywords, places = self.arguments(f"partial({cls.__name__})", parameters, items)
        shape = functools.partial(cls, **keywords)
        self.build(place, places, as_easing, "shape", shape)
        return shape

    def arguments(
        self, callee: str, parameters: Mapping[str, inspect.Parameter], items: Iterable[int]
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """The arguments of a call by name, and the start of each."""
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
                raise self.error(start, "A positional argument must come before the keyword arguments.")
            elif len(values) == len(positional):
                after = f" after `{positional[-1]}`" if positional else ""
                raise self.error(start, f"`{callee}` takes no positional argument{after}.")
            else:
                name = positional[len(values)]
            places[name] = self.next.start
            values[name] = self.expression()
        return values, places

    def arithmetic(self, place: int, value: Any) -> Any:
        """A schedule, or a number as a float; arithmetic on integers could make them arbitrarily long."""
        if isinstance(value, Schedule | float):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, type):
            raise self.error(place, _needs_arguments(value))
        raise self.error(place, "The operands of `+`, `-`, `*` and `/` must be numbers or schedules.")

    def combine(self, place: int, operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """The result of an operator on two numbers or schedules."""
        if operation is operator.truediv:
            if isinstance(left, Schedule) or isinstance(right, Schedule):
                raise self.error(place, "`/` must divide numbers; multiply the schedule by `1 / number`.")
            if right == 0:
                raise self.error(place, "Division by zero.")
        return self.weighed(place, self.build(place, {}, operation, left, right))

    def build(
        self, place: int, places: dict[str, int], function: Callable[..., Any], /, *args: Any, **keywords: Any
    ) -> Any:
        """The result of `function`; an error points at the argument that it names, or at `place`."""
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
        """Returns `value`, unless it is a schedule that would take too long to compile."""
        if not isinstance(value, Schedule):
            return value
        structure, _ = kind = kind_of(value)
        if (depth := _depth(structure)) > DEEPEST:
            raise self.error(place, f"Schedules must be nested at most {DEEPEST} deep, got {depth}.")
        if structure.num_nodes > LARGEST_PROGRAM:
            raise self.error(
                place,
                f"A schedule must have at most {LARGEST_PROGRAM} pytree nodes to be compiled, "
                f"got {structure.num_nodes}.",
            )
        looks = getattr(getattr(value, "shape", None), "cares_for_ends", False)
        if looks and kind not in self._kinds:
            self._kinds.add(kind)
            self._compiled += structure.num_nodes
            if self._compiled > LARGEST_PROGRAM:
                raise self.error(
                    place,
                    f"Ramps that check their ends must have at most {LARGEST_PROGRAM} pytree nodes in total, "
                    f"got {self._compiled} up to here.",
                )
        return value


def is_shape(value: Any) -> TypeGuard[type[Transition]]:
    """Whether `value` is a class of transitions, and so the curve of a ramp."""
    return isinstance(value, type) and issubclass(value, Transition)


@functools.cache
def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class or function, by name."""
    return inspect.signature(function).parameters


def _required(function: Callable[..., Any]) -> list[str]:
    return [name for name, each in parameters_of(function).items() if each.default is each.empty]


def _needs_arguments(function: Callable[..., Any]) -> str:
    name = function.__name__
    return f"`{name}` needs its arguments: `{name}({', '.join(_required(function))})`."


def _depth(structure: Any) -> int:
    """The nesting depth of the schedules in a structure."""
    node = structure.node_data()
    own = node is not None and issubclass(node[0], Schedule)
    return own + max(map(_depth, structure.children()), default=0)

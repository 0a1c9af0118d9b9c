"""The text form of schedules: the expression that builds one, and a safe reader of it."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import operator
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsched import presets
from jaxsched._evaluate import batch_shape
from jaxsched._fields import is_concrete, show
from jaxsched._parts import Parts, take
from jaxsched._schedule import Constant, Lambda, Product, Schedule, Sum, as_schedule, registry
from jaxsched._transition import Easing, Transition
from jaxsched._value import Value
from jaxsched.combinators.stack import select, stack

LONGEST_TEXT = 10_000_000
"""`parse` reads no more characters than this."""


def to_text(value: Value) -> str:
    """The shortest expression that builds `value`; `parse` reads that of a schedule back.

    Numbers that are traced, and the functions of `Lambda`, show as what they are in angle brackets.
    """
    if isinstance(value, Schedule) and is_concrete(value) and (batch := batch_shape(value)):
        return f"stack([{', '.join(to_text(_member(value, i)) for i in range(batch[0]))}])"
    if isinstance(value, Product):
        return _product(value)
    if isinstance(value, Sum):
        return _sum(value)
    arguments, positional = [], True
    for specifier in dataclasses.fields(value):  # type: ignore[arg-type]
        argument = getattr(value, specifier.name)
        if _is_default(specifier, argument):
            positional = False
            continue
        positional = positional and not specifier.kw_only
        text = _value(argument)
        arguments.append(text if positional else f"{specifier.name}={text}")
    return f"{type(value).__name__}({', '.join(arguments)})"


def _member(batched: Schedule, index: int) -> Schedule:
    member = take(batched, index)
    if isinstance(member, select) and not batch_shape(member):
        return as_schedule("member", member.schedules[int(member.index)])
    return member


def _is_default(specifier: dataclasses.Field[Any], value: Any) -> bool:
    if specifier.default is dataclasses.MISSING:
        return False
    if isinstance(value, Easing):
        return value.cls is specifier.default and not value.keywords
    return is_concrete(value) and bool(value == specifier.default)


def _value(value: Any) -> str:
    if isinstance(value, Constant):
        return _value(value.value)
    if isinstance(value, Value):
        return to_text(value)
    if hasattr(value, "_field_defaults"):
        changed = {
            name: each for name, each in value._asdict().items() if each != value._field_defaults[name]
        }
        return f"{type(value).__name__}({', '.join(f'{name}={each!r}' for name, each in changed.items())})"
    if isinstance(value, tuple | Parts):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, Easing):
        if not value.keywords:
            return value.cls.__name__
        keywords = ", ".join(f"{name}={_value(each)}" for name, each in value.keywords.items())
        return f"partial({value.cls.__name__}, {keywords})"
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
    if not is_concrete(value):
        return f"<traced {value.aval.str_short()}>"
    if isinstance(value, np.ndarray | jax.Array) and np.ndim(value) == 1:
        return f"[{', '.join(map(show, np.asarray(value, np.float64).tolist()))}]"
    return show(value) if isinstance(value, float | jax.Array) else repr(value)


def _product(product: Product) -> str:
    factors = list(product.schedules)
    sign = "-" if _negates(product) else ""
    if sign:
        factors = factors[1:]
    texts = [f"({_sum(each)})" if isinstance(each, Sum) else _value(each) for each in factors]
    return sign + " * ".join(_spelled_out(factors, texts))


def _sum(total: Sum) -> str:
    terms = list(total.schedules)
    texts = _spelled_out(terms, [_value(each) for each in terms])
    for i, term in enumerate(terms[1:], start=1):
        subtracted = texts[i].startswith("-") and (isinstance(term, Constant) or _negates(term))
        texts[i] = f"- {texts[i][1:]}" if subtracted else f"+ {texts[i]}"
    return " ".join(texts)


def _negates(schedule: Any) -> bool:
    """Whether it is what `-` makes of a schedule."""
    if not isinstance(schedule, Product) or isinstance(schedule.schedules[1], Constant):
        return False
    first = schedule.schedules[0]
    return isinstance(first, Constant) and is_concrete(first) and bool(first.value == -1)


def _spelled_out(operands: list[Any], texts: list[str]) -> list[str]:
    """`texts`, where two bare numbers in front would be read as one number."""
    if isinstance(operands[0], Constant) and isinstance(operands[1], Constant):
        return [f"Constant({texts[0]})", *texts[1:]]
    return texts


PRESETS = {
    name: value
    for name, value in vars(presets).items()
    if inspect.isfunction(value) and value.__module__ == presets.__name__ and not name.startswith("_")
}

OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def parse(text: str) -> Schedule:
    """Reads the text form of a schedule, as `repr` writes it.

    The text may hold the names of shapes, combinators, presets and your own `Schedule` classes, lists,
    `partial(Shape, keyword=number)`, `None`, and `+`, `-`, `*`, `/` between numbers or, but for `/`,
    schedules. Nothing else is looked up and nothing is executed.

    >>> import jaxsched as js
    >>> js.parse("warmup(Cosine(0.3, 0.01, 15 * 235), 5 * 235)")
    warmup(Cosine(0.3, 0.01, 3525), 1175)
    >>> js.parse("0.1")
    Constant(0.1)

    Raises:
      TypeError: `text` is no string.
      ValueError: it is not the text of a schedule; the message shows where and why.
    """
    if not isinstance(text, str):
        raise TypeError(f"`text` must be a string, got {text!r} ({type(text).__name__}).")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"`text` must have at most {LONGEST_TEXT} characters, got {len(text)}.")
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text.strip(), mode="eval")
        value = _Reader(text.strip()).read(tree.body)
        if isinstance(value, Schedule):
            return value
        if isinstance(value, float | int) and not isinstance(value, bool):
            return Constant(value)
    except SyntaxError as error:
        line, column = error.lineno or 1, (error.offset or 1) - 1
        raise ValueError(_pointed(f"{error.msg}", text.strip(), line, column)) from None
    except (RecursionError, MemoryError):
        raise ValueError("`text` is nested too deeply.") from None
    raise ValueError(_pointed("This is no schedule.", text.strip(), 1, 0))


class _Reader:
    """Turns the syntax tree of a text into what it says."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=bool() | str() | None | int() | float() as value):
                return value
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.read(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.build(node, operator.neg, self.operand(operand))
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATIONS:
                operands = self.operand(left), self.operand(right)
                return self.build(node, OPERATIONS[type(operation)], *operands)
            case ast.Name(id=name):
                return self.name(node, name, transitions=True)
            case ast.Call(func=ast.Name(id="partial") as callee, args=[ast.Name(id=name) as shape]):
                keywords = self.keywords(node)
                return functools.partial(self.name(shape, name, transitions=True), **keywords)
            case ast.Call(func=ast.Name(id=name) as callee, args=arguments):
                function = self.name(callee, name)
                return self.build(
                    node, function, *(self.read(each) for each in arguments), **self.keywords(node)
                )
        raise self.error(node, "This is not part of a schedule's text.")

    def operand(self, node: ast.AST) -> Any:
        """A schedule, or a number as a float, which arithmetic cannot make arbitrarily long."""
        value = self.read(node)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.build(node, float, value)
        if isinstance(value, Schedule | float):
            return value
        raise self.error(node, "`+`, `-`, `*` and `/` stand between numbers and schedules.")

    def keywords(self, node: ast.Call) -> dict[str, Any]:
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.error(keyword.value, "`**` is not part of a schedule's text.")
        return {str(keyword.arg): self.read(keyword.value) for keyword in node.keywords}

    def name(self, node: ast.AST, name: str, transitions: bool = False) -> Any:
        """What a name stands for: a class or a function that gives a schedule."""
        known = readable()
        if transitions:
            known = {n: v for n, v in known.items() if isinstance(v, type) and issubclass(v, Transition)}
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=1)
        kind = "shape" if transitions else "schedule"
        raise self.error(node, f"Unknown {kind} `{name}`" + (f"; did you mean `{near[0]}`?" if near else "."))

    def build(self, node: ast.AST, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """The result of `function`; its errors point at the place in the text."""
        try:
            return function(*args, **keywords)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise self.error(node, str(error)) from error

    def error(self, node: Any, message: str) -> ValueError:
        """What to raise for a mistake at `node`."""
        line = self.text.splitlines()[node.lineno - 1]
        column = len(line.encode()[: node.col_offset].decode())
        return ValueError(_pointed(message, self.text, node.lineno, column))


def readable() -> dict[str, Callable[..., Any]]:
    """Everything that a text can call, by name."""
    classes = {name: cls for name, cls in registry.items() if cls is not Lambda}
    return {**classes, **PRESETS, "stack": stack}


def _pointed(message: str, text: str, line: int, column: int) -> str:
    """`message`, and below it the place in `text` with a caret under it."""
    lines = text.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    first = max(0, column - 60)
    prefix, suffix = "..." if first else "", "..." if len(shown) > first + 100 else ""
    window = prefix + shown[first : first + 100] + suffix
    return f"{message}\n  {window}\n  {' ' * (column - first + len(prefix))}^"

"""The formula in a shape's docstring, as the site typesets it, is what the shape computes."""

from __future__ import annotations

import inspect
import itertools
import math
import re

import api
import pytest

import jaxsched as js
from catalogue.cases import SHAPES, VARIANTS

CASES = SHAPES | VARIANTS
NOT_READ = ("geometric negative", "piecewise", "table", "lambda")
"""The cases whose formulas are words in part."""

FUNCTIONS = {"cos", "exp", "log", "max", "min", "sin", "sqrt", "tanh"}


def as_python(tex):
    """TeX as an expression of Python, with its products written out."""
    if cases := re.fullmatch(r"\s*\\begin\{cases\}(.+)\\end\{cases\}\s*", tex):
        rows = [[as_python(part) for part in row.split("&")] for row in cases[1].split(r"\\")]
        return " else ".join([*(f"({value}) if ({when})" for value, when in rows), "None"])
    text = re.sub(r"\\text\{(\w+)\}", r" \1 ", tex)
    text = re.sub(r"\\(le|ge)q?\b", lambda match: {"le": "<=", "ge": ">="}[match[1]], text)
    text = re.sub(r"\\(left|right|frac|cdot|,)", " ", text).replace("^", "**")
    text = text.replace("}{", ")/(").replace("{", "(").replace("}", ")").replace("\\", "")
    tokens, python = re.findall(r"\*\*|[<>]=|[A-Za-z]+|[\d.]+|\S", text), []
    for before, token in itertools.pairwise(["", *tokens]):
        if before in FUNCTIONS:
            token = token if token == "(" else f"({token})"
        elif re.match(r"[\w(]", token) and re.search(r"[\w)]$", before):
            python.append("*")
        python.append(token)
    return " ".join(python)


@pytest.mark.parametrize(
    ("tex", "value"),
    [
        (r"\frac{1}{2} x^{2 y} \, z", 9.0),
        (r"\left(1 + \frac{x}{y}\right)^{-z}", 1 / 16),
        (r"\sqrt x \cdot z + \min(x z, y)", 2 * math.sqrt(3) + 1),
        (r"\begin{cases} x & z \le y \\ 2 x & y < z \end{cases}", 6.0),
    ],
)
def test_tex_is_read(tex, value):
    assert eval(as_python(tex), vars(math) | {"x": 3, "y": 1, "z": 2}) == pytest.approx(value)


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_READ])
def test_the_typeset_formula_is_the_schedule(case):
    schedule = CASES[case](100)
    of = {name: getattr(schedule, name) for name in schedule.__dataclass_fields__}
    legend = re.findall(r"\$\\?(\w+)\$\s+is\s+`(\w+)`", inspect.getdoc(type(schedule)))
    names = {name.removesuffix("_value"): value for name, value in of.items()}
    names |= {symbol: of[name] for symbol, name in legend}
    parts = [part.split(" = ") for part in api.formula(type(schedule)).split(r", \quad ")]
    for t in (0, 1, 10, 37, 50, 99, 100, 150):
        scope = vars(math) | names | {"t": t}
        for name, tex in reversed(parts):
            scope[name] = eval(as_python(tex), scope)
        assert float(schedule(t)) == pytest.approx(scope["f(t)"], rel=1e-6), api.formula(type(schedule))


def test_every_shape_with_a_formula_is_read():
    read = {type(build(100)) for case, build in CASES.items() if case not in NOT_READ}
    shapes = {getattr(js, name) for name in api.names("transitions") + api.names("shapes")}
    assert shapes - read == {js.Piecewise, js.Table, js.Lambda, js.table}

"""The files of `train/` have one reading order: each names the next one in its docstring."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import train

FILES = {path.stem: path for path in Path(train.__file__).parent.glob("*.py") if path.stem != "__init__"}


def next_of(name):
    found = re.search(r"Read `train\.(\w+)` next", ast.get_docstring(ast.parse(FILES[name].read_text())))
    return found and found[1]


def test_each_file_names_the_next_one():
    order = ["__main__"]
    while (name := next_of(order[-1])) is not None:
        assert name not in order
        order.append(name)
    assert sorted(order) == sorted(FILES)
    listed = re.findall(r"`(\w+)`", train.__doc__.split("In a hurry")[0])
    assert list(dict.fromkeys(name for name in listed if name in FILES)) == order

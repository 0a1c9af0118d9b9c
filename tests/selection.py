"""Which cases of a test are in the default run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def by_default(first: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """The parameters of a test: those in `first` run by default, the others are thorough."""
    chosen, cases = set(first), list(cases)
    assert chosen <= set(cases), chosen - set(cases)
    return [pytest.param(case, marks=[] if case in chosen else pytest.mark.thorough) for case in cases]

"""Tables of what is refused, as parameters of a test."""

from __future__ import annotations

import pytest


def refusals(value_errors, type_errors):
    """Parametrizes a test with `kind`, `build` and `message`, from tables of the last two by name."""
    kinds = ((ValueError, value_errors), (TypeError, type_errors))
    return pytest.mark.parametrize(
        ("kind", "build", "message"),
        [(kind, *errors[name]) for kind, errors in kinds for name in errors],
        ids=[*value_errors, *type_errors],
    )

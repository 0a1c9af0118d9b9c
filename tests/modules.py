"""What a module offers."""

from __future__ import annotations

import inspect


def public_functions(module):
    """The names of the functions that a module defines for its users."""
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }

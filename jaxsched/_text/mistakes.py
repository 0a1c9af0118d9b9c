"""Error messages about a text: where the mistake is, and which name was probably meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def mistake(text: str, place: int, message: str) -> ValueError:
    """An error with `message`, the line of `text` around `place`, and a caret below that place."""
    start = text.rfind("\n", 0, place) + 1
    stop = text.find("\n", place)
    stop = len(text) if stop < 0 else stop
    first, last = max(start, place - 60), min(stop, max(start, place - 60) + 100)
    before, after = printable(text[first:place]), printable(text[place:last])
    prefix, suffix = "..." if first > start else "", "..." if last < stop else ""
    indent = len(prefix) + sum(map(_columns, before))
    return ValueError(f"{cut(message, 500)}\n  {prefix}{before}{after}{suffix}\n  {' ' * indent}^")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: it suggests a similar known one, if any."""
    by_letters = {each.lower(): each for each in known}
    # The time to compare is quadratic in the length.
    near = difflib.get_close_matches(name[:50].lower(), by_letters, n=1)
    return f"; did you mean `{by_letters[near[0]]}`?" if near else "."


def cut(text: str, most: int = 50) -> str:
    """`text`, cut to at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """`text`, with a space for a tab and U+FFFD for what a terminal does not show as it is."""
    return "".join(" " if each == "\t" else each if each.isprintable() else "\ufffd" for each in text)


def _columns(character: str) -> int:
    """The width of a character in a terminal, in columns."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Tables: as text for a terminal, and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Sequence

from jaxsched._inspect.svg import escaped

CELL = "padding:2px 8px;border-bottom:1px solid #8886;vertical-align:top"
"""The style of a cell. The page gives the colours; this grey is seen on a light and on a dark one."""


def as_text(rows: Sequence[Sequence[str]], align: str) -> str:
    """The rows in columns; the first row is the head.

    Args:
      rows: strings, all rows of one length.
      align: `<` or `>` for each column.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def as_html(rows: Sequence[Sequence[str]], align: str, caption: str = "") -> str:
    """The same as a `<table>`, with a caption below. It scrolls where the page is too narrow."""
    sides = {"<": "left", ">": "right"}
    styles = [f"{CELL};text-align:{sides[side]}" for side in align]
    tags = ["th", *["td"] * (len(rows) - 1)]
    lines = [
        "".join(
            f'<{tag} style="{style}">{escaped(cell)}</{tag}>' for cell, style in zip(row, styles, strict=True)
        )
        for tag, row in zip(tags, rows, strict=True)
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    below = f"<div>{escaped(caption)}</div>" if caption else ""
    table = f'<table style="border-collapse:collapse">{body}</table>'
    return f'<div style="overflow-x:auto">{table}{below}</div>'

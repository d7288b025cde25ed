"""Markdown's own parts, safe for text of users: escaped text, tables, fenced code."""

from __future__ import annotations

import re
from collections.abc import Sequence


def escape(text: object) -> str:
    """Text of users as plain text in Markdown, on one line."""
    line = " ".join(str(text).split())
    return re.sub(r"[&<>|\[\]`*\\!]", lambda found: f"&#{ord(found[0])};", line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; its cells must be escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code, fenced by more backticks than the text has in a row."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"

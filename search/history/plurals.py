"""Numbers with their nouns, which agree. A file of its own, for every folder above says numbers."""

from __future__ import annotations


def counted(number: float, one: str, many: str = "") -> str:
    """Returns a number and its noun: "1 trial", "1.5 trials", "2 searches"."""
    text = str(number) if isinstance(number, int) else f"{number:g}"
    return f"{text} {one if abs(number) == 1 else many or one + 's'}"

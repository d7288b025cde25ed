"""Infer the types of params, which a store keeps as text.

A type is inferred from all runs of a search, because a learning rate that reads "1" in one run is
0.1 in the next. Not for hyperparameters whose type the tool logged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Parsed: TypeAlias = bool | int | float | str | None

WORDS: Mapping[str, Parsed] = {
    "True": True, "true": True, "False": False, "false": False,
    "None": None, "null": None,
}  # fmt: skip
# A leading zero means an identifier, and more digits than a 64-bit integer has mean a float.
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
IDENTIFIER = re.compile(r"[+-]?0[0-9]+")
LONGEST_NUMBER = 400


def parsed(text: str) -> Parsed:
    """Returns a text as bool, None, int or float if it reads as one, else unchanged.

    `nan` and `inf` stay text: as values of a hyperparameter they cannot be compared.
    """
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= LONGEST_NUMBER and FLOAT.fullmatch(text) and not IDENTIFIER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def typed(configurations: Iterable[Mapping[str, str]]) -> list[dict[str, Parsed]]:
    """Returns one search's configurations with types; each name's numbers get one type."""
    found = [{name: parsed(text) for name, text in each.items()} for each in configurations]
    floats = {name for each in found for name, value in each.items() if isinstance(value, float)}
    return [
        {
            name: float(value) if name in floats and type(value) is int else value
            for name, value in each.items()
        }
        for each in found
    ]

"""Typos inside a word: the four transformations of DeepWordBug (Gao et al. 2018, section III-C).

Swap two neighbouring letters, delete one, insert one, or substitute one. Three differences from the
paper keep words readable: the first letter stays (the paper moves any), words of fewer than four
letters stay (as in Pruthi et al. 2019, section 3), and letters come from neighbouring keys (the
paper draws from the alphabet). Each transformation gives one candidate, as in the paper.
"""

from __future__ import annotations

from functools import partial

import numpy as np

# Shorter words become unreadable: "bd" for "bad".
SHORTEST = 4  # letters

# Rows of a QWERTY keyboard, each with its indent in key widths.
_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
_KEYS = {
    letter: (row, column + indent)
    for row, (letters, indent) in enumerate(_ROWS)
    for column, letter in enumerate(letters)
}
# Keys that touch: next to each other, or in the next row at most one key width away.
NEIGHBOURS = {
    letter: "".join(
        other
        for other, (its_row, its_column) in _KEYS.items()
        if other != letter and abs(its_row - row) <= 1 and abs(its_column - column) <= 1
    )
    for letter, (row, column) in _KEYS.items()
}


def character_edits(word: str, generator: np.random.Generator) -> tuple[str, ...]:
    """Return misspellings of `word`, at most one for each transformation, all different from it.

    Empty if it has fewer than `SHORTEST` letters. Letters without neighbouring keys (accented
    ones, other scripts) can be swapped and deleted only. The same generator state gives the same
    candidates.
    """
    letters = [index for index, character in enumerate(word) if character.isalpha()]
    if len(letters) < SHORTEST:
        return ()
    edits = (_swap, _delete, partial(_neighbour, kept=1), partial(_neighbour, kept=0))
    found = [edit(word, letters[1:], generator) for edit in edits]
    return tuple(dict.fromkeys(candidate for candidate in found if candidate is not None))


def _swap(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    """Swap two different neighbouring letters."""
    places = [i for i in movable if i + 1 in movable and word[i] != word[i + 1]]
    if not places:
        return None
    place = int(generator.choice(places))
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _delete(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    place = int(generator.choice(movable))
    return word[:place] + word[place + 1 :]


def _neighbour(
    word: str, movable: list[int], generator: np.random.Generator, kept: int
) -> str | None:
    """Put a letter from a neighbouring key, in the same case, after a letter or in its place.

    `kept` is 1 to insert it and 0 to substitute it.
    """
    places = [i for i in movable if word[i].lower() in NEIGHBOURS]
    if not places:
        return None
    place = int(generator.choice(places))
    other = str(generator.choice(list(NEIGHBOURS[word[place].lower()])))
    other = other.upper() if word[place].isupper() else other
    return word[: place + kept] + other + word[place + 1 :]

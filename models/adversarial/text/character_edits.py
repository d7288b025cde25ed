"""Typos inside a word: the four transformations of DeepWordBug (Gao et al. 2018, section III-C).

Swap two neighbouring letters, delete one, insert one, or substitute one. Where we depart from the
paper, it is so that a person still reads the word: the first letter stays (the paper moves any),
words of fewer than four letters stay (as in Pruthi et al. 2019, section 3), and letters come from
the neighbouring keys (the paper draws from the alphabet). One candidate a transformation, as there.
"""

from __future__ import annotations

import numpy as np

# "bd" for "bad" is no typo but a riddle.
SHORTEST = 4  # letters

# Rows of a QWERTY keyboard, each with its indent in widths of a key.
_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
_KEYS = {
    letter: (row, column + indent)
    for row, (letters, indent) in enumerate(_ROWS)
    for column, letter in enumerate(letters)
}
# Keys that touch: beside each other, or in the next row at most one width away.
NEIGHBOURS = {
    letter: "".join(
        other
        for other, (its_row, its_column) in _KEYS.items()
        if other != letter and abs(its_row - row) <= 1 and abs(its_column - column) <= 1
    )
    for letter, (row, column) in _KEYS.items()
}


def character_edits(word: str, generator: np.random.Generator) -> tuple[str, ...]:
    """Misspellings of `word`, at most one a transformation, all different from it.

    None if it has fewer than `SHORTEST` letters. Letters without neighbouring keys (accented
    ones, other scripts) can be swapped and deleted only. The same generator state gives the same
    candidates.
    """
    letters = [index for index, character in enumerate(word) if character.isalpha()]
    if len(letters) < SHORTEST:
        return ()
    edits = (_swap, _delete, _insert, _substitute)
    found = [edit(word, letters[1:], generator) for edit in edits]
    return tuple(dict.fromkeys(candidate for candidate in found if candidate is not None))


def _swap(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    """Two neighbouring letters change places; equal ones are passed over."""
    places = [i for i in movable if i + 1 in movable and word[i] != word[i + 1]]
    if not places:
        return None
    place = int(generator.choice(places))
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _delete(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    place = int(generator.choice(movable))
    return word[:place] + word[place + 1 :]


def _insert(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    """The finger also hits a key beside the right one, just after it."""
    places = [i for i in movable if word[i].lower() in NEIGHBOURS]
    if not places:
        return None
    place = int(generator.choice(places))
    return word[: place + 1] + _beside(word[place], generator) + word[place + 1 :]


def _substitute(word: str, movable: list[int], generator: np.random.Generator) -> str | None:
    """The finger hits a key beside the right one."""
    places = [i for i in movable if word[i].lower() in NEIGHBOURS]
    if not places:
        return None
    place = int(generator.choice(places))
    return word[:place] + _beside(word[place], generator) + word[place + 1 :]


def _beside(letter: str, generator: np.random.Generator) -> str:
    """A letter on a neighbouring key, in the same case."""
    neighbour = str(generator.choice(list(NEIGHBOURS[letter.lower()])))
    return neighbour.upper() if letter.isupper() else neighbour

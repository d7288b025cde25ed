"""Entity tags in IOB2, converted from the other schemes in which they are written.

The schemes (Tjong Kim Sang & Veenstra 1999, "Representing text chunks"; BILOU: Ratinov & Roth 2009,
section 3.1); a word of no entity has `O` in all of them:

- IOB2: every entity starts with `B-TYPE`, its further words have `I-TYPE`.
- IOB1: all words of an entity have `I-TYPE`; only where an entity follows one of the same type
  directly, its first word has `B-TYPE`.
- BIOES and BILOU: as IOB2, but the last word has `E-` (`L-`), an entity of one word `S-` (`U-`).

Which one it is follows from the tags of all splits. `E-`, `S-`, `L-` or `U-` occur in BIOES and
BILOU alone. Otherwise tags without a mistake in IOB2 are IOB2. Tags with mistakes in IOB2 (`I-X`
that no word of X precedes) and none in IOB1 (`B-X` that no word of X precedes) are IOB1. With
mistakes in both, the scheme with fewer is meant, and its first mistake is refused: a file in IOB2
has some `B-` after `O`, so one wrong `I-` does not make it IOB1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.data.sources import DataError

_TAG = re.compile(r"O|[BIESLU]-.+", re.DOTALL)
_FIX = "fix: use O, B-TYPE or I-TYPE (IOB2), or another of IOB1, BIOES, BILOU"

# The place of a word, by split, sentence and word.
Where = Callable[[str, int, int], str]
Tagged = Mapping[str, Sequence[Sequence[Any]]]


def to_iob2(tagged: Tagged, where: Where) -> tuple[dict[str, list[tuple[str, ...]]], str]:
    """Return the tags of every sentence of every split in IOB2, and the scheme that they were in.

    Raises:
        DataError: a tag is of no scheme, or at a place where its scheme does not have it.
    """
    scheme = _scheme(tagged, where)
    if scheme in ("BIOES", "BILOU"):
        _check_ends(tagged, where, scheme)
    else:
        _check_starts(tagged, where, scheme)
    return {
        split: [_converted(tags, scheme) for tags in sentences]
        for split, sentences in tagged.items()
    }, scheme


def _scheme(tagged: Tagged, where: Where) -> str:
    """Return the scheme of all tags; refuse what is a tag in none."""
    found = "IOB2"
    for split, sentences in tagged.items():
        for row, tags in enumerate(sentences):
            for index, tag in enumerate(tags):
                if not isinstance(tag, str) or not _TAG.fullmatch(tag):
                    raise DataError(f"{where(split, row, index)}: {tag!r} is no tag; {_FIX}")
                own = "BIOES" if tag[0] in "ES" else "BILOU" if tag[0] in "LU" else found
                if "IOB2" not in (own, found) and own != found:
                    raise DataError(f"{where(split, row, index)}: {tag!r} is no tag of {found}, "
                                    "which others are; fix: use one scheme")  # fmt: skip
                found = own
    if found == "IOB2":
        late, early = (_mistakes(tagged, prefix) for prefix in "IB")
        found = "IOB1" if len(late) > len(early) else "IOB2"
    return found


def _mistakes(tagged: Tagged, prefix: str) -> list[tuple[str, int, int]]:
    """Return where a tag with `prefix` follows no word of an entity of its type."""
    return [
        (split, row, index)
        for split, sentences in tagged.items()
        for row, tags in enumerate(sentences)
        for index, tag in enumerate(tags)
        if tag[0] == prefix and _before(tags, index)[2:] != tag[2:]
    ]


def _before(tags: Sequence[str], index: int) -> str:
    return tags[index - 1] if index else "O"


def _check_starts(tagged: Tagged, where: Where, scheme: str) -> None:
    wrong = _mistakes(tagged, "I" if scheme == "IOB2" else "B")
    if not wrong:
        return
    split, row, index = wrong[0]
    tag, before = tagged[split][row][index], _before(tagged[split][row], index)
    if scheme == "IOB2":
        reason, better = "in IOB2 an entity starts with B-", f"B-{tag[2:]}"
    else:
        reason = "in IOB1, as most tags are, B- is only between entities of one type"
        better = f"I-{tag[2:]}"
    raise DataError(f"{where(split, row, index)}: tag {tag!r} follows {before!r}; {reason}; "
                    f"fix: write {better!r}, or correct the tag before")  # fmt: skip


def _check_ends(tagged: Tagged, where: Where, scheme: str) -> None:
    """Refuse entities of BIOES or BILOU that do not start or do not end."""
    last, alone = ("E", "S") if scheme == "BIOES" else ("L", "U")
    for split, sentences in tagged.items():
        for row, tags in enumerate(sentences):
            for index, tag in enumerate([*tags, "O"]):
                before = _before(tags, index)
                is_open = before[0] in "BI"
                if is_open and not (tag[0] in ("I", last) and tag[2:] == before[2:]):
                    then = "the end of the sentence" if index == len(tags) else repr(tag)
                    better = f"{alone if before[0] == 'B' else last}-{before[2:]}"
                    raise DataError(
                        f"{where(split, row, index - 1)}: {then} follows tag {before!r}; in "
                        f"{scheme} an entity ends with {last}-, one of a single word has "
                        f"{alone}-; fix: write {better!r}, or correct the tag after it"
                    )
                if not is_open and tag[0] in ("I", last):
                    better = f"{'B' if tag[0] == 'I' else alone}-{tag[2:]}"
                    raise DataError(
                        f"{where(split, row, index)}: tag {tag!r} follows {before!r}; in {scheme} "
                        f"an entity starts with B-; fix: write {better!r}, or correct the tag "
                        "before"
                    )


def _converted(tags: Sequence[str], scheme: str) -> tuple[str, ...]:
    if scheme == "IOB2":
        return tuple(tags)
    if scheme == "IOB1":
        return tuple(
            f"B-{tag[2:]}" if tag[0] == "I" and _before(tags, index)[2:] != tag[2:] else tag
            for index, tag in enumerate(tags)
        )
    same = {"E": "I", "L": "I", "S": "B", "U": "B"}
    return tuple(same.get(tag[0], tag[0]) + tag[1:] for tag in tags)

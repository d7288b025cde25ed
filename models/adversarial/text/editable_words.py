"""The words of an example that an attack may edit, and their replacement.

Classification: the words of the text; of a pair those of the second text only, because the first
may be a target or a history that the attacker does not write. Dialogue: the words of the prompt; of
a conversation those of its last turn before the answer, which is the user's.
Entities: the words whose true tag is "O"; an edit inside an entity could change its true tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A word inside a token between white space: letters, perhaps joined by apostrophes or hyphens, with
# punctuation around it. Account names (@) and tokens with digits (dates, addresses) are no words.
_TOKEN = re.compile(r"[^\w\s@]*(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)[^\w\s@]*")


@dataclass(frozen=True)
class Place:
    """The position of a word: characters `start` to `end` of `text[part]`."""

    part: int
    start: int
    end: int


@dataclass(frozen=True)
class EditableText:
    """An example's text, the places of its editable words, and its number of words.

    `count` is the number of words in the edited part, or in the whole sentence for entities; shares
    of words refer to it. Punctuation alone is no word.
    """

    text: tuple[str, ...]
    places: tuple[Place, ...]
    count: int

    def word(self, index: int) -> str:
        """The word at `places[index]`."""
        place = self.places[index]
        return self.text[place.part][place.start : place.end]

    def replaced(self, changes: Mapping[int, str]) -> tuple[str, ...]:
        """Return the text with the words at some places replaced."""
        parts = list(self.text)
        for index in sorted(changes, reverse=True):  # from the end, so that positions stay valid
            place = self.places[index]
            part = parts[place.part]
            parts[place.part] = part[: place.start] + changes[index] + part[place.end :]
        return tuple(parts)


def editable(text: tuple[str, ...], kind: str, tags: Sequence[str] = ()) -> EditableText:
    """Return what an attack may edit in `text`; entities need the true `tags` of its words."""
    if kind == "entities":
        parts = [part for part, tag in enumerate(tags) if tag == "O"]
        count = sum(_count(word) for word in text)
    else:
        parts = [len(text) - (2 if kind == "dialogue" else 1)]
        count = _count(text[parts[0]])
    places = [place for part in parts for place in _places(part, text[part])]
    return EditableText(text, tuple(places), count)


def _places(part: int, text: str) -> list[Place]:
    places = []
    for token in re.finditer(r"\S+", text):
        match = _TOKEN.fullmatch(token.group())
        if match:
            start, end = match.span("word")
            places.append(Place(part, token.start() + start, token.start() + end))
    return places


def _count(text: str) -> int:
    return sum(any(map(str.isalnum, token)) for token in text.split())

"""Training examples that are repeated, or are also in validation or test.

A text in both training and evaluation makes a metric too optimistic: 391 of sst2's test sentences
are in the training split of subj.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from models.data.text.splits import TextExamples


class Repeats(NamedTuple):
    """`unique`: indices of the first examples of each text that is in training only.

    `repeated`: number of examples that repeat an earlier one in training; `leaked`: number of
    others that are also in validation or test.
    """

    unique: tuple[int, ...]
    repeated: int
    leaked: int


def normalised(text: str) -> str:
    """Return `text` case folded, with single spaces."""
    return " ".join(text.casefold().split())


def keys(examples: TextExamples, kind: str) -> list[str]:
    """Return the normalised text by which each example is recognised.

    The words of an entities sentence are joined, so that it is recognised in other kinds of data. A
    dialogue is recognised by what comes before its answer: the same question with another answer is
    a repeat.
    """
    if kind == "dialogue":
        return ["\n".join(map(normalised, texts[:-1])) for texts in examples.texts]
    if kind == "entities":
        return [normalised(" ".join(words)) for words in examples.texts]
    return ["\n".join(map(normalised, texts)) for texts in examples.texts]


def contained_in(train: TextExamples, others: Iterable[TextExamples], kind: str) -> frozenset[int]:
    """Return the indices of training examples that are also in `others`, evaluation splits.

    Without them a trained model may be transferred to the tasks of these splits.
    """
    others_keys = {key for examples in others for key in keys(examples, kind)}
    return frozenset(index for index, key in enumerate(keys(train, kind)) if key in others_keys)


def _own_keys(examples: TextExamples, kind: str) -> list[str]:
    """Return `keys`, of a ranking in their group: users may well differ about one item."""
    found = keys(examples, kind)
    if kind != "ranking" or examples.groups is None:
        return found
    return [f"{group}\n{key}" for group, key in zip(examples.groups, found, strict=True)]


def contradictions(splits: Mapping[str, TextExamples], kind: str) -> list[str]:
    """Return the texts, normalised, that have several labels over all splits; none in dialogue.

    Of a ranking they follow the group in which they have several grades.
    """
    if kind == "dialogue":
        return []
    labels: dict[str, set[Any]] = {}
    for examples in splits.values():
        for key, label in zip(_own_keys(examples, kind), examples.labels, strict=True):
            labels.setdefault(key, set()).add(label)
    return [key for key, found in labels.items() if len(found) > 1]


def find_repeats(splits: dict[str, TextExamples], kind: str) -> Repeats:
    """Find the examples of `splits["train"]` to keep so that every text is used once."""
    evaluated = {key for split in ("validation", "test") for key in _own_keys(splits[split], kind)}
    seen: set[str] = set()
    unique, repeated, leaked = [], 0, 0
    for index, key in enumerate(_own_keys(splits["train"], kind)):
        if key in seen:
            repeated += 1
        elif key in evaluated:
            leaked += 1
        else:
            unique.append(index)
        seen.add(key)
    return Repeats(tuple(unique), repeated, leaked)

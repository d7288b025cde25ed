"""Find training examples that are repeated, or stand in validation or test as well.

A text that is both trained on and judged by makes a figure look better than it is: of sst2's test
sentences 391 stand in the training split of subj.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from models.data.text.splits import TextExamples


class Repeats(NamedTuple):
    """`unique`: indices of training examples that are first of their text and judged nowhere.

    `repeated`: how many follow the same text in training; `leaked`: how many others stand in
    validation or test.
    """

    unique: tuple[int, ...]
    repeated: int
    leaked: int


def normalised(text: str) -> str:
    """`text` without regard to case and white space."""
    return " ".join(text.casefold().split())


def keys(examples: TextExamples, kind: str) -> list[str]:
    """One text an example by which it is recognised, normalised.

    A sentence of entities is its words in a row, so that it is recognised in other kinds of data. A
    dialogue is recognised by its prompt: the same question with another answer is known as well.
    """
    if kind == "dialogue":
        return [normalised(prompt) for prompt, _ in examples.texts]
    if kind == "entities":
        return [normalised(" ".join(words)) for words in examples.texts]
    return ["\n".join(map(normalised, texts)) for texts in examples.texts]


def judged_by(train: TextExamples, others: Iterable[TextExamples], kind: str) -> frozenset[int]:
    """Indices of training examples that stand among `others`, splits that models are judged by.

    So that what trains on them can be handed on to the tasks of these splits.
    """
    judged = {key for examples in others for key in keys(examples, kind)}
    return frozenset(index for index, key in enumerate(keys(train, kind)) if key in judged)


def find_repeats(splits: dict[str, TextExamples], kind: str) -> Repeats:
    """Which examples of `splits["train"]` to keep so that every text counts once; see `Repeats`."""
    judged = {key for split in ("validation", "test") for key in keys(splits[split], kind)}
    seen: set[str] = set()
    unique, repeated, leaked = [], 0, 0
    for index, key in enumerate(keys(splits["train"], kind)):
        if key in seen:
            repeated += 1
        elif key in judged:
            leaked += 1
        else:
            unique.append(index)
        seen.add(key)
    return Repeats(tuple(unique), repeated, leaked)

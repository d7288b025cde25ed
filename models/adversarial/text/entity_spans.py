"""Entities in a sequence of tags, counted for attacks.

The metrics of a model come from seqeval (models/scores/entities.py). This counts like its mode
"strict" under IOB2, but sentence by sentence and faster, and is tested against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class EntityCounts:
    """Entities of a sentence: true, predicted, and predicted correctly."""

    true: int
    predicted: int
    right: int


def entity_spans(tags: Sequence[str]) -> frozenset[tuple[str, int, int]]:
    """Return (type, first word, word after the last) of every entity; an I- needs its B-."""
    spans = set()
    start = 0
    while start < len(tags):
        end = start + 1
        if tags[start].startswith("B-"):
            while end < len(tags) and tags[end] == f"I-{tags[start][2:]}":
                end += 1
            spans.add((tags[start][2:], start, end))
        start = end
    return frozenset(spans)


def count_entities(truth: Sequence[str], predicted: Sequence[str]) -> EntityCounts:
    """Count the entities of one sentence; both sequences have one tag for each word.

    Raises:
        ValueError: the numbers of tags differ.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(predicted)} tags were predicted for {len(truth)} words")
    ours, theirs = entity_spans(truth), entity_spans(predicted)
    return EntityCounts(len(ours), len(theirs), len(ours & theirs))


def micro_f1(counts: Sequence[EntityCounts]) -> float:
    """Return the F1 over the entities of all sentences, in [0, 1]; 0 without any entity."""
    total = sum(count.true + count.predicted for count in counts)
    return 2 * sum(count.right for count in counts) / total if total else 0.0

"""Entities in a sequence of tags, for the attack's own counting.

The figures of a model are models/scores/entities.py's, by seqeval; this counts as its mode "strict"
under IOB2 does, a sentence at a time and without its cost, and is tested against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class EntityCounts:
    """Entities of a sentence: in truth, predicted, and predicted exactly as they are."""

    true: int
    predicted: int
    right: int


def entity_spans(tags: Sequence[str]) -> frozenset[tuple[str, int, int]]:
    """(type, first word, word after the last) of every entity; an I- without its B- is none."""
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
    """Counts for one sentence, one tag a word in both.

    Raises:
        ValueError: another number of tags than words.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(predicted)} tags were predicted for {len(truth)} words")
    ours, theirs = entity_spans(truth), entity_spans(predicted)
    return EntityCounts(len(ours), len(theirs), len(ours & theirs))


def micro_f1(counts: Sequence[EntityCounts]) -> float:
    """F1 over the entities of all sentences, in [0, 1]; 0 where there is no entity at all."""
    total = sum(count.true + count.predicted for count in counts)
    return 2 * sum(count.right for count in counts) / total if total else 0.0

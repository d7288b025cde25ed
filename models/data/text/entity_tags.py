"""Ids of entity tags: one list of names for all splits."""

from __future__ import annotations

from collections.abc import Mapping

from models.data.text.splits import TextExamples


def entity_types(examples: TextExamples) -> set[str]:
    """Return the types of the entities in examples whose labels are tags in IOB2."""
    return {tag[2:] for tags in examples.labels for tag in tags} - {""}


def number_tags(
    splits: Mapping[str, TextExamples],
) -> tuple[dict[str, TextExamples], tuple[str, ...]]:
    """Return the splits with tag ids as labels, and `("O", "B-a", "I-a", "B-b", ...)` by id.

    Both tags of every type of any split are included, so that the number of outputs does not depend
    on which tags a split contains.
    """
    types = sorted(set().union(*map(entity_types, splits.values())))
    names = ("O", *(f"{prefix}-{name}" for name in types for prefix in ("B", "I")))
    number = {name: index for index, name in enumerate(names)}
    numbered = {
        split: examples.labelled(tuple(number[tag] for tag in tags) for tags in examples.labels)
        for split, examples in splits.items()
    }
    return numbered, names

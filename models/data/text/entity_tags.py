"""Ids of entity tags: one list of names for all splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from models.data.text.splits import TextExamples


def tag_names(entity_types: Iterable[str]) -> tuple[str, ...]:
    """Return `("O", "B-a", "I-a", "B-b", "I-b", ...)` for the sorted, different `entity_types`.

    Both tags of every type are included, so that the number of outputs does not depend on which
    tags a split contains.
    """
    types = sorted(set(entity_types))
    return ("O", *(f"{prefix}-{name}" for name in types for prefix in ("B", "I")))


def number_tags(
    splits: Mapping[str, TextExamples],
) -> tuple[dict[str, TextExamples], tuple[str, ...]]:
    """Return the splits with tag ids as labels, and the names by id over all splits."""
    types = {
        tag[2:] for examples in splits.values() for tags in examples.labels for tag in tags
    } - {""}
    names = tag_names(types)
    number = {name: index for index, name in enumerate(names)}
    numbered = {
        split: examples.labelled(tuple(number[tag] for tag in tags) for tags in examples.labels)
        for split, examples in splits.items()
    }
    return numbered, names

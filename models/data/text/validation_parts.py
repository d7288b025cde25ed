"""The parts of a validation split of texts: the cut of images, for labels of every kind."""

from __future__ import annotations

import dataclasses

import numpy as np

from models.data.sources import DataError, Labels
from models.data.text.relevance import relevant_groups
from models.data.text.splits import TextExamples
from models.data.validation_split import cut


def validation_parts(examples: TextExamples, kind: str, seed: int) -> dict[str, TextExamples]:
    """Return the parts "selection", "objective" and "confirmation" of a validation split.

    Their sizes are those of `data/validation_split.py`. They keep the shares of the classes, and
    for entities those of the rarest entity type of a sentence, so that each part has examples of
    rare types, too. A group (a document, a conversation) is in one part.

    Args:
        examples: the validation split; entities have tag ids as labels.
        kind: one of `models.kinds.TEXT_KINDS`.
        seed: the seed of the cut.

    Raises:
        DataError: there are too few examples or groups, or a part has no group to be ranked.
    """
    try:
        parts = cut(_strata(examples, kind), seed, examples.groups)
    except ValueError as error:
        raise DataError(str(error)) from error
    names = [field.name for field in dataclasses.fields(parts)]
    found = {name: examples.take(getattr(parts, name)) for name in names}
    for name, part in found.items():
        if kind == "ranking" and not relevant_groups(part):
            raise DataError(
                f"the {name} part of the validation split has no group with a relevant item; "
                "fix: give more such groups, better 100 for each of the three parts"
            )
    return found


def _strata(examples: TextExamples, kind: str) -> Labels:
    """Return what the parts should have in equal shares, a number for each example (n,)."""
    if kind == "classification":
        return np.asarray(examples.labels, np.int64)
    if kind == "ranking":  # what is measured of a group depends on whether it has a relevant item
        relevant = relevant_groups(examples)
        return np.array([group in relevant for group in examples.groups or ()], np.int64)
    if kind != "entities":
        return np.zeros(len(examples), np.int64)
    # Tags are numbered O, B-a, I-a, B-b, ...: both tags of a type give its number, O gives 0.
    types = [{(tag + 1) // 2 for tag in tags} - {0} for tags in examples.labels]
    sentences = np.bincount([each for found in types for each in found] or [0])
    rarest = [min(found, key=lambda each: (sentences[each], each), default=0) for found in types]
    return np.asarray(rarest, np.int64)

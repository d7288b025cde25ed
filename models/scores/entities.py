"""Metrics of predicted entities, by seqeval, and the tables of their types and tags.

Mode is "strict" and the scheme IOB2 throughout: an entity is correct only if its type, its first
and its last word are, and a predicted I- without its B- is no entity (the CoNLL-2000 script would
count it). Undefined values (no such entity) are 0. Source: Tjong Kim Sang & De Meulder 2003,
section 2.3, for the metric; seqeval for the counting.
"""

from __future__ import annotations

from collections.abc import Sequence

Tags = Sequence[Sequence[str]]  # one tag per word, sentence by sentence


def entity_scores(truth: Tags, predicted: Tags) -> dict[str, float]:
    """Return micro precision, recall and F1 of entities, and the share of correct tags.

    Raises:
        ValueError: there are no sentences, or their lengths differ.
    """
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2

    _check(truth, predicted)
    precision, recall, f1, _ = precision_recall_fscore_support(
        *_lists(truth, predicted), average="micro", scheme=IOB2, zero_division=0
    )
    pairs = [
        pair for ours in zip(truth, predicted, strict=True) for pair in zip(*ours, strict=True)
    ]
    return {
        "f1.clean": float(f1),
        "precision.clean": float(precision),
        "recall.clean": float(recall),
        "accuracy.tokens": sum(a == b for a, b in pairs) / len(pairs),
    }


def entity_tables(truth: Tags, predicted: Tags, label_names: Sequence[str]) -> str:
    """Return two tables as text: entities per type (seqeval) and words per tag (scikit-learn).

    Each has precision, recall, F1, support and the micro, macro and weighted averages. The second
    leaves "O" out of its averages, which it would dominate.

    Raises:
        ValueError: as `entity_scores`.
    """
    from seqeval.metrics import classification_report as by_type
    from seqeval.scheme import IOB2
    from sklearn.metrics import classification_report as by_tag

    _check(truth, predicted)
    has_any = any(tag != "O" for tags in (*truth, *predicted) for tag in tags)
    # seqeval fails on a table without rows.
    types = (
        "(no entities)"
        if not has_any
        else by_type(
            *_lists(truth, predicted), mode="strict", scheme=IOB2, digits=4, zero_division=0
        )
    )
    tags = by_tag(
        [tag for sentence in truth for tag in sentence],
        [tag for sentence in predicted for tag in sentence],
        labels=[name for name in label_names if name != "O"], digits=4, zero_division=0,
    )  # fmt: skip
    return f"Entities by type (seqeval, strict, IOB2)\n\n{types}\nWords by tag, without O\n\n{tags}"


def _lists(truth: Tags, predicted: Tags) -> tuple[list[list[str]], list[list[str]]]:
    """Return both as lists, which seqeval needs."""
    return [list(sentence) for sentence in truth], [list(sentence) for sentence in predicted]


def _check(truth: Tags, predicted: Tags) -> None:
    if not truth:
        raise ValueError("no sentences to score")
    if [len(sentence) for sentence in truth] != [len(sentence) for sentence in predicted]:
        raise ValueError("the numbers of predicted and true tags of a sentence differ")

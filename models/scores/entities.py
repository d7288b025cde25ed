"""Metrics of predicted entities, by seqeval, and the tables of their types and tags.

Mode is "strict" and the scheme IOB2 throughout: an entity is correct only if its type, its first
and its last word are, and a predicted I- without its B- is no entity (the CoNLL-2000 script would
count it). Undefined values (no such entity) are 0. Source: Tjong Kim Sang & De Meulder 2003,
section 2.3, for the metric; seqeval for the counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

Tags = Sequence[Sequence[str]]  # one tag per word, sentence by sentence
AVERAGES = ("micro", "macro", "weighted")


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


def entity_tables(truth: Tags, predicted: Tags) -> str:
    """Return two tables as text: entities per type (seqeval) and words per tag (scikit-learn).

    Each has precision, recall, F1, support and their micro, macro and weighted averages. Those over
    tags are given with "O", which dominates them, and without it. A type or tag that is neither
    true nor predicted has no row, as in either library.

    Raises:
        ValueError: as `entity_scores`.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    _check(truth, predicted)
    has_any = any(tag != "O" for tags in (*truth, *predicted) for tag in tags)
    # seqeval fails on a table without rows.
    types = (
        "(no entities)"
        if not has_any
        else classification_report(
            *_lists(truth, predicted), mode="strict", scheme=IOB2, digits=4, zero_division=0
        ).rstrip()
    )
    tags = _tag_table([*chain(*truth)], [*chain(*predicted)])
    return f"Entities by type (seqeval, strict, IOB2)\n\n{types}\n\nWords by tag\n\n{tags}"


def _tag_table(truth: Sequence[str], predicted: Sequence[str]) -> str:
    """Return the rows of all words' tags, and of the averages over all tags and over all but O."""
    from sklearn.metrics import precision_recall_fscore_support

    names = sorted({*truth, *predicted}, key=lambda tag: (tag == "O", tag[2:], tag[:1]))
    number = {name: index for index, name in enumerate(names)}
    # Numbers, which scikit-learn counts ten times as fast as texts.
    words = [[number[tag] for tag in tags] for tags in (truth, predicted)]

    def score(over: Sequence[int], average: str | None) -> Sequence[Any]:
        found: Sequence[Any] = precision_recall_fscore_support(
            *words, labels=over, average=average, zero_division=0
        )
        return found

    every = range(len(names))
    columns = score(every, None)
    by_tag = zip(*columns, strict=True)
    rows = [(name, *map(float, row)) for name, row in zip(names, by_tag, strict=True)]
    without = [index for index in every if names[index] != "O"]
    for what, over in ((" avg", every), (" avg without O", without)):
        support = float(columns[3][list(over)].sum())
        rows += [
            (f"{average}{what}", *map(float, score(over, average)[:3]), support)
            for average in (AVERAGES if over else ())
        ]
    return _table(rows[: len(names)], rows[len(names) :])


def _table(*blocks: Sequence[tuple[Any, ...]]) -> str:
    """Return rows of a name, precision, recall, F1 and support as text, as seqeval writes them."""
    width = max(len(name) for block in blocks for name, *_ in block)
    lines = [f"{'':>{width}}  precision    recall  f1-score   support"]
    for block in blocks:
        lines.append("")
        lines += [
            f"{name:>{width}}  {p:9.4f} {r:9.4f} {f:9.4f} {n:9.0f}" for name, p, r, f, n in block
        ]
    return "\n".join(lines) + "\n"


def _lists(truth: Tags, predicted: Tags) -> tuple[list[list[str]], list[list[str]]]:
    """Return both as lists, which seqeval needs."""
    return [list(sentence) for sentence in truth], [list(sentence) for sentence in predicted]


def _check(truth: Tags, predicted: Tags) -> None:
    if not truth:
        raise ValueError("no sentences to score")
    if [len(sentence) for sentence in truth] != [len(sentence) for sentence in predicted]:
        raise ValueError("the numbers of predicted and true tags of a sentence differ")

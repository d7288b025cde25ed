"""The scores of a model that has learned nothing, from the labels of a data set alone.

Not for deciding whether a trained model is better: that takes its own scores and their noise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrivialScores:
    """What is reached without learning.

    Attributes:
        shares: Split ("validation", "test") -> share of its most frequent class, which is the
            accuracy of always answering it; empty for other kinds than images and classification.
        perplexity: Of a language model to which all tokens are equally likely; None for others.
    """

    shares: dict[str, float] = field(default_factory=dict)
    perplexity: float | None = None


def trivial_scores(splits: Any, vocabulary: int | None = None) -> TrivialScores:
    """Return the trivial scores on loaded data.

    Args:
        splits: `ImageSplits` or `TextSplits`.
        vocabulary: Number of tokens that a language model chooses from; not used for others.
    """
    if hasattr(splits, "test_labels"):
        labels = {"validation": splits.validation_labels, "test": splits.test_labels}
    elif splits.kind == "classification":
        labels = {"validation": splits.validation.labels, "test": splits.test.labels}
    elif splits.kind == "dialogue":
        return TrivialScores(perplexity=None if vocabulary is None else float(vocabulary))
    else:
        # Tagging every word as no entity has an F1 of 0; rankings are compared with popularity.
        return TrivialScores()
    return TrivialScores(
        {split: _majority(list(map(int, each))) for split, each in labels.items() if len(each)}
    )


def _majority(labels: list[int]) -> float:
    return max(Counter(labels).values()) / len(labels)

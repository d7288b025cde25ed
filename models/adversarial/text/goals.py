"""The objective of an attack on texts, by kind of task.

An attack lowers the pair (task metric, model score). The metric decides how good an edit is, the
score guides the search where the metric stays the same. The metric never rises under attack,
because an edit is kept only if it lowers the pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.adversarial.text.entity_spans import EntityCounts, count_entities, micro_f1
from models.scores.ranking import ROBUST_CUTOFF, Floats, rank_groups


@dataclass(frozen=True)
class TextPrediction:
    """A model's prediction for one text, compared with the truth of its example.

    Attributes:
        score: what an attack lowers, NaN for a model whose outputs are not finite, which is no
            answer; classification: true logit minus the best other, whose sign
            and order do not depend on the logits' scale; ranking: the relevance by which the item
            is ranked, negative for an item that is not relevant; entities and dialogue: mean
            log-probability of the true tags or answer tokens.
        is_correct: whether the likeliest class, grade, tags of all words or tokens of the answer
            are the true ones; only the goal of classification depends on it.
        tags: entities: the predicted tag of each word; else empty.
        share_correct: dialogue: share of the answer's tokens predicted, teacher-forced.
        tokens: dialogue: number of tokens of the answer, the weight of its share.
    """

    score: float
    is_correct: bool
    tags: tuple[str, ...]
    share_correct: float = 0.0
    tokens: int = 1

    @property
    def is_answer(self) -> bool:
        """Whether the outputs were finite; without an answer an example is misclassified."""
        return not math.isnan(self.score)


class Victim(Protocol):
    """A model under attack."""

    def predict(
        self, texts: Sequence[tuple[str, ...]], examples: Sequence[int]
    ) -> list[TextPrediction]:
        """Predict each text and compare it with the truth of its example.

        `examples` are indices into the data under attack, one for each text. There may be any
        number of texts; a prediction must not depend on the others.
        """


@dataclass(frozen=True)
class Evaluated:
    """A prediction evaluated for the attacker: it lowers `metric` first, then `score`."""

    prediction: TextPrediction
    metric: float
    is_misclassified: bool  # no edit can lower the metric further

    @property
    def key(self) -> tuple[float, float]:
        """Sort key; NaN is the lowest score, so a model that returns it is not robust."""
        return self.metric, self.prediction.score if self.prediction.is_answer else -math.inf


@dataclass(frozen=True)
class Goal:
    """What to lower: `evaluate` gives it for one text, `total` is the task's metric in [0, 1].

    Both take predictions and the examples that they belong to.
    """

    evaluate: Callable[[TextPrediction, int], Evaluated]
    total: Callable[[Sequence[TextPrediction], Sequence[int]], float]


def classification_goal() -> Goal:
    """Lower the accuracy; a text is misclassified once its class is wrong."""

    def is_right(predicted: TextPrediction) -> bool:
        return predicted.is_correct and predicted.is_answer

    def evaluate(predicted: TextPrediction, example: int) -> Evaluated:
        return Evaluated(predicted, float(is_right(predicted)), not is_right(predicted))

    def total(predicted: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        return sum(map(is_right, predicted)) / len(predicted)

    return Goal(evaluate, total)


def ranking_goal(
    grades: Callable[[int], float],
    groups: Callable[[int], str],
    clean: Sequence[TextPrediction],
    examples: Sequence[int],
) -> Goal:
    """Lower the NDCG@10 of whole groups: relevant items go down, the others up.

    Each item is attacked alone, to its caps. With more grades than two the items of the higher ones
    may end up in a better order than before; the edits of such a group are not counted.

    Args:
        grades: the grade of an example, 0 for not relevant.
        groups: the group of an example.
        clean: predictions for the unedited texts of all `examples`.
        examples: indices of the examples.
    """

    def evaluate(predicted: TextPrediction, example: int) -> Evaluated:
        if not predicted.is_answer:
            return Evaluated(predicted, -math.inf, True)
        return Evaluated(predicted, predicted.score, False)

    def ndcg(predicted: Sequence[TextPrediction], examples: Sequence[int]) -> Floats:
        truth = np.array([grades(each) for each in examples], np.float64)
        scores = ranked_by(truth, predicted)
        ranked = rank_groups(truth, scores, [groups(each) for each in examples])
        return ranked.values[f"ndcg_at_{ROBUST_CUTOFF}.clean"]

    before = ndcg(clean, examples)

    def total(predicted: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        return float(np.minimum(before, ndcg(predicted, examples)).mean())

    return Goal(evaluate, total)


def ranked_by(grades: Floats, predicted: Sequence[TextPrediction]) -> Floats:
    """Return what items are ranked by, (items,), of their grades and what attacks lower.

    One without an answer takes the worst place: the last if it is relevant, else the first.
    """
    scores = [one.score if one.is_answer else -math.inf for one in predicted]
    return np.asarray(np.where(grades > 0, 1.0, -1.0) * np.array(scores))


def dialogue_goal() -> Goal:
    """Lower the share of answer tokens predicted; misclassified means that none is."""

    def share(predicted: TextPrediction) -> float:
        return predicted.share_correct if predicted.is_answer else 0.0

    def evaluate(predicted: TextPrediction, example: int) -> Evaluated:
        return Evaluated(predicted, share(predicted), share(predicted) <= 0)

    def total(predicted: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        tokens = sum(one.tokens for one in predicted)
        return sum(share(one) * one.tokens for one in predicted) / max(tokens, 1)

    return Goal(evaluate, total)


def entities_goal(
    truth: Callable[[int], Sequence[str]], clean: Sequence[TextPrediction], examples: Sequence[int]
) -> Goal:
    """Lower the entity F1 of the whole set.

    The set's F1 is a ratio, 2 right / (true + predicted), so the contribution of one sentence
    depends on the others. We lower 2 right - F predicted, where F is the clean F1, in each sentence
    alone: by Dinkelbach 1967 the set's F1 can then only fall (if the sum of numerator - F
    denominator is below 0, the ratio is below F). A sentence counts as misclassified once none of
    its entities is found; one without entities, once one is predicted. One wrong tag is not enough,
    because F1 counts how many entities are lost.

    Args:
        truth: the true tags of an example, one for each word.
        clean: predictions for the unedited texts of all `examples`.
        examples: indices of the examples.
    """

    def count(predicted: TextPrediction, example: int) -> EntityCounts:
        tags = truth(example)
        return count_entities(tags, predicted.tags if predicted.is_answer else ["O"] * len(tags))

    def total(predicted: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        return micro_f1(
            [count(one, example) for one, example in zip(predicted, examples, strict=True)]
        )

    clean_f1 = total(clean, examples)

    def evaluate(predicted: TextPrediction, example: int) -> Evaluated:
        counts = count(predicted, example)
        is_misclassified = counts.right == 0 if counts.true else counts.predicted > 0
        return Evaluated(
            predicted, 2 * counts.right - clean_f1 * counts.predicted,
            is_misclassified or not predicted.is_answer,
        )  # fmt: skip

    return Goal(evaluate, total)

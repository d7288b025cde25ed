"""What an attack on texts wants: how a model's judgement of an edited text is weighed, by kind.

Every goal has the task's own figure first and the model's score second. The figure decides what a
text is worth to the attacker, the score shows the way where the figure stays the same. Under
attack no figure rises, for an edit is kept only if it lowers the pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.adversarial.text.entity_spans import EntityCounts, count_entities, micro_f1


@dataclass(frozen=True)
class TextPrediction:
    """A model's judgement of one text, against the truth of the example it was made from.

    Attributes:
        score: what an attack lowers; classification: true logit minus the best other, so that
            neither sign nor order depends on the logits' scale; entities and dialogue: mean
            log-probability of the true tags or answer tokens.
        is_correct: classification: whether the class is right; entities: all tags are;
            dialogue: unused.
        tags: entities: the predicted tag of each word; else empty.
        share_correct: dialogue: share of the answer's tokens predicted, teacher-forced.
        tokens: dialogue: how many tokens the answer has, which is the weight of its share.
    """

    score: float
    is_correct: bool
    tags: tuple[str, ...]
    share_correct: float = 0.0
    tokens: int = 1


class Victim(Protocol):
    """A model under attack."""

    def judge(
        self, texts: Sequence[tuple[str, ...]], examples: Sequence[int]
    ) -> list[TextPrediction]:
        """Judge each text against the truth of the example that it was made from.

        `examples` are indices into the data under attack, one a text. Batches of any size come,
        so it cuts them itself; a judgement must not depend on what else is in its batch.
        """


@dataclass(frozen=True)
class Weighed:
    """A judgement as the attacker sees it: lower `figure`, then lower `score` is better for it."""

    judged: TextPrediction
    figure: float
    is_broken: bool  # nothing is left to gain

    @property
    def key(self) -> tuple[float, float]:
        """To be compared; a NaN is as low as can be, so a model that yields it is not robust."""
        score = self.judged.score
        return self.figure, -math.inf if math.isnan(score) else score


@dataclass(frozen=True)
class Goal:
    """What to lower: `weigh` says it for one text, `total` is the task's figure over many.

    Both take the example(s) beside the judgement(s); `total` lies in [0, 1].
    """

    weigh: Callable[[TextPrediction, int], Weighed]
    total: Callable[[Sequence[TextPrediction], Sequence[int]], float]


def classification_goal() -> Goal:
    """Lower accuracy: a text is broken once its class is wrong."""

    def is_right(judged: TextPrediction) -> bool:
        return judged.is_correct and not math.isnan(judged.score)

    def weigh(judged: TextPrediction, example: int) -> Weighed:
        return Weighed(judged, float(is_right(judged)), not is_right(judged))

    def total(judged: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        return sum(map(is_right, judged)) / len(judged)

    return Goal(weigh, total)


def dialogue_goal() -> Goal:
    """Lower the share of answer tokens predicted: broken once none is."""

    def weigh(judged: TextPrediction, example: int) -> Weighed:
        return Weighed(judged, judged.share_correct, judged.share_correct <= 0)

    def total(judged: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        tokens = sum(one.tokens for one in judged)
        return sum(one.share_correct * one.tokens for one in judged) / max(tokens, 1)

    return Goal(weigh, total)


def entities_goal(
    truth: Callable[[int], Sequence[str]], clean: Sequence[TextPrediction], examples: Sequence[int]
) -> Goal:
    """Lower the entity F1 of the whole set.

    The set's F1 is a ratio, 2 right / (true + predicted), so what one sentence adds to it depends
    on the others. We lower 2 right - F predicted, where F is the clean F1, in each sentence alone:
    by Dinkelbach 1967 the set's F1 can then only fall (where the sum of numerator - F denominator
    is below 0, the ratio is below F). A sentence is broken once none of its entities is found; one
    without entities, once one is predicted. That a tag is wrong would be too little, as F1 counts
    how many entities are lost.

    Args:
        truth: the true tags of an example, one a word.
        clean: judgements of the unedited texts of all `examples`.
        examples: which they are.
    """

    def count(judged: TextPrediction, example: int) -> EntityCounts:
        return count_entities(truth(example), judged.tags)

    def total(judged: Sequence[TextPrediction], examples: Sequence[int]) -> float:
        return micro_f1(
            [count(one, example) for one, example in zip(judged, examples, strict=True)]
        )

    clean_f1 = total(clean, examples)

    def weigh(judged: TextPrediction, example: int) -> Weighed:
        counts = count(judged, example)
        is_broken = counts.right == 0 if counts.true else counts.predicted > 0
        return Weighed(judged, 2 * counts.right - clean_f1 * counts.predicted, is_broken)

    return Goal(weigh, total)

"""Attacks on rankings: relevant items go down, the others up, in whole groups."""

from collections.abc import Callable, Sequence

import pytest

from models.adversarial.text.attack import AttackResult, TextPrediction, attack_texts
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples

Text = tuple[str, ...]
GRADES = ("0", "1", "2")


class Ranker:
    """Gives an item the relevance that `rank` says, as the model's victim does."""

    def __init__(self, data: TextExamples, rank: Callable[[Text], float]) -> None:
        self._data, self._rank = data, rank

    def predict(self, texts: Sequence[Text], examples: Sequence[int]) -> list[TextPrediction]:
        signs = [1 if self._data.labels[example] > 0 else -1 for example in examples]
        return [
            TextPrediction(sign * self._rank(text), False, ())
            for sign, text in zip(signs, texts, strict=True)
        ]


def attacked(data: TextExamples, rank: Callable[[Text], float], **threat: int) -> AttackResult:
    given = TextThreat(cheap_examples=1, **threat)  # type: ignore[arg-type]
    return attack_texts(Ranker(data, rank), data, GRADES, given, "ranking", None)


PAIR = TextExamples(
    (("likes tea", "chamomile tea"), ("likes tea", "cold water")), (1, 0), ("a", "a")
)


def knows_the_item(text: Text) -> float:
    return float("chamomile" in text[1])


def test_a_typo_in_a_relevant_item_costs_the_ranking() -> None:
    result = attacked(PAIR, knows_the_item)
    # After it both items have no relevance: of two items in any order, NDCG is the mean of 1 and
    # 1 / log2(3).
    assert result.clean == 1.0 and result.robust == pytest.approx((1 + 0.6309298) / 2)
    relevant, other = result.texts
    assert relevant.is_worse and relevant.adversarial[0] == "likes tea"
    assert "chamomile" not in relevant.adversarial[1] and not other.is_worse


def test_an_item_that_is_not_relevant_is_pushed_up() -> None:
    result = attacked(
        PAIR, lambda text: 0.5 if text[1] == "chamomile tea" else float("cold" not in text[1])
    )
    assert result.robust == pytest.approx(0.6309298)


def test_a_ranker_that_does_not_read_the_item_loses_nothing() -> None:
    result = attacked(PAIR, lambda text: 0.3)
    assert result.clean == result.robust


def test_edits_that_would_improve_a_group_of_several_grades_are_not_counted() -> None:
    # Both are relevant, so both go down; the first falls further, which is the right order.
    data = TextExamples((("q", "alpha"), ("q", "beta")), (1, 2), ("a", "a"))
    falls = {"alpha": (0.9, 0.0), "beta": (0.8, 0.7)}

    def rank(text: Text) -> float:
        first = text[1][0]
        before, after = falls["alpha" if first == "a" else "beta"]
        return before if text[1] in falls else after

    result = attacked(data, rank)
    assert result.clean == result.robust < 1


def test_groups_are_attacked_whole_and_only_those_with_a_relevant_item() -> None:
    texts = tuple(("q", f"item {number}") for number in range(40))
    labels = tuple(int(number % 4 == 0 and number < 20) for number in range(40))
    data = TextExamples(texts, labels, tuple(f"g{number // 4}" for number in range(40)))
    result = attacked(data, lambda text: 0.0, examples=9)
    found = [text.example for text in result.texts]
    assert len(found) == 8 and max(found) < 20
    assert all(sum(each // 4 == group for each in found) in (0, 4) for group in range(5))

"""Bootstrap intervals agree with resampling sentences by hand, and say what chance does."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from seqeval.metrics import f1_score as entity_f1
from seqeval.scheme import IOB2
from sklearn.metrics import f1_score

from models.adversarial.text.entity_spans import count_entities
from models.scores.bootstrap import (
    RESAMPLES,
    count_classes,
    count_sentences,
    f1_interval,
    f1_of,
    mean_interval,
)

TAGS = ("O", "O", "O", "B-a", "I-a", "B-b")
# The 2.5 % quantile of 300 draws of a normal has a standard error of 0.15 standard deviations, that
# of 2,000 draws 0.06: together 0.17, which is 0.042 of the interval's width of 3.9. Five of them.
TOLERANCE = 0.2


def sentences(n: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Random tags, and predictions of which a third of the sentences are wrong."""
    generator = np.random.default_rng(seed)
    truth = [list(generator.choice(TAGS, generator.integers(1, 9))) for _ in range(n)]
    wrong = generator.random(n) < 1 / 3
    predicted = [
        list(generator.choice(TAGS, len(tags))) if is_wrong else tags
        for tags, is_wrong in zip(truth, wrong, strict=True)
    ]
    return truth, predicted


def counted(truth: list[list[str]], predicted: list[list[str]]):
    pairs = [count_entities(*pair) for pair in zip(truth, predicted, strict=True)]
    return count_sentences((each.right, each.predicted, each.true) for each in pairs)


def test_the_interval_of_entity_f1_is_that_of_seqeval_on_resampled_sentences() -> None:
    truth, predicted = sentences(60, seed=1)
    low, high = f1_interval(counted(truth, predicted), seed=0)
    generator = np.random.default_rng(7)
    slow = []
    for _ in range(300):
        drawn = generator.integers(0, len(truth), len(truth))
        ours, theirs = [truth[i] for i in drawn], [predicted[i] for i in drawn]
        slow.append(entity_f1(ours, theirs, mode="strict", scheme=IOB2, zero_division=0))
    expected = np.quantile(slow, [0.025, 0.975])
    assert [low, high] == pytest.approx(expected, abs=TOLERANCE * (high - low))


def test_the_interval_of_macro_f1_is_that_of_scikit_learn_on_resampled_examples() -> None:
    generator = np.random.default_rng(3)
    truth = generator.choice(3, 80, p=[0.6, 0.3, 0.1])
    predicted = np.where(generator.random(80) < 0.7, truth, generator.integers(0, 3, 80))
    low, high = f1_interval(count_classes(truth, predicted, 3), seed=0)
    slow = []
    for _ in range(300):
        drawn = generator.integers(0, 80, 80)
        slow.append(f1_score(truth[drawn], predicted[drawn], labels=[0, 1, 2], average="macro",
                             zero_division=0))  # fmt: skip
    expected = np.quantile(slow, [0.025, 0.975])
    assert [low, high] == pytest.approx(expected, abs=TOLERANCE * (high - low))


def test_the_counts_give_the_f1_itself() -> None:
    truth, predicted = sentences(40, seed=2)
    found = counted(truth, predicted)
    totals = np.tensordot(found.examples, found.kinds, axes=1).astype(float)
    assert f1_of(totals) == pytest.approx(entity_f1(truth, predicted, mode="strict", scheme=IOB2))
    classes = count_classes([0, 0, 1, 1], [0, 1, 1, 1], 3)
    totals = np.tensordot(classes.examples, classes.kinds, axes=1).astype(float)
    # By hand: 2/3, 4/5, and 0 for the class that does not occur.
    assert f1_of(totals) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    # Without an answer for the first: 2 * 0 / (0 + 2), and the others as they are.
    classes = count_classes([0, 0, 1, 1], [-1, 1, 1, 1], 3)
    totals = np.tensordot(classes.examples, classes.kinds, axes=1).astype(float)
    assert f1_of(totals) == pytest.approx((0 + 4 / 5 + 0) / 3)


def test_few_sentences_give_a_wider_interval_than_many() -> None:
    def width(n: int) -> float:
        low, high = f1_interval(counted(*sentences(n, seed=4)), seed=0)
        return high - low

    # A hundred times the sentences, a tenth of the width, but for the two samples' own F1.
    assert 5 < width(32) / width(3200) < 20


def test_an_interval_follows_its_seed() -> None:
    found = counted(*sentences(50, seed=5))
    assert f1_interval(found, 1) == f1_interval(found, 1) != f1_interval(found, 2)
    assert RESAMPLES >= 1000  # what Efron & Tibshirani ask for


def test_nothing_to_find_is_zero_and_a_perfect_tagger_certain() -> None:
    assert f1_interval(count_sentences([(0, 0, 0)] * 5), 0) == (0, 0)
    assert f1_interval(count_sentences([(1, 1, 1)] * 5), 0) == (1, 1)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for draw in range(200):
        low, high = mean_interval(generator.beta(2, 3, 100), seed=draw)
        covered += low <= 0.4 <= high  # the mean of this distribution is 2 / 5
    # Binomial(200, 0.95) lies within 4 sigmas (12.3) of 190 but for 1 in 10,000; percentiles of
    # 100 values cover about 94 %.
    assert 176 <= covered


def test_the_interval_of_one_value_is_that_value() -> None:
    assert mean_interval(np.full(30, 0.5)) == (0.5, 0.5)


def test_the_interval_of_many_groups_needs_little_memory() -> None:
    values = np.random.default_rng(0).random(20_000)
    tracemalloc.start()
    low, high = mean_interval(values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 1.96 standard errors of a uniform variable on both sides; the ends vary by 2 % of the width.
    assert high - low == pytest.approx(2 * 1.96 * (1 / 12 / 20_000) ** 0.5, rel=0.1)
    assert peak < 50e6  # all 2,000 resamples at once take 640 MB

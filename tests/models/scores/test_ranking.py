"""Metrics of ranked groups: scikit-learn's NDCG, and values counted by hand."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from models.scores.ranking import CUTOFFS, popularity, rank_groups, ranking_table


def _floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _means(grades: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return rank_groups(grades, scores, ["one"] * len(grades)).means()


@pytest.mark.parametrize("seed", range(60))
def test_ndcg_is_that_of_scikit_learn_with_ties_and_several_grades(seed: int) -> None:
    generator = np.random.default_rng(seed)
    items = int(generator.integers(2, 30))
    grades = generator.integers(0, 1 + int(generator.integers(1, 5)), items).astype(float)
    grades[0] = 1.0
    # Few different values, so that most groups have ties.
    scores = generator.integers(0, int(generator.integers(1, 12)), items).astype(float)
    found = _means(grades, scores)
    for cutoff in CUTOFFS:
        theirs = ndcg_score(grades[None], scores[None], k=cutoff)
        assert found[f"ndcg_at_{cutoff}.clean"] == pytest.approx(theirs, abs=1e-12)


def test_ndcg_of_several_groups_is_the_mean_that_scikit_learn_takes() -> None:
    generator = np.random.default_rng(1)
    grades = generator.integers(0, 3, (20, 12)).astype(float)
    grades[:, 0] = 1
    scores = np.round(generator.normal(size=(20, 12)), 1)
    groups = [f"user {row}" for row in range(20) for _ in range(12)]
    order = generator.permutation(240)  # items of a group need not be neighbours
    found = rank_groups(
        grades.ravel()[order], scores.ravel()[order], [groups[place] for place in order]
    ).means()
    assert found["ndcg_at_10.clean"] == pytest.approx(ndcg_score(grades, scores, k=10))


def test_ranks_are_counted_by_hand() -> None:
    # In order of scores: not relevant, relevant, not relevant, relevant.
    found = _means(_floats(1, 0, 1, 0), _floats(0.1, 0.2, 0.6, 0.9))
    assert found["mrr.clean"] == 1 / 2
    assert found["hit_rate_at_1.clean"] == 0 and found["hit_rate_at_3.clean"] == 1
    assert found["ndcg_at_1.clean"] == 0
    discounted = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert found["ndcg_at_10.clean"] == pytest.approx(discounted)


@pytest.mark.parametrize("scores", [(2, 1, 1, 1, 0), (1, 1, 1, 1, 1), (0, 0, 1, 1, 1)])
def test_reciprocal_rank_and_hits_are_means_over_all_orders_of_ties(
    scores: tuple[float, ...],
) -> None:
    grades = (0, 1, 0, 2, 0)
    ranks = []
    for order in permutations(range(5)):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            ranks.append(next(rank for rank, item in enumerate(order, 1) if grades[item]))
    found = _means(_floats(*grades), _floats(*scores))
    assert found["mrr.clean"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    for cutoff in (1, 3):
        share = np.mean([rank <= cutoff for rank in ranks])
        assert found[f"hit_rate_at_{cutoff}.clean"] == pytest.approx(share)


def test_a_group_without_a_relevant_item_is_left_out_and_counted() -> None:
    found = rank_groups(_floats(1, 0, 0, 0), _floats(1, 0, 1, 0), ["a", "a", "b", "b"])
    assert found.left_out == 1
    assert found.values["mrr.clean"].tolist() == [1.0]
    assert found.means()["ndcg_at_10.clean"] == 1.0


def test_only_groups_without_a_relevant_item_are_refused() -> None:
    with pytest.raises(ValueError, match="no group has a relevant item"):
        rank_groups(_floats(0, 0), _floats(1, 2), ["a", "b"])


def test_a_score_of_nan_is_the_lowest() -> None:
    assert _means(_floats(1, 0), _floats(np.nan, -5))["mrr.clean"] == 1 / 2


def test_a_group_of_one_item_is_ranked_right() -> None:
    assert set(_means(_floats(1), _floats(0)).values()) == {1.0}


def test_popularity_counts_the_grades_that_an_item_had_in_training() -> None:
    items, grades = ["tea", "tea", "milk", "milk", "salt"], _floats(1, 1, 2, 0, 0)
    assert popularity(items, grades, ["milk", "tea", "rum", "salt"]).tolist() == [2, 2, 0, 0]


def test_the_table_has_both_rankings_with_their_intervals() -> None:
    good = rank_groups(_floats(1, 0, 1, 0), _floats(1, 0, 1, 0), ["a", "a", "b", "b"])
    poor = rank_groups(_floats(1, 0, 1, 0), _floats(0, 1, 0, 1), ["a", "a", "b", "b"])
    table = ranking_table({"model": good, "popularity": poor})
    lines = {line.split()[0]: line for line in table.splitlines()[3:]}
    assert "1.0000 (1.0000 to 1.0000)" in lines["ndcg_at_10"]
    assert "0.5000 (0.5000 to 0.5000)" in lines["mrr"] and "hit_rate_at_5" in lines

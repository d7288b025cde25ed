"""The first rung of the curves benchmark: the default, or what history says."""

from __future__ import annotations

from optuna.trial import create_trial

from benchmarks.curves.recorded import DISTRIBUTIONS, EPOCHS
from benchmarks.curves.run import GRACE, METRIC, rung_of
from search.history import History
from search.space import SearchSpace

SPACE = SearchSpace.from_distributions(dict(DISTRIBUTIONS))


def history(crossing: int) -> History:
    """One task of 20 trials whose curves are in the opposite order before an epoch."""
    trials = [
        create_trial(
            params=dict.fromkeys(DISTRIBUTIONS, number / 20), distributions=dict(DISTRIBUTIONS),
            value=float(number),
            intermediate_values={
                epoch: float(number if epoch >= crossing else -number)
                for epoch in range(1, EPOCHS + 1)
            },
        )
        for number in range(20)
    ]  # fmt: skip
    return History.from_studies({"past": trials}, ["minimize"], objectives=[METRIC])


def test_halving_by_history_begins_where_past_curves_have_crossed() -> None:
    assert rung_of(history(26), SPACE) == 26


def test_without_history_it_begins_where_the_default_does() -> None:
    assert rung_of(None, SPACE) == GRACE

"""A renamed history records its renames and never makes two names one."""

from __future__ import annotations

from pathlib import Path

from search.history import History
from tests.support.earlier_searches import SGD, earlier


def old_history() -> History:
    curves = [{"metric": "error", "epoch": 1, "value": 0.3}]
    return earlier([SGD], objectives=["error"], directions=["minimize"], curves=curves)


def test_what_was_renamed_is_remembered_by_a_second_renaming_and_by_parquet(tmp_path: Path) -> None:
    once = old_history().renamed({"width": "channels"})
    twice = once.renamed(metrics={"error": "accuracy.clean"})
    assert twice.renames.hyperparameters == {("s1", "width", "channels"): 1}
    assert twice.renames.metrics == {"accuracy.clean"}
    twice.to_parquet(tmp_path / "history.parquet")
    assert History.from_parquet(tmp_path / "history.parquet").renames == twice.renames


def test_a_metric_is_renamed_as_objective_and_curve_or_as_neither() -> None:
    (trial,) = old_history().renamed(metrics={"error": "accuracy.clean"}).prior_trials()
    assert trial.metrics == ("accuracy.clean",) and set(trial.curves) == {"accuracy.clean"}
    curves = [{"metric": name, "epoch": 1, "value": 0.3} for name in ("error", "accuracy.clean")]
    both = earlier([SGD], objectives=["error"], directions=["minimize"], curves=curves)
    (trial,) = both.renamed(metrics={"error": "accuracy.clean"}).prior_trials()
    assert trial.metrics == ("error",) and set(trial.curves) == {"error", "accuracy.clean"}

from __future__ import annotations

from pathlib import Path

import pytest

from search.review.gathering import gather
from search.spec import HistorySettings
from tests.search.tracking.foreign.test_by_hand import Hand


@pytest.mark.slow
def test_runs_that_a_spec_declares_to_be_of_its_task_are(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.log({"lr": 0.1}, {"accuracy": [0.5]})
    settings = HistorySettings(
        experiments=["digits*"], same_task=["mine"],
        rename={"lr": "sgd.learning_rate"}, rename_metrics={"accuracy": "accuracy.clean"},
    )  # fmt: skip
    (trial,) = gather(hand.uri, settings, task="digits-cnn@1").prior_trials("digits-cnn@1")
    assert trial.configuration == {"sgd.learning_rate": 0.1}
    assert trial.value_of("accuracy.clean") == 0.5


def test_history_that_is_switched_off_reads_nothing() -> None:
    assert len(gather("sqlite:////nowhere/at/all.db", HistorySettings(enabled=False))) == 0

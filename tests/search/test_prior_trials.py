from __future__ import annotations

import math
from typing import Any

from search.prior_trials import PriorTrial


def prior(**changes: Any) -> PriorTrial:
    fields: dict[str, Any] = {
        "task": "t", "search": "s", "number": 0, "run_id": "r", "state": "complete",
        "configuration": {}, "objectives": ("accuracy.clean", "accuracy.pgd10_linf_0.1"),
        "directions": ("maximize", "maximize"), "values": (0.9, 0.5), "epoch": 3,
        "curves": {"seconds.train": {1: 5.0, 3: 4.0}}, "origin": {},
    }  # fmt: skip
    return PriorTrial(**(fields | changes))


def test_robust_accuracy_under_another_threat_is_the_counterpart() -> None:
    trial = prior()
    assert trial.counterpart("accuracy.pgd10_linf_8_255") == "accuracy.pgd10_linf_0.1"
    assert trial.value_of("accuracy.pgd20x2_l2_0.5") == 0.5
    assert trial.value_of("accuracy.clean") == 0.9


def test_clean_accuracy_and_fgsm_are_no_counterpart_of_robust_accuracy() -> None:
    assert prior().counterpart("accuracy.fgsm_linf_0.1") is None
    assert math.isnan(prior(objectives=("accuracy.clean", "loss")).value_of("accuracy.pgd5_l2_1"))


def test_the_same_threat_comes_before_another_of_the_same_role() -> None:
    both = ("accuracy.pgd10_linf_0.2", "accuracy.pgd10_linf_0.1")
    trial = prior(objectives=both, values=(0.2, 0.6))
    assert trial.value_of("accuracy.pgd10_linf_0.1") == 0.6
    assert trial.counterpart("accuracy.pgd10_linf_0.3") is None, "two candidates are none"


def test_a_metric_that_was_no_objective_counts_with_its_last_epoch() -> None:
    assert prior().value_of("seconds.train") == 4.0

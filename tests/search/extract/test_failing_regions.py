"""Where trials fail most, in words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.extract.failing_regions import failing_regions, failure_line
from search.history import Trial
from search.space import SearchSpace

SPACE = SearchSpace(
    {"rate": FloatDistribution(0.0, 1.0), "other": FloatDistribution(0.0, 1.0),
     "kind": CategoricalDistribution(("a", "b"))}
)  # fmt: skip


def trials(fails: Any, count: int = 40) -> list[Trial]:
    generator = np.random.default_rng(0)
    drawn = [SPACE.random_configuration(generator) for _ in range(count)]
    has_failed = [fails(each) for each in drawn]
    return [
        Trial(state="failed" if failed else "complete", configuration=each,
              reason="out of memory" if failed else "")
        for each, failed in zip(drawn, has_failed, strict=True)
    ]  # fmt: skip


def test_a_region_is_one_side_of_a_value() -> None:
    found = failing_regions(trials(lambda each: each["rate"] > 0.6), SPACE)
    assert found[0].hyperparameter == "rate"
    assert found[0].where.startswith("above 0.5")
    assert found[0].failed == found[0].trials
    below = failing_regions(trials(lambda each: each["rate"] < 0.4), SPACE)
    assert below[0].where.startswith("below 0.")


def test_a_region_may_be_a_choice() -> None:
    (found,) = failing_regions(trials(lambda each: each["kind"] == "b"), SPACE)
    assert (found.hyperparameter, found.where) == ("kind", "b")
    # The deviance of a perfect split: twice the entropy of all, in nats.
    share = found.failed / 40
    entropy = -40 * (share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.deviance == pytest.approx(2 * entropy)


def test_many_trials_take_no_longer_than_to_sort_them() -> None:
    many = trials(lambda each: each["rate"] > 0.6, count=20_000)
    began = time.process_time()
    found = failing_regions(many, SPACE)
    # 0.3 s; comparing every cut with every trial takes 30.
    assert time.process_time() - began < 10
    assert found[0].failed == found[0].trials == sum(bool(each.cause) for each in many)


def test_failures_that_are_chance_name_no_region() -> None:
    """A tenth fails whatever the configuration; of 20 such histories at most 1 names a region."""
    chances = [np.random.default_rng(seed) for seed in range(20)]
    found = [
        failing_regions(trials(lambda _, chance=each: chance.random() < 0.1), SPACE)
        for each in chances
    ]
    assert sum(map(bool, found)) <= 1


def test_the_line_says_how_many_failed_of_what_and_where() -> None:
    known = trials(lambda each: each["kind"] == "b")
    failed = sum(each.state == "failed" for each in known)
    assert failure_line(known, SPACE, is_avoided=True) == (
        f"{failed} of 40 trials failed (out of memory {failed}), most of kind b ({failed} of "
        f"{failed}); configurations like these are tried less"
    )
    assert "avoided" not in failure_line(known, SPACE, is_avoided=False)


def test_without_a_failure_there_is_no_line() -> None:
    assert failure_line(trials(lambda each: False), SPACE, is_avoided=True) == ""
    assert failure_line([], SPACE, is_avoided=True) == ""
    assert failure_line(trials(lambda each: True), SPACE, is_avoided=True) == ""

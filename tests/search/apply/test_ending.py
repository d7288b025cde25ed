"""Ending: the evidence that it takes, and the numbers that it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from search.apply.ending import may_end_early, revalidation_lines, why_end
from search.apply.prior_data import PriorData
from search.apply.proposal_source import Proposal
from search.history import Trial
from search.history.revalidation import Revalidation
from search.objectives import Objective
from tests.support.known_tasks import ACCURACY, BOTH, earlier, noise
from tests.support.stored_search import hills_spec

# The median is 0.90 and the best 1.00, so that the 20 trials brought 0.005 each.
PRIOR = [earlier(x, 0.8 + x / 100) for x in range(1, 21)]
RECORD = Revalidation("first#20", {"accuracy": 1.0}, {"accuracy": (0.9, 1.0)})


def confirmed(value: float = 1.0, state: str = "complete") -> Trial:
    origin = {"step": "confirm", "revalidates": RECORD.as_record()}
    values = (value,) if state == "complete" else ()
    return earlier(20, *values, number=0, state=state, origin=origin, objectives=(ACCURACY,))


def tried(gain: float, **more: Any) -> Trial:
    return earlier(30, 0.5, origin={"step": "prior-model", "forecast": {"gain": gain} | more})


def why(
    gains: Sequence[float], *, deviation: float = 0.0, left: int = 10,
    first: Trial | None = None, prior: Sequence[Trial] = PRIOR, **more: Any,
) -> str:  # fmt: skip
    """Says why a search ends with these forecasts, the last of which is that of the proposal."""
    noises = (noise(deviation),) if deviation else ()
    known = PriorData(tuple(prior), (), {}, Counter(), noises)
    proposal = Proposal({"x": 40}, {"step": "prior-model", "forecast": {"gain": gains[-1]} | more})
    done = [first or confirmed(), *(tried(gain, **more) for gain in gains[:-1])]
    return why_end(done, left, proposal, known, (ACCURACY,))


def test_it_ends_if_all_trials_left_gain_less_than_noise_and_says_so_with_the_numbers() -> None:
    assert why([0.0006] * 3, deviation=0.01) == (
        "the 10 trials left are expected to gain 0.0060 accuracy at most, and repeating a "
        "configuration changes it by 0.0100"
    )
    assert why([0.0006] * 3, deviation=0.005) == ""
    assert "the 1 trial left is expected" in why([0.0006] * 3, deviation=0.01, left=1)


def test_it_ends_if_a_trial_is_expected_to_bring_less_than_a_tenth_of_those_before() -> None:
    assert why([0.0004] * 3) == (
        "the next trial is expected to gain 0.0004 accuracy, less than a tenth of what 20 trials "
        "of this task brought on average, 0.0050"
    )
    assert why([0.0006] * 3) == ""


def test_a_proposal_may_cost_more_than_trials_did_and_must_then_bring_more() -> None:
    twice = {"cost": 20.0, "unit": "seconds"}
    assert why([0.0008] * 3) == ""
    assert "less than a tenth" in why([0.0008] * 3, **twice)
    assert why([0.0004] * 3, cost=5.0, unit="seconds") == ""
    assert "less than a tenth" in why([0.0004] * 3, cost=1e6, unit="work")


def test_it_takes_three_forecasts_that_agree() -> None:
    assert why([0.0] * 2, deviation=0.01) == ""
    assert why([0.5, 0.0, 0.0], deviation=0.01) == ""
    assert why([0.5, 0.0, 0.0, 0.0], deviation=0.01)


@pytest.mark.parametrize("first", [earlier(1, 0.9), confirmed(0.85), confirmed(state="failed"),
                                   confirmed(state="stopped")])  # fmt: skip
def test_it_takes_an_incumbent_that_reached_its_record(first: Trial) -> None:
    assert why([0.0] * 3, deviation=0.01, first=first) == ""


def test_it_takes_a_task_that_was_searched_before() -> None:
    assert why([0.0] * 3, deviation=0.01, prior=PRIOR[:9]) == ""
    assert why([0.0] * 3, deviation=0.01, prior=PRIOR[:10])


def test_where_cost_counts_the_largest_gain_decides_not_that_of_the_proposal() -> None:
    assert why([0.0] * 3, deviation=0.01, most=0.5) == ""


def test_without_known_noise_it_comes_from_the_new_value_and_the_record() -> None:
    assert "changes it by 0.0212" in why([0.0006] * 3, first=confirmed(0.97))


def test_a_malformed_forecast_is_none() -> None:
    for gain in ("small", None, float("nan")):
        assert why([0.0, 0.0, gain], deviation=0.01) == ""  # type: ignore[list-item]


def test_of_two_objectives_it_counts_in_shares_of_the_hypervolume() -> None:
    trials = [earlier(x, 0.5 + x / 100, float(x)) for x in range(1, 21)]
    metrics = {"accuracy": 0.7, "seconds": 20.0}
    origin = {"step": "confirm", "revalidates": Revalidation("first#20", metrics).as_record()}
    again = earlier(20, 0.7, 20.0, number=0, origin=origin)
    noises = (noise(0.001), noise(0.1, metric="seconds"))
    known = PriorData(tuple(trials), (), {}, Counter(), noises)
    proposal = Proposal({"x": 40}, {"step": "prior-model", "forecast": {"gain": 0.0001}})
    told = [tried(0.0001) for _ in range(2)]
    done = [again, *(earlier(30, 0.5, 30.0, origin=each.origin) for each in told)]
    said = why_end(done, 10, proposal, known, BOTH)
    assert said.startswith("the 10 trials left are expected to gain 0.10% of the hypervolume")


def test_a_search_says_beforehand_what_it_trains_again_and_when_it_ends() -> None:
    spec = hills_spec(budget={"trials": 30, "epochs": 2})
    origin = {"step": "confirm", "revalidates": RECORD.as_record()}
    prior = PriorData(tuple(PRIOR))
    assert revalidation_lines(spec, [Proposal({}, origin)], prior) == [
        "trains first#20 again first: accuracy 1.0000 expected; 0.9000 to 1.0000 is accepted",
        "ends when the model expects too little of the trials left; 30 trials at most (all: --set "
        "budget.stop=never)",
    ]
    assert revalidation_lines(spec, [Proposal({}, {"step": "random"})], prior) == []
    few = PriorData(tuple(PRIOR[:9]))
    assert len(revalidation_lines(spec, [Proposal({}, origin)], few)) == 1


def test_a_search_with_a_control_arm_or_without_a_rule_does_not_end_early() -> None:
    assert may_end_early(hills_spec())
    never = {"trials": 2, "epochs": 2, "stop": "never"}
    assert not may_end_early(hills_spec(budget=never))
    arm = {"name": "warm", "options": {"control": 1}}
    assert not may_end_early(hills_spec(sampler=arm))


def test_the_objectives_of_a_forecast_need_not_have_names() -> None:
    nameless = (Objective("", "maximize"),)
    proposal = Proposal({}, {"forecast": {"gain": 0.0}})
    assert why_end([], 3, proposal, PriorData(), nameless) == ""

"""The risk of a failure: what it is learned from, who avoids it, and what a proposal says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from search.apply import WarmStartSampler
from search.apply.candidate_grid import CandidateGrid
from search.apply.failure_risk import LIMIT, NEGLIGIBLE, FailureMemory, LearnedRisk, with_risk
from search.apply.portfolio import Portfolio
from search.apply.proposal_source import Proposal
from search.apply.stalled import EarlierBests
from search.apply.strategy import Opening, random_proposal
from search.apply.transfer_model import CostAndRisk, TransferModel
from search.extract.failures import outcomes_of
from search.history import Trial
from search.history.risk import THIS_SEARCH, read_risk
from search.history.studies import REASON
from search.space import SearchSpace
from tests.support.earlier_tasks import (
    LINE,
    SQUARE,
    at_random,
    context,
    modelled,
    on_line,
    own_trial,
)

MEMORY = "out of memory"
Fails = Callable[[Mapping[str, Any]], bool]


def far_right(configuration: Mapping[str, Any]) -> bool:
    return bool(configuration["x"] > 0.6)


def never(configuration: Mapping[str, Any]) -> bool:
    return False


def ended(trials: Sequence[Trial], fails: Fails) -> list[Trial]:
    """Makes trials that fail without memory where `fails` says so; the others are as they were."""
    return [
        replace(each, state="failed", values=(), reason=MEMORY) if fails(each.configuration)
        else each for each in trials
    ]  # fmt: skip


def of_task(name: str, fails: Fails, count: int = 30, seed: int = 0) -> list[Trial]:
    trials = ended(at_random(name, lambda x, y: (x - 0.9) ** 2 + y, count, seed), fails)
    return [replace(each, search=f"{name}-search") for each in trials]


def own(fails: Fails, count: int = 20, seed: int = 5) -> list[Trial]:
    made = of_task("own", fails, count, seed)
    return [replace(each, number=i, task="", search="", run_id="") for i, each in enumerate(made)]


def risk_of(
    others: Sequence[Trial] = (), same: Sequence[Trial] = (), trials: Sequence[Trial] = ()
) -> LearnedRisk | None:
    outcomes = outcomes_of(others, SQUARE)
    return FailureMemory(outcomes, same, SQUARE).at(context(trials))


def chances(risk: LearnedRisk | None) -> tuple[float, float]:
    """Returns the probability of a failure on the left and on the far right."""
    assert risk is not None
    left, right = risk.probability(np.array([[0.1, 0.5], [0.95, 0.5]]))
    return float(left), float(right)


def test_without_a_known_failure_there_is_no_risk() -> None:
    assert risk_of() is None
    assert risk_of(of_task("a", never), of_task("b", never), own(never)) is None


@pytest.mark.parametrize("place", ["others", "same", "trials"])
def test_failures_of_any_place_make_their_region_risky(place: str) -> None:
    known: dict[str, Any] = {
        place: own(far_right) if place == "trials" else of_task("a", far_right)
    }
    left, right = chances(risk_of(**known))
    assert left < 0.2 and right > LIMIT


def test_what_failed_on_other_tasks_counts_less_than_what_failed_here() -> None:
    theirs, ours = risk_of(of_task("a", far_right)), risk_of(trials=own(far_right))
    assert chances(theirs)[1] < chances(ours)[1]


def test_history_that_the_successes_here_contradict_loses() -> None:
    """Nothing fails here: after ten trials at the far right it is no longer avoided."""
    at_right = [
        own_trial(number, "complete", {"x": 0.7 + 0.03 * number, "y": 0.1 * number}, (1.0,))
        for number in range(10)
    ]
    before = chances(risk_of(of_task("a", far_right)))[1]
    after = [chances(risk_of(of_task("a", far_right), trials=at_right[:n]))[1] for n in (1, 4, 10)]
    assert before > after[0] > after[1] > after[2]
    assert after[2] < NEGLIGIBLE


def test_history_of_this_task_loses_as_well() -> None:
    at_right = [
        own_trial(number, "complete", {"x": 0.7 + 0.03 * number, "y": 0.1 * number}, (1.0,))
        for number in range(10)
    ]
    found = risk_of((), of_task("a", far_right), at_right)
    assert chances(found)[1] < NEGLIGIBLE < chances(risk_of((), of_task("a", far_right)))[1]


def test_history_that_foretells_the_failures_here_gains() -> None:
    history, trials = of_task("a", far_right), own(far_right, 8)
    found = risk_of(history, (), trials)
    assert found is not None
    assert found.weights[-1] > 0.5  # half before the first trial


def test_a_search_of_which_every_trial_failed_has_a_broken_set_up() -> None:
    def always(configuration: Mapping[str, Any]) -> bool:
        return True

    assert risk_of(of_task("a", always)) is None
    assert risk_of((), of_task("a", always)) is None


def test_a_proposal_says_its_risk_and_what_it_is_learned_from() -> None:
    other, same = of_task("a", far_right), of_task("b", far_right, seed=3)
    risk = risk_of(other, same, own(far_right))
    assert risk is not None
    made = json.loads(json.dumps(risk.record(np.array([0.95, 0.5]))))
    failed = {
        name: sum(each.state == "failed" for each in trials)
        for name, trials in ((THIS_SEARCH, own(far_right)), ("a", other), ("b", same))
    }
    assert read_risk(made).failed == failed
    assert made["risk"]["probability"] == pytest.approx(chances(risk)[1], abs=1e-5)
    by_run = {each.run_id: each for each in (*other, *same)}
    nearest = min(
        (each for each in by_run.values() if each.state == "failed"),
        key=lambda each: (
            (each.configuration["x"] - 0.95) ** 2 + (each.configuration["y"] - 0.5) ** 2
        ),
    )
    assert made["risk"]["runs"][0] == nearest.run_id
    assert all(by_run[run].state == "failed" for run in made["risk"]["runs"])


def test_a_negligible_risk_is_not_recorded() -> None:
    risk = risk_of(trials=own(far_right, 40))
    assert risk is not None and risk.record(np.array([0.05, 0.5])) == {}
    made = Proposal({"x": 0.05, "y": 0.5}, {"step": "random"})
    assert with_risk(made, None) is made
    assert with_risk(made, risk).origin == {"step": "random"}


# Who avoids it.


def test_the_model_avoids_what_would_probably_fail() -> None:
    """The loss falls to the right, where trials fail."""
    trials = own(far_right)
    without = TransferModel([], {}, CandidateGrid(SQUARE), [], 0)
    memory = FailureMemory(None, (), SQUARE)
    with_memory = TransferModel([], {}, CandidateGrid(SQUARE), [], 0, CostAndRisk(None, memory))
    attracted, avoiding = (each.propose(context(trials)) for each in (without, with_memory))
    assert attracted is not None and avoiding is not None
    assert attracted.configuration["x"] > 0.65 > avoiding.configuration["x"]
    assert "risk" not in attracted.origin


def test_the_model_is_the_same_where_no_failure_is_known() -> None:
    trials, memory = own(never), FailureMemory(outcomes_of(of_task("a", never), SQUARE), (), SQUARE)
    plain = TransferModel([], {}, CandidateGrid(SQUARE), [], 0).propose(context(trials))
    told = TransferModel([], {}, CandidateGrid(SQUARE), [], 0, CostAndRisk(None, memory))
    assert told.propose(context(trials)) == plain


def right_on_line() -> FailureMemory:
    trials = ended(on_line("a", lambda x: abs(x - 0.9), 41), far_right)
    return FailureMemory(None, [replace(each, search="s") for each in trials], LINE)


def test_the_portfolio_and_earlier_bests_skip_what_would_probably_fail() -> None:
    tasks = modelled(on_line("b", lambda x: abs(x - 0.9)))
    grid, memory = CandidateGrid(LINE), right_on_line()
    free = Portfolio(tasks, grid, 3).propose(context([], LINE))
    careful = Portfolio(tasks, grid, 3, 13, None, memory).propose(context([], LINE))
    assert free is not None and free.configuration["x"] > 0.85
    assert careful is not None and careful.configuration["x"] < 0.71  # at the edge
    assert EarlierBests(tasks, grid).propose(context([], LINE)) is not None
    assert EarlierBests(tasks, grid, memory).propose(context([], LINE)) is None


def test_the_opening_is_left_out_if_the_middle_would_probably_fail() -> None:
    trials = ended(on_line("a", lambda x: x, 41), lambda each: 0.3 < each["x"])
    memory = FailureMemory(None, [replace(each, search="s") for each in trials], LINE)
    assert Opening(CandidateGrid(LINE), memory).propose(context([], LINE)) is None
    assert Opening(CandidateGrid(LINE), right_on_line()).propose(context([], LINE)) is not None


def test_random_draws_avoid_it_unless_there_is_nothing_else() -> None:
    memory = right_on_line()
    drawn = [random_proposal(context([], LINE, number=n), "", memory) for n in range(30)]
    assert max(each.configuration["x"] for each in drawn) < 0.7
    plain = [random_proposal(context([], LINE, number=n)) for n in range(30)]
    assert max(each.configuration["x"] for each in plain) > 0.7


def test_a_finite_space_is_exhausted_although_a_part_of_it_fails() -> None:
    space = SearchSpace({"x": IntDistribution(0, 7)})
    sampler = WarmStartSampler(None, space, 0, objectives=["loss"], directions=["minimize"])
    study = optuna.create_study(sampler=sampler, direction="minimize")
    for _ in range(8):
        trial = study.ask()
        x = space.suggest(trial)["x"]
        if x > 4:
            trial.set_user_attr(REASON, MEMORY)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, -float(x))
    assert sorted(each.params["x"] for each in study.trials) == list(range(8))
    assert sampler.is_exhausted(study)

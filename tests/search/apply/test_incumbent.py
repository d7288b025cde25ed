"""Incumbent: which configuration is trained again first, what is expected, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from search.apply import WarmStartSampler
from search.apply.incumbent import Incumbent
from search.apply.objective_model import objective_model_of
from search.apply.prior_data import PriorData
from search.apply.proposal_source import Context, Tried
from search.apply.strategy import Options, Strategy
from search.experience import Noise
from search.history import History, Trial
from search.history.revalidation import Revalidation, read_revalidation
from search.objectives import Objective
from search.objectives.objective import Role
from search.space import SearchSpace
from tests.support import studies
from tests.support.known_tasks import ACCURACY, BOTH, earlier, noise

SPACE = SearchSpace.from_distributions({"x": IntDistribution(0, 99)})


def context(
    trials: Sequence[Trial] = (), objectives: Sequence[Objective] = (ACCURACY,), **changes: Any
) -> Context:
    asked = Tried()
    for trial in trials:
        asked.add(SPACE, trial.configuration)
    made = Context(len(trials), SPACE, tuple(objectives), tuple(trials), asked, 0, asked=asked)
    return replace(made, **changes)


def chosen_of(
    trials: Sequence[Trial], *noises: Noise, objectives: Sequence[Objective] = (ACCURACY,),
    **changes: Any,
) -> tuple[int, Revalidation]:  # fmt: skip
    proposal = Incumbent(trials, noises, SPACE).propose(context((), objectives, **changes))
    assert proposal is not None
    record = read_revalidation(proposal.origin)
    assert record is not None
    return int(proposal.configuration["x"]), record


def test_the_best_trial_of_the_task_comes_first_and_says_what_is_expected() -> None:
    trials = [earlier(1, 0.90), earlier(2, 0.98), earlier(3, 0.95)]
    proposal = Incumbent(trials, (), SPACE).propose(context())
    assert proposal is not None
    assert proposal.configuration == {"x": 2}
    assert proposal.origin["step"] == "confirm"
    assert proposal.origin["source_runs"] == ["r2"]
    assert read_revalidation(proposal.origin) == Revalidation("first#2", {"accuracy": 0.98})


def test_of_those_within_noise_of_the_best_the_cheapest_comes_first() -> None:
    trials = [earlier(1, 0.980, seconds=60), earlier(2, 0.977, seconds=6), earlier(3, 0.970)]
    assert chosen_of(trials)[0] == 1
    assert chosen_of(trials, noise(0.004))[0] == 2
    # A trial whose time is not known is not taken for a cheap one.
    assert chosen_of([trials[0], earlier(2, 0.977, seconds=0)], noise(0.004))[0] == 1


def test_of_two_objectives_it_is_the_best_of_the_front_in_the_first_one() -> None:
    trials = [earlier(1, 0.98, 5.0), earlier(2, 0.98, 4.0), earlier(3, 0.90, 1.0)]
    assert chosen_of(trials, objectives=BOTH)[0] == 2


def test_of_a_lexicographic_objective_it_is_the_best_within_the_tolerance() -> None:
    goals = (ACCURACY, replace(BOTH[1], role=Role("lexicographic", tolerance=0.02)))
    trials = [
        earlier(1, 0.98, 5.0, constraints={"tolerance": -0.02}),
        earlier(2, 0.97, 2.0, constraints={"tolerance": -0.01}),
        earlier(3, 0.90, 1.0, constraints={"tolerance": 0.06}),
    ]
    model = objective_model_of(goals)
    assert chosen_of(trials, objectives=BOTH, objective_model=model)[0] == 2


def test_repetitions_of_a_configuration_count_with_their_mean() -> None:
    lucky = [earlier(1, 0.99), earlier(1, 0.93, search="second")]
    number, record = chosen_of([*lucky, earlier(2, 0.97)])
    assert (number, record.expected) == (2, {"accuracy": 0.97})


@pytest.mark.parametrize(
    "trial",
    [
        earlier(1, state="stopped"), earlier(1, 0.99, is_exact=False), earlier(200, 0.99),
        earlier(1, 0.99, constraints={"size": 1.0}),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_again_or_is_infeasible_is_not_proposed(trial: Trial) -> None:
    assert Incumbent([trial], (), SPACE).propose(context()) is None
    assert chosen_of([trial, earlier(2, 0.5)])[0] == 2


def test_it_is_proposed_once_also_if_the_user_gave_it_first() -> None:
    source = Incumbent([earlier(1, 0.9)], (), SPACE)
    for state in ("running", "complete", "failed"):
        assert source.propose(context([earlier(1, 0.9, state=state)])) is None


def test_the_accepted_values_come_from_the_noise_of_the_task() -> None:
    _, record = chosen_of([earlier(1, 0.98)], noise(0.001))
    # t(0.995, 10 degrees of freedom) = 3.169, times the root of 2
    low, high = record.accepted["accuracy"]
    assert (low, high) == pytest.approx((0.98 - 0.004482, 0.98 + 0.004482), abs=1e-6)


def test_without_known_noise_only_the_worst_tenth_of_the_task_is_not_accepted() -> None:
    trials = [earlier(x, 0.90 + x / 1000) for x in range(0, 21)]
    _, record = chosen_of(trials, noise(0.001, repeats=1))
    assert record.accepted["accuracy"] == pytest.approx((0.902, float("inf")))
    assert chosen_of(trials[:7])[1].accepted == {}


def history_of(trials: int = 20) -> History:
    study = studies.create_study(optuna.samplers.RandomSampler(seed=100), 1)
    studies.run(study, trials)
    return History.from_studies({"digits": study}, ["minimize"], objectives=["loss"])


def test_in_plain_optuna_the_first_trial_is_the_best_one_of_the_task() -> None:
    history = history_of()
    best = min(history.prior_trials(), key=lambda each: each.values)
    sampler = WarmStartSampler(history, studies.CONDITIONAL, task="digits", objectives=["loss"])
    study = studies.create_study(sampler, 1)
    tried = studies.run(study, 3)
    assert tried[0] == dict(best.configuration)
    assert [sampler.origin(n)["step"] for n in range(3)] == ["confirm", *["prior-model"] * 2]


def test_it_can_be_switched_off() -> None:
    sampler = WarmStartSampler(history_of(), studies.CONDITIONAL, task="digits", confirm=False)
    study = studies.create_study(sampler, 1)
    studies.run(study, 1)
    assert sampler.origin(0)["step"] == "prior-model"


def test_history_of_other_tasks_has_no_incumbent() -> None:
    sampler = WarmStartSampler(history_of(), studies.CONDITIONAL, task=None)
    studies.run(studies.create_study(sampler, 1), 1)
    assert sampler.origin(0)["step"] == "portfolio"


def test_if_its_record_is_gone_prior_trials_count_as_those_of_another_task() -> None:
    space = SearchSpace.from_distributions({"x": FloatDistribution(0.0, 1.0)})
    goals = (Objective("loss", "minimize"),)
    trials = [
        earlier(n, (n / 12 - 0.5) ** 2, configuration={"x": n / 12}, objectives=goals)
        for n in range(12)
    ]
    prior = PriorData(tuple(trials), (), {}, Counter(), (noise(0.001, metric="loss"),))
    strategy = Strategy(space, goals, prior, Options())

    def next_step(value: float) -> Any:
        mine = replace(trials[6], values=(value,), number=0)
        return strategy.propose(context([mine], goals, space=space)).origin

    assert next_step(0.0)["step"] == "prior-model"
    origin = next_step(0.5)
    assert origin["step"] == "portfolio"
    assert list(origin["source_tasks"]) == ["digits before a change"]

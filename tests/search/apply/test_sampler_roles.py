"""Searches with roles: each finds what its roles ask for, with our model and with Optuna's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from search.apply import OptunaSampler, WarmStartSampler
from search.apply.objective_model import objective_model_of
from search.apply.sampler import TRANSFER
from search.history import History
from search.objectives import roles
from search.objectives.objective import PARETO, Objective, Role, directions_of, from_lists
from search.space import SearchSpace

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = SearchSpace({"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)})
GOALS, UP = ("clean", "robust"), ("maximize", "maximize")
AT_LEAST = (PARETO, Role("constraint", bound=0.75))
WITHIN = (PARETO, Role("lexicographic", tolerance=0.02))
REPORT = (PARETO, Role("report"))


def goals(given: Sequence[Role]) -> tuple[Objective, ...]:
    return from_lists(GOALS, UP, given)


def measured(configuration) -> tuple[float, float]:
    """Two objectives that pull apart along x and agree about y.

    With y = 0.5 clean is best at x = 0.9 (1.0) and robust at x = 0.1 (1.0). Robust is 0.75 at
    x = 0.6, where clean is 0.91. Clean is 0.98 at x = 0.7586, where robust is 0.566.
    """
    x, y = configuration["x"], configuration["y"]
    away = 0.5 * (y - 0.5) ** 2
    return 1.0 - (x - 0.9) ** 2 - away, 1.0 - (x - 0.1) ** 2 - away


def study_under(given: Sequence[Role], sampler, seed: int, **settings) -> optuna.Study:
    made = WarmStartSampler(
        settings.pop("history", None), SPACE, seed, sampler=sampler, objectives=goals(given),
        **settings,
    )  # fmt: skip
    return optuna.create_study(sampler=made, directions=directions_of(roles.searched(goals(given))))


def run(study: optuna.Study, given: Sequence[Role], trials: int) -> np.ndarray:
    """Returns the values of all objectives, `(trials, 2)`."""
    model, found = objective_model_of(goals(given)), []
    for _ in range(trials):
        trial = study.ask()
        found.append(measured(SPACE.suggest(trial)))
        study.tell(trial, model.told(trial, found[-1]))
    return np.array(found)


def best_of(values: np.ndarray, given: Sequence[Role]) -> np.ndarray:
    return values[roles.best(values, goals(given))][0]


@pytest.mark.slow
def test_under_a_constraint_the_best_feasible_clean_value_is_found() -> None:
    for seed in range(2):
        best = best_of(run(study_under(AT_LEAST, TRANSFER, seed), AT_LEAST, 20), AT_LEAST)
        assert best[1] >= 0.75
        assert best[0] > 0.90  # of 0.91


@pytest.mark.slow
def test_a_lexicographic_search_gives_up_the_tolerance_for_the_second_objective() -> None:
    for seed in range(2):
        values = run(study_under(WITHIN, TRANSFER, seed), WITHIN, 20)
        assert values[:, 0].max() > 0.995  # of 1.0: the first objective comes first
        assert best_of(values, WITHIN)[1] > 0.54  # of 0.566; 0.36 where clean is best


@pytest.mark.slow
def test_a_reported_objective_is_not_searched() -> None:
    values = run(study_under(REPORT, TRANSFER, 0), REPORT, 14)
    sampler = WarmStartSampler(None, SPACE, 0, objectives=GOALS[:1])
    alone = optuna.create_study(sampler=sampler, directions=UP[:1])
    for expected in values:
        trial = alone.ask()
        value = measured(SPACE.suggest(trial))[0]
        assert value == expected[0]
        alone.tell(trial, value)


def worth(given: Sequence[Role], sampler: OptunaSampler, seed: int) -> float:
    """Returns the best clean accuracy within the bound, or robust accuracy where clean >= 0.96."""
    values = run(study_under(given, sampler, seed), given, 18)
    if given is AT_LEAST:
        return float(values[values[:, 1] >= 0.75, 0].max(initial=0.0))
    return float(values[values[:, 0] >= 0.96, 1].max(initial=0.0))


@pytest.mark.slow
@pytest.mark.parametrize("given", [AT_LEAST, WITHIN], ids=["constraint", "lexicographic"])
def test_tpe_searches_with_roles_better_than_random(given) -> None:
    tpe, chance = OptunaSampler("tpe", {"n_startup_trials": 6}), OptunaSampler("random")
    found, drawn = (sum(worth(given, each, seed) for seed in range(6)) for each in (tpe, chance))
    assert found > drawn


@pytest.mark.slow
def test_optuna_s_gaussian_process_models_the_bound() -> None:
    sampler = OptunaSampler("gp", {"n_startup_trials": 8})
    values = run(study_under(AT_LEAST, sampler, 1), AT_LEAST, 10)  # a second a proposal
    assert values[-1, 1] >= 0.75
    assert best_of(values, AT_LEAST)[0] == values[-1, 0] > 0.89


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
@pytest.mark.parametrize("given", [AT_LEAST, WITHIN, REPORT], ids=lambda each: each[1].name)
def test_a_search_that_is_rebuilt_continues_as_an_uninterrupted_one(name, given) -> None:
    sampler = TRANSFER if name == TRANSFER else OptunaSampler(name, {"n_startup_trials": 4})
    study = study_under(given, sampler, 3)
    run(study, given, 9)
    stopped = study.ask()
    SPACE.suggest(stopped)
    study.tell(stopped, state=TrialState.PRUNED)
    rebuilt = study_under(given, sampler, 3)
    for trial in study.trials:
        rebuilt.add_trial(
            create_trial(
                state=trial.state, params=trial.params, distributions=trial.distributions,
                values=trial.values, constraints=trial.constraints or None,
            )
        )  # fmt: skip
    assert run(study, given, 4).tolist() == run(rebuilt, given, 4).tolist()


def earlier(tasks: Sequence[str] = ("task",), trials: int = 12) -> History:
    """Makes random searches for both objectives without roles."""
    studies = {}
    for seed, task in enumerate(tasks):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed), directions=UP)
        run(study, (PARETO, PARETO), trials)
        studies[task] = study
    return History.from_studies(studies, UP, objectives=GOALS)


@pytest.mark.parametrize("sampler", [TRANSFER, OptunaSampler("tpe")], ids=["transfer", "tpe"])
def test_trials_of_the_same_task_count_as_they_are_under_a_constraint(sampler) -> None:
    study = study_under(AT_LEAST, sampler, 0, history=earlier(), task="task", portfolio=0)
    run(study, AT_LEAST, 2)
    assert [study.sampler.origin(each)["step"] for each in (0, 1)] == ["confirm", "prior-model"]
    assert study.sampler.origin(1)["prior_trials"] == 12
    assert not study.sampler.left_out


def test_a_portfolio_takes_from_other_tasks_what_was_best_by_the_role() -> None:
    history = earlier(("one", "two"), 30)
    first = run(study_under(AT_LEAST, TRANSFER, 0, history=history), AT_LEAST, 3)
    values = np.array([trial.values for trial in history.prior_trials()])
    kept = values[values[:, 1] >= 0.75]
    # What each task had at its best, as models of 30 trials see it.
    assert first[:, 0].max() > kept[:, 0].max() - 0.02
    assert (first[:, 1] > 0.70).all()


@pytest.mark.slow
def test_a_search_survives_every_end_of_its_trials_under_roles() -> None:
    for sampler in (TRANSFER, OptunaSampler("tpe", {"n_startup_trials": 3})):
        study = study_under(WITHIN, sampler, 0)
        model = objective_model_of(goals(WITHIN))
        waiting = [study.ask() for _ in range(3)]
        for index in range(12):
            trial = study.ask() if index % 4 else waiting.pop() if waiting else study.ask()
            configuration = SPACE.suggest(trial)
            if index % 3 == 2:
                state = TrialState.FAIL if index % 2 else TrialState.PRUNED
                study.tell(trial, state=state)
            else:
                study.tell(trial, model.told(trial, measured(configuration)))
        assert len(study.trials) >= 12


def test_objectives_take_no_directions_besides_their_own() -> None:
    with pytest.raises(ValueError, match="an Objective has its own direction"):
        WarmStartSampler(None, SPACE, objectives=goals(AT_LEAST), directions=UP)
    with pytest.raises(ValueError, match="2, 1 and 2"):
        WarmStartSampler(None, SPACE, objectives=GOALS, directions=UP[:1])


@pytest.mark.slow
def test_names_and_directions_are_the_same_as_objectives() -> None:
    named, typed = (
        optuna.create_study(
            sampler=WarmStartSampler(earlier(), SPACE, 0, task="task", **given), directions=UP
        )
        for given in (
            {"objectives": GOALS, "directions": UP},
            {"objectives": goals((PARETO, PARETO))},
        )
    )
    plain = (PARETO, PARETO)
    assert run(named, plain, 4).tolist() == run(typed, plain, 4).tolist()


def test_a_study_with_other_directions_is_refused() -> None:
    sampler = WarmStartSampler(None, SPACE, objectives=goals((PARETO, PARETO)))
    study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
    with pytest.raises(ValueError, match="the study's directions are"):
        SPACE.suggest(study.ask())

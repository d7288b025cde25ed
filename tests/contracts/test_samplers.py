"""The contract of samplers: what each of `SAMPLERS` keeps, whatever history it learns from.

A new sampler is one more line there. The checks use plain Optuna and a small conditional space.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from search.apply.sampler import TRANSFER
from tests.support.samplers import HISTORIES, maker
from tests.support.studies import CONDITIONAL, create_study, evaluate, run

optuna.logging.set_verbosity(optuna.logging.ERROR)

# A seed makes a sampler. Everything else about it is fixed.
MakeSampler = Callable[[int], BaseSampler]
# The kind of history a search starts from, one of `HISTORIES`, and its number of objectives.
Start = tuple[str, int]

# Together each history and each number of objectives; `make test-all` has all pairs.
IN_EVERY_CHECK = (
    ("cold", 1), ("cold", 2), ("empty", 1), ("one trial", 3), ("one trial of it", 1),
    ("other tasks", 2), ("same task", 1),
)  # fmt: skip


def starts(*histories: str, objectives: Collection[int] = (1, 2)) -> list[Start]:
    return list(itertools.product(histories, objectives))


@dataclass(frozen=True)
class Sampler:
    """A sampler under test.

    Attributes:
        make: Kind of history and number of objectives -> what a seed makes a sampler with.
        starts: What its searches start from; those beyond `IN_EVERY_CHECK` are many, so long.
        slow: Those of them that are slow instead.
        obeys_constraints: Whether it learns from them.
        avoids_failures: Whether it learns where trials fail.
        is_told_the_space: Whether it need not wait for trials to show it; a study that is rebuilt
            shows more of it at once.
        learns_in: Trials in which it beats random search; None: it does not try.
    """

    make: Callable[[str, int], MakeSampler]
    starts: Collection[Start] = tuple(starts("cold", "one trial", "other tasks", "same task"))
    slow: Collection[Start] = ()
    obeys_constraints: bool = False
    avoids_failures: bool = False
    is_told_the_space: bool = True
    learns_in: int | None = None

    def marks(self, start: Start) -> Any:
        if start in self.slow:
            return pytest.mark.slow
        return () if start in IN_EVERY_CHECK else pytest.mark.long


SAMPLERS: dict[str, Sampler] = {
    "transfer": Sampler(
        partial(maker, TRANSFER), starts(*HISTORIES, objectives=(1, 2, 3)), obeys_constraints=True,
        avoids_failures=True, learns_in=25,
    ),
    "control arm": Sampler(
        partial(maker, TRANSFER, control=5), [("other tasks", 2)], slow=[("other tasks", 2)]
    ),
    "tpe": Sampler(partial(maker, "tpe"), learns_in=40),
    "random": Sampler(partial(maker, "random")),
    # Half a second a proposal.
    "gp": Sampler(
        partial(maker, "gp"), starts("cold", "same task"),
        slow=[("cold", 1)],
    ),
    # Plain Optuna: nobody states a space.
    "transfer without a space": Sampler(
        partial(maker, TRANSFER, space=None), starts("cold", "other tasks", "same task"),
        slow=[("other tasks", 2)], is_told_the_space=False,
    ),
    "tpe without a space": Sampler(
        partial(maker, "tpe", space=None), starts("cold", "other tasks", "same task"),
        slow=[("same task", 2)], is_told_the_space=False,
    ),
}  # fmt: skip


def each(wanted: Callable[[Sampler], bool] = lambda sampler: True) -> pytest.MarkDecorator:
    """Runs a check with each sampler that is wanted, from each of its starts."""
    return pytest.mark.parametrize(
        ("make", "objectives"),
        [
            pytest.param(
                sampler.make(*start), start[1], id=f"{name}, {start[0]}, {start[1]}",
                marks=sampler.marks(start),
            )
            for name, sampler in SAMPLERS.items() if wanted(sampler) for start in sampler.starts
        ],
    )  # fmt: skip


@each()
def test_the_same_seed_gives_the_same_search(
    make: MakeSampler, objectives: int, trials: int = 12
) -> None:
    """Another seed gives another second half; bests of past tasks, which come first, have none."""
    first = run(create_study(make(7), objectives), trials)
    assert first == run(create_study(make(7), objectives), trials)
    other = run(create_study(make(8), objectives), trials)
    assert first[trials // 2 :] != other[trials // 2 :]


@each()
def test_it_stays_in_the_space(make: MakeSampler, objectives: int, trials: int = 14) -> None:
    """Every proposal is a configuration: values, types and conditions."""
    for configuration in run(create_study(make(0), objectives), trials):
        assert CONDITIONAL.problems(configuration) == []


@each()
def test_it_survives_every_end_of_a_trial(
    make: MakeSampler, objectives: int, trials: int = 16
) -> None:
    """Complete, NaN, crashed before and after asking, stopped early, in turns."""
    study = create_study(make(0), objectives)
    for index in range(trials):
        trial = study.ask()
        if index % 5 == 4:
            study.tell(trial, state=TrialState.FAIL)
            continue
        configuration = CONDITIONAL.suggest(trial)
        values = list(evaluate(configuration)[:objectives])
        if index % 5 == 1:
            study.tell(trial, [math.nan] * objectives)
        elif index % 5 == 2:
            study.tell(trial, state=TrialState.PRUNED)
        elif index % 5 == 3:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, values)
        assert CONDITIONAL.contains(configuration)


@each()
def test_it_keeps_pending_trials_apart(
    make: MakeSampler, objectives: int, trials: int = 16
) -> None:
    """Four trials run at once and end in another order than they began."""
    study = create_study(make(0), objectives)
    pending: list[tuple[optuna.Trial, dict[str, Any]]] = []
    keys = set()
    for index in range(trials):
        trial = study.ask()
        pending.append((trial, CONDITIONAL.suggest(trial)))
        keys.add(CONDITIONAL.key(pending[-1][1]))
        if len(pending) == 4:
            ended, configuration = pending.pop(index % 3)
            study.tell(ended, list(evaluate(configuration)[:objectives]))
    assert len(keys) == trials


@each(lambda sampler: sampler.is_told_the_space)
def test_it_continues_a_rebuilt_study_like_an_uninterrupted_one(
    make: MakeSampler, objectives: int, before: int = 10
) -> None:
    """A new sampler on a study rebuilt from records proposes what the old one would have."""
    study = create_study(make(3), objectives)
    run(study, before)
    rebuilt = create_study(make(3), objectives)
    for trial in study.trials:
        rebuilt.add_trial(
            create_trial(
                state=trial.state,
                params=trial.params,
                distributions=trial.distributions,
                values=trial.values,
            )
        )
    assert run(study, 3) == run(rebuilt, 3)


@each(lambda sampler: sampler.is_told_the_space)
def test_it_proposes_distinct_configurations_at_once(
    make: MakeSampler, objectives: int, trials: int = 8
) -> None:
    """Eight are asked for before any result, and eight more while as many results are known.

    Who is not told the conditions of a space proposes a momentum to a trial of Adam as well, which
    the trial does not ask for: two running trials may differ in that alone.
    """
    study = create_study(make(0), objectives)
    keys = set()
    for _ in range(2):
        asked = [
            (trial, CONDITIONAL.suggest(trial)) for trial in (study.ask() for _ in range(trials))
        ]
        for trial, configuration in asked:
            assert CONDITIONAL.contains(configuration)
            keys.add(CONDITIONAL.key(configuration))
            study.tell(trial, list(evaluate(configuration)[:objectives]))
    assert len(keys) == 2 * trials


@each(lambda sampler: sampler.obeys_constraints)
def test_it_avoids_infeasible_configurations(make: MakeSampler, objectives: int) -> None:
    """Wide models have the smallest first loss and are infeasible, two thirds of the space."""
    study = create_study(make(0), objectives)
    is_feasible = []
    for _ in range(20):
        trial = study.ask()
        configuration = CONDITIONAL.suggest(trial)
        excess = math.log2(configuration["width"] / 16)
        trial.set_constraint("width", excess)
        is_feasible.append(excess <= 0)
        study.tell(trial, list(evaluate(configuration)[:objectives]))
    # Chance alone would keep to the constraint a third of the time.
    assert sum(is_feasible[10:]) > 5


@each(lambda sampler: sampler.avoids_failures)
def test_it_avoids_configurations_that_fail(make: MakeSampler, objectives: int) -> None:
    """Wide models have the smallest first loss and run out of memory, two thirds of the space.

    History, where there is some, has wide models that did not: of this task too. The best that
    trains lies at the edge of what fails, so some fail to the end.
    """
    study = create_study(make(0), objectives)
    has_failed = []
    for _ in range(20):
        trial = study.ask()
        configuration = CONDITIONAL.suggest(trial)
        has_failed.append(configuration["width"] > 16)
        if has_failed[-1]:
            trial.set_user_attr("reason", "out of memory")
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, list(evaluate(configuration)[:objectives]))
    # Chance alone would fail two thirds of the time: 5 or fewer of ten one time in five a search.
    assert sum(has_failed[10:]) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, each in SAMPLERS.items() if each.learns_in])
def test_it_learns(name: str) -> None:
    """On an easy objective it beats random search in its mean over five seeds."""

    def sum_of_bests(sampler: Sampler) -> float:
        found = []
        for seed in range(5):
            study = create_study(sampler.make("cold", 1)(seed), 1)
            run(study, SAMPLERS[name].learns_in or 0)
            found.append(study.best_value)
        return sum(found)

    assert sum_of_bests(SAMPLERS[name]) < sum_of_bests(SAMPLERS["random"])


@pytest.mark.slow
def test_gp_keeps_the_contract_beyond_its_random_trials() -> None:
    """It begins with twelve random ones, so that the checks above hardly reach its model.

    Past trials of the same task count for these: each proposal is the model's, half a second.
    """
    same = maker("gp", "same task", 1)
    test_the_same_seed_gives_the_same_search(same, 1, trials=4)
    test_it_survives_every_end_of_a_trial(same, 1, trials=6)
    test_it_keeps_pending_trials_apart(same, 1, trials=5)
    test_it_proposes_distinct_configurations_at_once(same, 1, trials=3)
    test_it_continues_a_rebuilt_study_like_an_uninterrupted_one(same, 1, before=1)
    test_the_same_seed_gives_the_same_search(maker("gp"), 2, trials=13)
    test_it_stays_in_the_space(maker("gp", "same task"), 2, trials=2)
    test_it_stays_in_the_space(maker("gp", "other tasks", 1), 1, trials=14)

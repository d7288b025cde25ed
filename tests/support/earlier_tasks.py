"""Earlier tasks that tests make: trials of known functions, and the models learned from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from optuna.distributions import FloatDistribution

from search.apply.candidate_grid import CandidateGrid
from search.apply.proposal_source import Context, Tried
from search.apply.task_models import TaskModel, task_models
from search.apply.transfer_model import TransferModel
from search.history import Trial
from search.history.states import State
from search.objectives import Objective
from search.objectives.objective import from_lists
from search.space import SearchSpace, Value

LINE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})
SQUARE = SearchSpace({"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)})

Loss = Callable[..., float | tuple[float, ...]]


def as_values(loss: float | tuple[float, ...]) -> tuple[float, ...]:
    return loss if isinstance(loss, tuple) else (float(loss),)


def prior_trial(
    task: str,
    run_id: str,
    state: State,
    configuration: Mapping[str, Value],
    values: tuple[float, ...],
    is_exact: bool = True,
    search: str = "",
    is_by_rank: bool = False,
) -> Trial:
    """Makes a trial of an earlier search, in the target's terms."""
    return Trial(
        task=task, run_id=run_id, state=state, configuration=configuration, values=values,
        is_exact=is_exact, search=search, is_by_rank=is_by_rank,
    )  # fmt: skip


def own_trial(
    number: int,
    state: State,
    configuration: Mapping[str, Value],
    values: tuple[float, ...] = (),
    constraints: Mapping[str, float] | None = None,
) -> Trial:
    """Makes a trial of the search itself."""
    return Trial(
        number=number, state=state, configuration=configuration, values=values,
        constraints=constraints or {},
    )  # fmt: skip


def on_line(name: str, loss: Loss, count: int = 21) -> list[Trial]:
    """Makes trials at equal distances on the line."""
    return [
        prior_trial(name, f"{name}/{x:.3f}", "complete", {"x": x}, as_values(loss(x)), True)
        for x in np.linspace(0.0, 1.0, count).tolist()
    ]


def at_random(
    name: str, loss: Loss, count: int = 30, seed: int = 0, space: SearchSpace = SQUARE
) -> list[Trial]:
    """Makes the trials of a random search."""
    generator = np.random.default_rng(seed)
    drawn = [space.random_configuration(generator) for _ in range(count)]
    return [
        prior_trial(name, f"{name}/{index}", "complete", each, as_values(loss(**each)), True)
        for index, each in enumerate(drawn)
    ]


def bowl(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + (y - 0.6) ** 2


def cliff(x: float, y: float) -> float:
    return float(np.sin(9 * x) * np.cos(8 * y))


def past(loss: Loss = bowl, name: str = "past") -> list[TaskModel]:
    """Makes the model of a task that was searched at random in the square."""
    return modelled(at_random(name, loss, 30, 7), SQUARE)


def model(tasks=(), same_task=(), left_out=None) -> TransferModel:
    return TransferModel(tasks, left_out or {}, CandidateGrid(SQUARE), same_task, 0)


def unnamed(directions: Sequence[str]) -> tuple[Objective, ...]:
    """Makes the objectives of a study that does not name them."""
    return from_lists([""] * len(directions), directions)


def modelled(
    evidence: Sequence[Trial],
    space: SearchSpace = LINE,
    directions: Sequence[str] = ("minimize",),
) -> list[TaskModel]:
    """Returns the models of the trials' tasks, none of them left out."""
    past = task_models(evidence, space, unnamed(directions), {})
    assert past.left_out == {}
    return list(past.models)


def context(
    trials: Sequence[Trial] = (),
    space: SearchSpace = SQUARE,
    *,
    number: int | None = None,
    directions: Sequence[str] = ("minimize",),
    seed: int = 0,
) -> Context:
    """Makes the context of the trial after the given ones, which are all that was tried."""
    tried = Tried()
    for trial in trials:
        tried.add(space, trial.configuration)
    following = len(trials) if number is None else number
    return Context(following, space, unnamed(directions), tuple(trials), tried, seed)


def own_trials(loss: Loss, count: int, seed: int = 1, space: SearchSpace = SQUARE) -> list[Trial]:
    """Makes complete trials of this search at random places."""
    return [
        own_trial(number, "complete", dict(each.configuration), each.values)
        for number, each in enumerate(at_random("own", loss, count, seed, space))
    ]

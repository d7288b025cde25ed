"""Prior trials in the target's terms: its hyperparameters, its objectives, its directions.

History comes from other searches, with other ranges, names and metrics. Here it is restated before
any model sees it, since one trial that lacks a hyperparameter, or has another range, silently
removes that hyperparameter from an Optuna sampler's joint model. What cannot be restated honestly
is left out and counted. Judging whether history can be trusted is not done here (`review/`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.history import History, PriorTrial
from search.space import SearchSpace, Value


@dataclass(frozen=True)
class Evidence:
    """One prior trial in the target's terms.

    Attributes:
        task: The task it was run on.
        run_id: Its run, for the record of origins.
        state: As in history: "complete", "stopped", "failed" and so on.
        configuration: Inside the target space; hyperparameters it lacked are missing.
        values: The target's objectives, in their order; empty unless complete.
        is_exact: Whether it is a configuration of the target space as it stands.
    """

    task: str
    run_id: str
    state: str
    configuration: Mapping[str, Value]
    values: tuple[float, ...]
    is_exact: bool


def gather(
    history: History,
    space: SearchSpace,
    directions: Sequence[str],
    objectives: Sequence[str] | None = None,
) -> tuple[list[Evidence], Counter[str]]:
    """Restates all of history, in its order.

    Args:
        history: Earlier trials.
        space: The target's space.
        directions: The target's, one an objective.
        objectives: The target's metrics. A prior trial that was searched for other metrics counts
            if it reported these. If None, prior trials count whose directions are the target's.

    Returns:
        The evidence, and what was left out: reason -> number of trials.
    """
    kept: list[Evidence] = []
    left_out: Counter[str] = Counter()
    for trial in history.prior_trials(state=None):
        if trial.state not in ("complete", "stopped", "failed"):
            left_out[f"{trial.state}: it has no end to learn from"] += 1
            continue
        values = objective_values(trial, directions, objectives)
        if trial.state == "complete" and not values:
            left_out["it has no finite value for every objective of this search"] += 1
            continue
        name = _outside(space, trial.configuration)
        if name:
            left_out[f"its {name} lies outside this search's range"] += 1
            continue
        restated = space.restate(trial.configuration)
        if not restated.configuration:
            left_out["it shares no hyperparameter with this search"] += 1
            continue
        is_exact = not restated.notes and not restated.unknown
        kept.append(
            Evidence(
                trial.task, trial.run_id, trial.state, restated.configuration, values, is_exact
            )
        )
    return kept, left_out


def objective_values(
    trial: PriorTrial, directions: Sequence[str], objectives: Sequence[str] | None
) -> tuple[float, ...]:
    """A complete prior trial's values of the target's objectives; empty if any is not known."""
    if trial.state != "complete":
        return ()
    if objectives is None:
        values = list(trial.values)
        if tuple(trial.directions) != tuple(directions):
            return ()
    else:
        theirs = dict(zip(trial.objectives, trial.directions, strict=False))
        wanted = dict(zip(objectives, directions, strict=True))
        own = {name: trial.counterpart(name) for name in objectives}
        if any(theirs.get(own[name] or "", wanted[name]) != wanted[name] for name in objectives):
            return ()
        values = [trial.value_of(name) for name in objectives]
    finite = [value for value in values if math.isfinite(value)]
    return tuple(finite) if len(finite) == len(values) == len(directions) else ()


def _outside(space: SearchSpace, configuration: Mapping[str, object]) -> str:
    """The first number outside the target's range, by name; empty if there is none.

    NOTE: clipping would tell the model that the edge of the range performs as something beyond it.
    """
    for name, distribution in space.distributions.items():
        value = configuration.get(name)
        if isinstance(distribution, CategoricalDistribution) or name not in configuration:
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        try:
            number = float(value)  # type: ignore[arg-type]  # whatever a store held
        except (TypeError, ValueError, OverflowError):
            continue  # not a number at all: `restate` calls it unknown
        # A relative billionth: a range that passed through text may have lost its last digit.
        slack = 1e-9 * (float(distribution.high) - float(distribution.low))
        if not distribution.low - slack <= number <= distribution.high + slack:
            if math.isfinite(number):
                return name
    return ""

"""Ending: whether a search of a task that was searched before has anything left to gain.

Its best known trial was trained again, so what is left is to find a better one. The model says
before every trial how much that one is expected to gain (`expected_gain.py`). The search ends when
this is too little, three times in a row, by one of two rules:

- noise: the gains expected of all trials left, added up, are less than one training of a
  configuration differs from the next. An expected improvement falls as a search goes on and the
  trials left overlap, so the sum is an upper limit.
- price: the gain expected of a trial is less than a tenth of what a trial of this task brought so
  far, on average. A trial is paid with its time: if both are known, that is taken into account.

Sources: Nguyen et al. 2017, "Regret for expected improvement over the best-observed value and
stopping condition" (a limit on the expected improvement); Makarova et al. 2022, "Automatic
termination for hyperparameter optimization" (its limit is the noise); Charnov 1976, "Optimal
foraging, the marginal value theorem" (leave when the next gain is below the average one).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.apply.prior_data import PriorData
from search.apply.proposal_source import Proposal
from search.apply.scores import losses_of
from search.history import Trial
from search.history.forecast import read_forecast
from search.history.plurals import counted
from search.history.revalidation import Revalidation, read_revalidation
from search.objectives import Objective, pareto
from search.objectives.objective import value_text
from search.spec import Spec

# A task counts as searched before from so many complete trials on: with fewer a model knows its
# own error badly, and a search of a few trials has nothing to save.
FEWEST_PRIOR = 10
# A single forecast is now and then far too low, so this one and the two before it must agree.
FORECASTS = 3
# Average gains fall as a task is searched on, so the average alone would end a search too early.
# Six second searches (recorded HPOBench-MLP, every third position, noise added, 20 or 40 trials
# before) ended after 3, 3, 3, 8, 9 and 12 of 25 trials; the rest would have gained 0.0049 in one of
# them, 1.6 standard deviations of the noise, and at most 0.0009 in the others.
SHARE_OF_AVERAGE = 0.1
# The reference point of a hypervolume lies so far beyond the worst value, as a share of the range.
_MARGIN = 0.1


def why_end(
    trials: Sequence[Trial],
    left: int,
    proposal: Proposal,
    prior: PriorData,
    objectives: Sequence[Objective],
) -> str:
    """Returns why a search ends instead of trying a proposal, with the numbers; "" if it goes on.

    Args:
        trials: Its trials that have ended, by number, as its sampler sees them.
        left: How many trials of its budget have not begun.
        proposal: What it would try next.
        prior: What it started from.
        objectives: The searched objectives.
    """
    complete = [trial for trial in prior.same_task if trial.state == "complete"]
    confirmed = _confirmed(trials)
    if confirmed is None or len(complete) < FEWEST_PRIOR:
        return ""
    origins = [*(trial.origin for trial in trials), proposal.origin]
    forecasts = [each for each in map(read_forecast, origins) if math.isfinite(each.gain)]
    if len(forecasts) < FORECASTS or not math.isfinite(read_forecast(proposal.origin).gain):
        return ""
    recent = forecasts[-FORECASTS:]
    scale = _scale([*complete, *trials], objectives)
    noise = _noise(confirmed, prior, objectives, scale)
    gain = max(each.gain for each in recent)
    unit = f" {objectives[0].metric}" if len(objectives) == 1 else " of the hypervolume"
    if left * gain < noise:
        return (
            f"the {counted(left, 'trial')} left {'is' if left == 1 else 'are'} expected to "
            f"gain {_number(left * gain, objectives)}{unit} at most, and repeating a "
            f"configuration changes it by {_number(noise, objectives)}"
        )
    average = scale.brought / len(complete)
    seconds = _seconds(complete)
    costs = [each.cost if each.unit == "seconds" else 0.0 for each in recent]
    share = min(costs) / seconds if seconds and all(costs) else 1.0
    if gain < SHARE_OF_AVERAGE * average * share:
        return (
            f"the next trial is expected to gain {_number(gain, objectives)}{unit}, less than a "
            f"tenth of what {counted(len(complete), 'trial')} of this task brought on average, "
            f"{_number(average, objectives)}"
        )
    return ""


def may_end_early(spec: Spec) -> bool:
    """Whether a search may end by itself: a control arm needs its trials, to be compared."""
    return spec.budget.stop == "auto" and not spec.sampler.options.get("control")


def revalidation_lines(spec: Spec, proposals: Sequence[Proposal], prior: PriorData) -> list[str]:
    """Returns what a search of a task that was searched before does, as lines; [] for others."""
    known = next(filter(None, (read_revalidation(each.origin) for each in proposals)), None)
    if known is None:
        return []
    accepted = known.accepted_in_words() or "how much it varies is not known"
    lines = [f"trains {known.trial} again first: {known.expected_in_words()} expected; {accepted}"]
    complete = sum(trial.state == "complete" for trial in prior.same_task)
    if may_end_early(spec) and complete >= FEWEST_PRIOR:
        lines.append(
            f"ends when the model expects too little of the trials left; "
            f"{counted(spec.budget.trials, 'trial')} at most (all: --set budget.stop=never)"
        )
    return lines


@dataclass(frozen=True, eq=False)
class _Scale:
    """What gains on a task are compared with.

    Attributes:
        front: The losses of the best trials, `(n, objectives)`.
        reference: The point that bounds the hypervolume.
        volume: The hypervolume; the unit of gains of several objectives.
        brought: How much the best trials gained over the median trial, in the unit of gains.
    """

    front: np.ndarray[Any, np.dtype[np.float64]]
    reference: np.ndarray[Any, np.dtype[np.float64]]
    volume: float
    brought: float


def _confirmed(trials: Sequence[Trial]) -> tuple[Trial, Revalidation] | None:
    """Returns the trial that trained the incumbent again, if its record holds."""
    for trial in trials:
        known = read_revalidation(trial.origin) if trial.state == "complete" else None
        if known is not None:
            return None if known.departed(trial.by_metric) else (trial, known)
    return None


def _scale(trials: Sequence[Trial], objectives: Sequence[Objective]) -> _Scale:
    losses = losses_of([each for each in trials if each.state == "complete"], objectives)
    reference = losses.max(axis=0) + np.maximum(_MARGIN * np.ptp(losses, axis=0), 1e-12)
    front = losses[pareto.front(losses)]
    volume = pareto.hypervolume(front, reference)
    brought = volume - pareto.hypervolume(np.median(losses, axis=0)[None], reference)
    share = 1.0 if len(objectives) == 1 else volume
    return _Scale(front, reference, volume, brought / share)


def _noise(
    confirmed: tuple[Trial, Revalidation],
    prior: PriorData,
    objectives: Sequence[Objective],
    scale: _Scale,
) -> float:
    """Returns how much a repetition changes the objective, or the hypervolume as a share.

    Without known noise of an objective it is that of the new value and the record.
    """
    trial, known = confirmed
    deviations = {each.objective: each.deviation for each in prior.noises}
    moved = [
        deviations.get(each.metric, _deviation(trial, known, each.metric))
        for each in objectives
        if each.metric in deviations or each.metric in known.expected
    ]
    if len(moved) < len(objectives):
        return 0.0
    if len(objectives) == 1:
        return moved[0]
    lower = pareto.hypervolume(scale.front + np.array(moved), scale.reference)
    return 1.0 - lower / scale.volume if scale.volume > 0 else 0.0


def _deviation(trial: Trial, known: Revalidation, metric: str) -> float:
    """Returns the standard deviation of two values: the new one, and the one on record."""
    return abs(
        trial.by_metric.get(metric, math.nan) - known.expected.get(metric, math.nan)
    ) / math.sqrt(2)


def _seconds(trials: Sequence[Trial]) -> float:
    """Returns the mean time of trials; 0 if one is unknown."""
    seconds = [trial.seconds for trial in trials]
    return float(np.mean(seconds)) if min(seconds, default=0.0) > 0 else 0.0


def _number(gain: float, objectives: Sequence[Objective]) -> str:
    return value_text(gain) if len(objectives) == 1 else f"{gain:.2%}"

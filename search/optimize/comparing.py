"""What the scheduler compares trials by, epoch by epoch, in a new search and in a resumed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from models.catalog import compared_metric
from models.metric_names import MetricName
from search.objectives import Objective
from search.optimize.outcome import COLLAPSED, METRICS
from search.optimize.scheduler import MultiObjectiveASHA
from search.spec import Spec

if TYPE_CHECKING:  # workers look here, too
    from search.history import Trial
    from search.optimize.plan import Plan


def scheduler_for(plan: Plan, own: Sequence[Trial]) -> TrialScheduler:
    """The spec's scheduler, its rungs filled with what the search's trials have shown already."""
    settings, epochs = plan.spec.scheduler, plan.spec.budget.epochs
    objectives, metrics = compared_objectives(plan.spec), compared_metrics(plan.spec)
    if not metrics:
        return FIFOScheduler()
    scheduler = MultiObjectiveASHA(
        [
            replace(objective, metric=f"{METRICS}/{metric}")  # as Ray flattens results
            for objective, metric in zip(objectives, metrics, strict=True)
        ],
        settings.grace_epochs, epochs,
        reduction_factor=settings.reduction_factor,
        key=lambda trial: int(trial.config["number"]),
        collapsed=f"{METRICS}/{COLLAPSED}",
    )  # fmt: skip
    scheduler.refill(
        (
            trial.number,
            {f"{METRICS}/{metric}": carried(trial, metric, epochs) for metric in metrics},
        )
        for trial in own
    )
    return scheduler


def carried(trial: Trial, metric: str, epochs: int) -> dict[int, float]:
    """A trial's curve; where early stopping ended it, its last value stands for later epochs."""
    curve = dict(trial.curves.get(metric, {}))
    # Without the figure at its end there is none to carry: texts have a cheap one only before.
    if trial.state != "complete" or trial.epoch not in curve:
        return curve
    return dict.fromkeys(range(trial.epoch + 1, epochs + 1), curve[trial.epoch]) | curve


def compared_metrics(spec: Spec) -> list[str]:
    """What the scheduler compares each epoch: the cheap figure where the full one is dear.

    One for each of `compared_objectives`, in their order.
    """
    threat, model = spec.threat, spec.task.model
    metrics = [objective.metric for objective in compared_objectives(spec)]
    return [compared_metric(model, threat, each) for each in metrics] if threat else metrics


def compared_objectives(spec: Spec) -> list[Objective]:
    """The objectives that a trial is compared by before its end.

    Neither what is only reported nor what only the last epoch measures; the primary one alone under
    plain ASHA; none without a scheduler or where every trial would end before its first rung.
    """
    if spec.scheduler.name == "none" or spec.budget.epochs <= spec.scheduler.grace_epochs:
        return []
    wanted = spec.objectives[:1] if spec.scheduler.name == "asha" else spec.objectives
    kept = [
        objective
        for objective in wanted
        if objective.role.name != "report" and not _is_late(spec, objective.metric)
    ]
    # Without the first nothing says how far the others may go at its cost.
    return kept if spec.objectives[0] in kept else []


def _is_late(spec: Spec, metric: str) -> bool:
    """Whether it is measured on the picked epoch's weights at the end, and not before."""
    name = MetricName.parse(metric)
    return spec.threat is not None and (name.is_corrupted or metric == "epoch.selected")

"""What the scheduler compares trials by, epoch by epoch, in a new search and in a resumed one."""

from __future__ import annotations

from collections.abc import Sequence

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from models.catalog import AnyThreat, cheap_metric, robust_metric
from search.history import PriorTrial
from search.optimize.outcome import METRICS
from search.optimize.plan import Plan
from search.optimize.scheduler import MultiObjectiveASHA
from search.spec import Spec


def scheduler_for(plan: Plan, own: Sequence[PriorTrial]) -> TrialScheduler:
    """The spec's scheduler, its rungs filled with what the search's trials have shown already."""
    settings, epochs = plan.spec.scheduler, plan.spec.budget.epochs
    metrics = compared_metrics(plan.spec)
    if not metrics:
        return FIFOScheduler()
    directions = list(plan.directions())[: len(metrics)]
    scheduler = MultiObjectiveASHA(
        [f"{METRICS}/{metric}" for metric in metrics],  # as Ray flattens results
        directions, settings.grace_epochs, epochs,
        reduction_factor=settings.reduction_factor,
        key=lambda trial: int(trial.config["number"]),
    )  # fmt: skip
    scheduler.refill(
        (
            trial.number,
            {f"{METRICS}/{metric}": carried(trial, metric, epochs) for metric in metrics},
        )
        for trial in own
    )
    return scheduler


def carried(trial: PriorTrial, metric: str, epochs: int) -> dict[int, float]:
    """A trial's curve; where early stopping ended it, its last value stands for later epochs."""
    curve = dict(trial.curves.get(metric, {}))
    # Without the figure at its end there is none to carry: texts have a cheap one only before.
    if trial.state != "complete" or trial.epoch not in curve:
        return curve
    return dict.fromkeys(range(trial.epoch + 1, epochs + 1), curve[trial.epoch]) | curve


def compared_metrics(spec: Spec) -> list[str]:
    """What the scheduler compares each epoch: the cheap figure where the full one is dear.

    One an objective, in their order; the primary one alone under plain ASHA; empty without a
    scheduler or where every trial would end before its first rung.
    """
    if spec.scheduler.name == "none" or spec.budget.epochs <= spec.scheduler.grace_epochs:
        return []
    threat, model = threat_of(spec), spec.task.model
    cheap = {robust_metric(model, threat): cheap_metric(model, threat)} if threat else {}
    metrics = [cheap.get(objective.metric, objective.metric) for objective in spec.objectives]
    return metrics[:1] if spec.scheduler.name == "asha" else metrics


def threat_of(spec: Spec) -> AnyThreat | None:
    """How robustness is judged; None for a user's own training function."""
    return None if spec.task.is_function else spec.robustness

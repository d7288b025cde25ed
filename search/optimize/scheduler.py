"""MultiObjectiveASHA: stops trials that are behind at fixed epochs, on all objectives at once.

A trial that reaches a rung stays if it is among the best 1/reduction_factor of all that have
reached it; otherwise it stops. "Best" is by non-domination, and within a front by the epsilon-net,
so that a front is thinned evenly rather than at one end. With one metric this is ASHA (the stopping
variant of Ray's AsyncHyperBandScheduler). Where objectives count otherwise than alike, the order is
that of `objectives/roles.py`. A trial that says it has collapsed stops at once: training on FGSM
may from one epoch to the next lose its robustness to every other attack, and does not find back.

It is driven by the trial's own `epoch`, never by Ray's
`training_iteration`, which starts again in a new Tuner. It does not write anything anywhere.

Sources: Schmucker, Donini, Zafar, Salinas, Archambeau 2021, "Multi-objective Asynchronous
Successive Halving"; Li et al. 2020, "A system for massively parallel hyperparameter tuning" (ASHA);
Wong, Rice, Kolter 2020, "Fast is better than free: revisiting adversarial training", section 5.4,
and Andriushchenko, Flammarion 2020, "Understanding and improving fast adversarial training"
(catastrophic overfitting).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from models.catalog import compared_metric
from models.scores.metric_names import MetricName
from search.objectives import Objective, pareto
from search.objectives.objective import checked
from search.objectives.roles import aims, as_losses, steering, steering_indices
from search.optimize.outcome import COLLAPSED, METRICS
from search.spec import Spec

if TYPE_CHECKING:
    from search.history import Trial
    from search.optimize.plan import Plan


Key = int | str


def rung_epochs(grace_epochs: int, reduction_factor: float, max_epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are judged: grace_epochs * reduction_factor^k below max_epochs."""
    epochs: list[int] = []
    exact = float(grace_epochs)
    while exact < max_epochs:
        # Rounded up, so that a fractional factor never judges before the exact epoch.
        epoch = math.ceil(exact - 1e-9)
        if epoch < max_epochs and epoch not in epochs:
            epochs.append(epoch)
        exact *= reduction_factor
    return tuple(epochs)


class MultiObjectiveASHA(FIFOScheduler):  # type: ignore[misc]  # Ray has no types
    """Stops trials early by their rank among all trials at the same epoch.

    Attributes:
        stopped: Ray trial id -> epoch, for every trial that this scheduler told to stop. A trial
            that ended and is not in here ran to its end.
        rungs: Epoch -> key of a trial -> its losses (smaller is better) at that epoch.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        grace_epochs: int,
        max_epochs: int,
        *,
        reduction_factor: float = 3,
        key: Callable[[RayTrial], Key] | None = None,
        collapsed: str = "",
    ) -> None:
        """Makes a scheduler with empty rungs.

        Args:
            objectives: Of metrics that every epoch reports; one gives plain ASHA.
            grace_epochs: The first rung: nothing stops before this epoch.
            max_epochs: The full budget; trials end there by themselves.
            reduction_factor: Of the trials at a rung the best 1/reduction_factor go on.
            key: What identifies a trial across Tuners, the same as in `refill`; by default Ray's
                `trial_id`, which a new Tuner gives anew.
            collapsed: Name of a metric that is 1 where a training has collapsed; it may be missing.

        Raises:
            ValueError: The settings contradict each other; says which.
        """
        if not objectives:
            raise ValueError("no objectives to rank trials by; fix: give at least one")
        if not 1 <= grace_epochs <= max_epochs:
            raise ValueError(f"grace_epochs {grace_epochs} is not within 1 to {max_epochs} epochs")
        if not reduction_factor > 1:
            raise ValueError(f"reduction_factor {reduction_factor} must be larger than 1")
        super().__init__()
        self.stopped: dict[str, int] = {}
        self.rungs: dict[int, dict[Key, tuple[float, ...]]] = {
            epoch: {} for epoch in rung_epochs(grace_epochs, reduction_factor, max_epochs)
        }
        self._objectives = checked(objectives)
        self._metrics = tuple(each.metric for each in objectives)
        self._losses_wanted = as_losses(objectives)
        self._collapsed = collapsed
        self._max_epochs = max_epochs
        self._ends: dict[Key, tuple[float, ...]] = {}  # losses of the trials that ran to their end
        self._reduction_factor = reduction_factor
        self._key = key or (lambda trial: str(trial.trial_id))

    def refill(self, entries: Iterable[tuple[Key, Mapping[str, Mapping[int, float]]]]) -> None:
        """Fills the rungs from recorded curves when a search resumes.

        A rung takes a trial's metrics at exactly the rung's epoch, whatever became of the trial,
        and then neither records nor judges it again. What a rung already has stays.

        Args:
            entries: Key of a trial, and its curves: metric -> epoch -> value. A curve without the
                rung's epoch, or a missing curve, fills nothing there.
        """
        for key, curves in entries:
            for epoch, recorded in self.rungs.items():
                values = [curves.get(metric, {}).get(epoch) for metric in self._metrics]
                if key not in recorded and None not in values:
                    recorded[key] = self._losses(values)
            last = [curves.get(metric, {}).get(self._max_epochs) for metric in self._metrics]
            if None not in last:
                self._ends[key] = self._losses(last)

    def on_trial_result(
        self, tune_controller: Any, trial: RayTrial, result: Mapping[str, Any]
    ) -> str:
        """Records what arrives at a rung and decides whether the trial goes on.

        Raises:
            ValueError: The result lacks `epoch` or one of the metrics.
        """
        if result.get("done") and "epoch" not in result:
            return str(TrialScheduler.CONTINUE)  # it ended without another report
        epoch = self._epoch(trial, result)
        is_hopeless = not self._is_kept_at_a_rung(trial, epoch, result)
        has_collapsed = bool(self._collapsed) and result.get(self._collapsed) == 1
        if result.get("done") or not (is_hopeless or has_collapsed):
            return str(TrialScheduler.CONTINUE)
        self.stopped[str(trial.trial_id)] = epoch
        return str(TrialScheduler.STOP)

    def _is_kept_at_a_rung(self, trial: RayTrial, epoch: int, result: Mapping[str, Any]) -> bool:
        """Records a result at the highest rung reached; whether it may stay there."""
        losses = self._losses([self._value_of(trial, result, metric) for metric in self._metrics])
        key = self._key(trial)
        reached = [rung for rung in self.rungs if rung <= epoch]
        # Only the highest rung judges: at the ones it has jumped over, this later result would
        # stand beside younger trials. Having been judged here settles those below, too.
        if not reached or any(
            key in self.rungs[rung] for rung in self.rungs if rung >= reached[-1]
        ):
            return True
        self.rungs[reached[-1]][key] = losses
        return self._is_kept(key, self.rungs[reached[-1]])

    def on_trial_complete(
        self, tune_controller: Any, trial: RayTrial, result: Mapping[str, Any]
    ) -> None:
        """A trial that early stopping ended stands with its last figures at all later rungs."""
        values = [result.get(metric) for metric in self._metrics]
        if "epoch" not in result or None in values:
            return
        if result.get("ended") or int(result["epoch"]) >= self._max_epochs:
            self._ends[self._key(trial)] = self._losses(values)
        for epoch, recorded in self.rungs.items():
            if result.get("ended") and epoch >= int(result["epoch"]):
                recorded.setdefault(self._key(trial), self._losses(values))

    def debug_string(self) -> str:
        """One line: how many trials stand at each rung and how many were stopped."""
        rungs = ", ".join(f"epoch {epoch}: {len(kept)}" for epoch, kept in self.rungs.items())
        return f"Multi-objective ASHA: {len(self.stopped)} stopped; trials at {rungs or 'no rung'}"

    def _is_kept(self, key: Key, recorded: Mapping[Key, tuple[float, ...]]) -> bool:
        """Whether a trial is in the best 1/reduction_factor of its rung, or equal to one there."""
        if any(math.isnan(loss) for loss in recorded[key]):
            return False
        if len(recorded) < self._reduction_factor:
            return True
        rows = _ordered_by(self._at_the_end(recorded), self._losses_wanted)
        own = rows[list(recorded).index(key)]
        kept = pareto.order(rows)[: math.floor(len(rows) / self._reduction_factor)]
        # NOTE: metrics on a few hundred examples tie often; the order within a tie is arbitrary.
        return bool((rows[kept] == own).all(axis=1).any())

    def _at_the_end(self, recorded: Mapping[Key, tuple[float, ...]]) -> NDArray[np.float64]:
        """Losses at a rung, `(n, metrics)`; of constraints what they may be in the end.

        A bound is for a trial's end, and its figure still moves. It is taken to move as it did, at
        the median, in the trials that were at this rung and ran to their end.
        """
        rows = np.array(list(recorded.values()))
        ended = [index for index, key in enumerate(recorded) if key in self._ends]
        bounds = [
            index
            for index, each in enumerate(self._losses_wanted)
            if each.role.name == "constraint"
        ]
        if ended and bounds:
            ends = np.array([end for key in recorded if (end := self._ends.get(key)) is not None])
            rows[:, bounds] += np.median(ends[:, bounds] - rows[ended][:, bounds], axis=0)
        return rows

    def _losses(self, values: Sequence[Any]) -> tuple[float, ...]:
        row = pareto.losses([[float(value) for value in values]], self._objectives)[0]
        return tuple(float(loss) for loss in row)

    def _epoch(self, trial: RayTrial, result: Mapping[str, Any]) -> int:
        if "epoch" not in result:
            raise ValueError(
                f"trial {trial.trial_id} reported no 'epoch'; the scheduler counts by it, "
                f"so report it with every result. Reported: {_names(result)}"
            )
        return int(result["epoch"])

    def _value_of(self, trial: RayTrial, result: Mapping[str, Any], metric: str) -> float:
        if result.get(metric) is None:
            raise ValueError(
                f"trial {trial.trial_id} reported no {metric!r} at epoch {result['epoch']}; the "
                f"scheduler ranks by {', '.join(self._metrics)}. Reported: {_names(result)}"
            )
        return float(result[metric])


def _ordered_by(
    losses: NDArray[np.float64], objectives: Sequence[Objective]
) -> NDArray[np.float64]:
    """What trials at a rung are ranked by, `(n, k)`: their steering losses.

    While no trial keeps the bounds, by how much each misses them is one more objective, and the
    first: a figure that still rises tells who is ahead, not who will keep a bound in the end. By
    the violation alone only those far within the bound would survive.
    """
    violation = aims(losses, objectives).violation
    if (violation == 0).any():
        return steering(losses, objectives)
    return np.column_stack([violation, losses[:, steering_indices(objectives)]])


def _names(result: Mapping[str, Any]) -> str:
    return ", ".join(sorted(result)) or "nothing"


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

"""MultiObjectiveASHA: stop trials that are behind at fixed epochs, by all objectives at once.

A trial that reaches a rung continues if it is among the best 1/reduction_factor of all that have
reached it; otherwise it is stopped. "Best" is by non-domination, and within a front by the
epsilon-net, so that a front is thinned evenly rather than at one end. With one metric this is ASHA
(the stopping variant of Ray's AsyncHyperBandScheduler). Where objectives have roles, the order is
that of `objectives/roles.py`. A trial that reports a collapse is stopped at once, also where no
trial reaches a rung: training on FGSM may lose its robustness to every other attack within an
epoch, and does not recover.

It counts by the trial's own `epoch`, never by Ray's `training_iteration`, which starts again in a
new Tuner. It writes nothing.

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

from search.objectives import Objective, pareto
from search.objectives.objective import checked
from search.objectives.roles import as_losses, constrained_losses, steering, steering_indices
from search.optimize.compared import compared_metrics, compared_objectives
from search.optimize.outcome import COLLAPSED, METRICS

if TYPE_CHECKING:
    from search.history import Trial
    from search.optimize.plan import Plan


Key = int | str


def rung_epochs(grace_epochs: int, reduction_factor: float, max_epochs: int) -> tuple[int, ...]:
    """Returns the epochs of the rungs: grace_epochs * reduction_factor^k below max_epochs."""
    epochs: list[int] = []
    exact = float(grace_epochs)
    while exact < max_epochs:
        # Rounded up, so that with a fractional factor no rung comes before its exact epoch.
        epoch = math.ceil(exact - 1e-9)
        if epoch < max_epochs and epoch not in epochs:
            epochs.append(epoch)
        exact *= reduction_factor
    return tuple(epochs)


class CollapseStopper(FIFOScheduler):  # type: ignore[misc]  # Ray has no types
    """Stops the trials that have collapsed, and compares none."""

    def __init__(self, collapsed: str) -> None:
        """Makes a scheduler.

        Args:
            collapsed: Name of a metric that is 1 where a training has collapsed; it may be missing.
        """
        super().__init__()
        self._collapsed = collapsed

    def on_trial_result(
        self, tune_controller: Any, trial: RayTrial, result: Mapping[str, Any]
    ) -> str:
        """Decides whether the trial continues; one that has ended is never told to stop."""
        must_stop = not result.get("done") and result.get(self._collapsed) == 1
        return str(TrialScheduler.STOP if must_stop else TrialScheduler.CONTINUE)


class MultiObjectiveASHA(FIFOScheduler):  # type: ignore[misc]  # Ray has no types
    """Stops trials early by their rank among all trials at the same epoch.

    Attributes:
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
        must_end: Callable[[RayTrial], bool] = lambda trial: False,
    ) -> None:
        """Makes a scheduler with empty rungs.

        Args:
            objectives: Objectives on metrics that every epoch reports; one gives plain ASHA.
            grace_epochs: The first rung: no trial is stopped for its rank before this epoch.
            max_epochs: The full budget; trials end there by themselves.
            reduction_factor: The best 1/reduction_factor of the trials at a rung continue.
            key: Identifies a trial across Tuners, as in `refill`; by default Ray's `trial_id`,
                which changes in a new Tuner.
            collapsed: Name of a metric that is 1 where a training has collapsed; it may be missing.
            must_end: Whether a trial goes on to its end, however far it is behind.

        Raises:
            ValueError: The settings contradict each other; says which.
        """
        if not objectives:
            raise ValueError("no objectives to rank trials by; fix: state at least one")
        if not 1 <= grace_epochs <= max_epochs:
            raise ValueError(f"grace_epochs {grace_epochs} is not within 1 to {max_epochs} epochs")
        if not reduction_factor > 1:
            raise ValueError(f"reduction_factor {reduction_factor} must be larger than 1")
        super().__init__()
        self.rungs: dict[int, dict[Key, tuple[float, ...]]] = {
            epoch: {} for epoch in rung_epochs(grace_epochs, reduction_factor, max_epochs)
        }
        self._objectives = checked(objectives)
        self._metrics = tuple(each.metric for each in objectives)
        self._loss_objectives = as_losses(objectives)
        self._collapsed, self._must_end = collapsed, must_end
        self._max_epochs = max_epochs
        self._ends: dict[Key, tuple[float, ...]] = {}  # losses of the trials that ran to their end
        self._reduction_factor = reduction_factor
        self._key = key or (lambda trial: str(trial.trial_id))

    def refill(self, entries: Iterable[tuple[Key, Mapping[str, Mapping[int, float]]]]) -> None:
        """Fills the rungs from recorded curves when a search resumes.

        A rung takes a trial's metrics at exactly the rung's epoch, however the trial ended, and
        then neither records nor compares it again. What a rung already has stays.

        Args:
            entries: Key of a trial, and its curves: metric -> epoch -> value. A curve that is
                missing, or lacks the rung's epoch, fills nothing there.
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
        """Records what arrives at a rung and decides whether the trial continues.

        Raises:
            ValueError: The result lacks `epoch` or one of the metrics.
        """
        if result.get("done") and "epoch" not in result:
            return str(TrialScheduler.CONTINUE)  # it ended without another report
        missing = [name for name in ("epoch", *self._metrics) if result.get(name) is None]
        if missing:
            raise ValueError(
                f"trial {trial.trial_id} reported no {', '.join(map(repr, missing))} at epoch "
                f"{result.get('epoch')}; the scheduler counts by 'epoch' and ranks by "
                f"{', '.join(self._metrics)}; fix: report them with every result. "
                f"Reported: {', '.join(sorted(result)) or 'nothing'}"
            )
        is_behind = not self._is_kept(trial, result) and not self._must_end(trial)
        has_collapsed = bool(self._collapsed) and result.get(self._collapsed) == 1
        must_stop = not result.get("done") and (is_behind or has_collapsed)
        return str(TrialScheduler.STOP if must_stop else TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, tune_controller: Any, trial: RayTrial, result: Mapping[str, Any]
    ) -> None:
        """Records a trial that has ended; after early stopping also at all later rungs."""
        values = [result.get(metric) for metric in self._metrics]
        if "epoch" not in result or None in values:
            return
        key, losses = self._key(trial), self._losses(values)
        if result.get("ended") or int(result["epoch"]) >= self._max_epochs:
            self._ends[key] = losses
        for epoch, recorded in self.rungs.items():
            if result.get("ended") and epoch >= int(result["epoch"]):
                recorded.setdefault(key, losses)

    def _is_kept(self, trial: RayTrial, result: Mapping[str, Any]) -> bool:
        """Records a result at the highest rung reached; whether the trial may continue there.

        It may if it is in the best 1/reduction_factor of the rung, or equal to a trial in it.
        """
        key = self._key(trial)
        reached = [rung for rung in self.rungs if rung <= int(result["epoch"])]
        # Only the highest rung compares: at those it has jumped over, this later result would
        # stand next to results of earlier epochs. A comparison here settles those below, too.
        if not reached or any(
            key in self.rungs[rung] for rung in self.rungs if rung >= reached[-1]
        ):
            return True
        recorded = self.rungs[reached[-1]]
        recorded[key] = self._losses([result[metric] for metric in self._metrics])
        if any(map(math.isnan, recorded[key])):
            return False
        if len(recorded) < self._reduction_factor:
            return True
        rows = _ordered_by(self._at_the_end(recorded), self._loss_objectives)
        own = rows[list(recorded).index(key)]
        kept = pareto.order(rows)[: math.floor(len(rows) / self._reduction_factor)]
        # NOTE: metrics on a few hundred examples tie often; the order within a tie is arbitrary.
        return bool((rows[kept] == own).all(axis=1).any())

    def _at_the_end(self, recorded: Mapping[Key, tuple[float, ...]]) -> NDArray[np.float64]:
        """Returns losses at a rung, `(n, metrics)`; those of constraints as expected at the end.

        A bound is for the end of a trial, and the metric still changes. It is expected to change by
        the median change of the trials that were at this rung and ran to their end.
        """
        rows = np.array(list(recorded.values()))
        ended = [index for index, key in enumerate(recorded) if key in self._ends]
        roles = [each.role.name for each in self._loss_objectives]
        bounds = [index for index, name in enumerate(roles) if name == "constraint"]
        if ended and bounds:
            ends = np.array([self._ends[key] for key in recorded if key in self._ends])
            rows[:, bounds] += np.median(ends[:, bounds] - rows[ended][:, bounds], axis=0)
        return rows

    def _losses(self, values: Sequence[Any]) -> tuple[float, ...]:
        row = pareto.losses([[float(value) for value in values]], self._objectives)[0]
        return tuple(float(loss) for loss in row)


def _ordered_by(
    losses: NDArray[np.float64], objectives: Sequence[Objective]
) -> NDArray[np.float64]:
    """Returns the losses that rank trials at a rung, `(n, k)`.

    While no trial is feasible, the violation is one more objective, the first one: a metric that
    still rises tells which trial is ahead, not which is feasible in the end. By the violation alone
    only those far within the bound would survive.
    """
    violation = constrained_losses(losses, objectives).violation
    if (violation == 0).any():
        return steering(losses, objectives)
    return np.column_stack([violation, losses[:, steering_indices(objectives)]])


def scheduler_for(plan: Plan, own: Sequence[Trial]) -> TrialScheduler:
    """Makes the spec's scheduler, its rungs filled from the search's earlier trials.

    Where nothing is compared before a trial's last epoch, only collapsed trials are stopped.
    """
    settings, epochs = plan.spec.scheduler, plan.spec.budget.epochs
    metrics = compared_metrics(plan.spec)
    collapsed = f"{METRICS}/{COLLAPSED}"  # as Ray flattens results
    if settings.name == "none":
        return FIFOScheduler()
    if not metrics:
        return CollapseStopper(collapsed)
    scheduler = MultiObjectiveASHA(
        [
            replace(objective, metric=f"{METRICS}/{metric}")
            for objective, metric in zip(compared_objectives(plan.spec), metrics, strict=True)
        ],
        settings.first_rung(epochs), epochs,
        reduction_factor=settings.reduction_factor,
        key=lambda trial: int(trial.config["number"]),
        collapsed=collapsed,
        must_end=lambda trial: bool(trial.config["must_end"]),
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
    """Returns a trial's curve; after early stopping its last value counts for later epochs."""
    curve = dict(trial.curves.get(metric, {}))
    # Without a value at its end there is none to carry: texts have a cheap metric only before.
    if trial.state != "complete" or trial.epoch not in curve:
        return curve
    return dict.fromkeys(range(trial.epoch + 1, epochs + 1), curve[trial.epoch]) | curve

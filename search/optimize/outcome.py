"""Outcome: how a trial ended, decided in one place for Optuna, the scheduler and the journal.

Ray calls a trial that its scheduler stopped "complete", and accepts NaN as a value. Here a trial is
complete only at its full budget, or where its own early stopping ended it, with objectives that are
finite and that can be believed: a robust accuracy that may be false is no value to be best by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.adversarial.checks.search_warnings import doubts
from models.scores.cost_names import MODEL_COSTS
from search.history.causes import reason_of_doubt
from search.objectives.objective import LARGEST, is_measured

if TYPE_CHECKING:  # it would have workers import Optuna
    from search.history.states import State

# Keys of a worker's result that are not metrics.
EPOCH = "epoch"
FAILURE = "failure"
EARLIER = "earlier_epochs"
METRICS = "metrics"
DEVICE = "device"  # its name, see `models/training/device_name.py`
ENDED = "ended"  # whether no epoch is left: the training stopped early by its own criterion
TABLES = "tables"  # texts of a finished trial, by file name
WARNINGS = "warnings"  # what its confirmation warned of: name -> text
# A metric of the training; 1 where single-step adversarial training has collapsed.
COLLAPSED = "selection.collapsed"


@dataclass(frozen=True)
class Outcome:
    """A trial's end: its state, its objective values if complete, and the reason if not."""

    state: State
    epoch: int = 0
    values: tuple[float, ...] = ()
    reason: str = ""


def outcome_of(
    result: Mapping[str, Any],
    objectives: Sequence[str],
    epochs: int,
    *,
    excludes_doubtful: bool = False,
) -> Outcome:
    """Returns the outcome of a trial from its last result.

    Args:
        result: The worker's last result (see trainable.py); may be empty.
        objectives: Metric names, primary first.
        epochs: The full budget.
        excludes_doubtful: Whether a trial fails whose robust accuracy may be false.
    """
    epoch = int(result.get(EPOCH, 0))
    if result.get(FAILURE):
        return Outcome("failed", epoch, reason=str(result[FAILURE]))
    metrics = result.get(METRICS, {})
    diverged = [name for name in objectives if name in metrics and not math.isfinite(metrics[name])]
    if diverged:
        return Outcome("failed", epoch, reason=f"not finite: {', '.join(diverged)}")
    huge = [name for name in objectives if name in metrics and not is_measured(metrics[name])]
    if huge:
        reason = f"not finite where it is squared: {', '.join(huge)} beyond {LARGEST:g}"
        return Outcome("failed", epoch, reason=reason)
    if epoch < epochs and not (epoch and result.get(ENDED)):
        because = " for catastrophic overfitting" if metrics.get(COLLAPSED) == 1 else ""
        reason = f"stopped by the scheduler after epoch {epoch}{because}"
        return Outcome("stopped", epoch, reason=reason)
    missing = [name for name in objectives if name not in metrics]
    if missing:
        reported = ", ".join(sorted(metrics)) or "nothing"
        reason = f"reported no {', '.join(missing)}; it reported {reported}{costs_fix(missing)}"
        return Outcome("failed", epoch, reason=reason)
    values = {name: float(metrics[name]) for name in objectives}
    if excludes_doubtful and (found := doubts(metrics)):
        return Outcome("failed", epoch, reason=reason_of_doubt(found, values))
    return Outcome("complete", epoch, tuple(values.values()))


def costs_fix(missing: Sequence[str]) -> str:
    """Returns how a user's own function reports the costs of a model among missing metrics."""
    if not any(name in MODEL_COSTS for name in missing):
        return ""
    return "; fix: report search.costs.model_costs(model, inputs), too, which measures them"


def is_out_of_memory(result: Mapping[str, Any]) -> bool:
    """Whether a trial failed without memory; trainable.py ends the text of its failure so."""
    return str(result.get(FAILURE) or "").endswith("out of memory")

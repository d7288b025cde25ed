"""Reading: one run as its tool's layout describes it, in the same terms for all tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.distributions import BaseDistribution

from search.objectives import Objective
from search.tracking.runs import Run

# What Ray Tune, MLflow and similar tools log in addition: where and when a trial ran, not how.
# https://docs.ray.io/en/latest/tune/tutorials/tune-metrics.html (auto-filled metrics)
_NOISE = {
    "pid", "done", "date", "timestamp", "hostname", "node_ip", "trial_id", "trial_name",
    "experiment_id", "experiment_tag", "logdir", "checkpoint_dir_name", "should_checkpoint",
    "training_iteration", "iterations_since_restore", "timesteps_since_restore",
    "time_this_iter_s", "time_total_s", "time_since_restore", "timesteps_total",
    "episodes_total",
}  # fmt: skip
_NOISE_BEGINS = ("config/", "system/", "mlflow.")


@dataclass(frozen=True)
class Reading:
    """One run as its tool describes it.

    Attributes:
        state: One of `history.states.STATES`.
        texts: Hyperparameters as text; their types are inferred over a whole search.
        known: Hyperparameters whose type and value the tool logged.
        distributions: The distributions the tool logged.
        objectives: What the tool optimised; empty if it was not logged.
        values: One per objective; empty unless the run is complete.
        number: The tool's number of the trial.
        identity: The tool's name of the trial; two runs with one name are one trial.
        model: What was trained, for the task's fingerprint.
        curves: Metric as logged -> the name to read it under; "" drops it.
        reason: Why it failed or was stopped, in a line; "" if nobody said.
        has_times: Whether start and end are those of the trial.
    """

    state: str
    texts: Mapping[str, str]
    known: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    values: tuple[float, ...] = ()
    number: int | None = None
    identity: str = ""
    model: str = ""
    curves: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    has_times: bool = True


class Layout(Protocol):
    """How the runs of one tool are recognised and read. Modules of this folder implement it."""

    TOOL: str

    def recognises(self, run: Run, parent: Run | None) -> bool:
        """Returns whether the tool logged this run."""

    def read(self, run: Run, parent: Run | None) -> Reading:
        """Returns the run's reading; `parent` is the run it is nested below, if it was read."""


def is_noise(name: str) -> bool:
    """Returns whether a param or a metric describes the framework and not the trial."""
    return name in _NOISE or name.startswith(_NOISE_BEGINS)


def hyperparameters(params: Mapping[str, str]) -> dict[str, str]:
    """Returns the params without those that frameworks add."""
    return {name: text for name, text in params.items() if not is_noise(name)}


def direction_names(text: str) -> tuple[str, ...]:
    """Parses `MINIMIZE,MAXIMIZE` or `['MINIMIZE', 'MAXIMIZE']`; () for anything else."""
    words = [word.strip(" '\"").lower() for word in text.strip("[]() ").split(",")]
    return tuple(words) if set(words) <= {"maximize", "minimize"} else ()

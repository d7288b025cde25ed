"""What a tool's layout tells of one run, in terms that are the same for all tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.distributions import BaseDistribution

from search.objectives import Objective
from search.tracking.runs import Run

# What Ray Tune, MLflow and their kin log beside a trial: where and when it ran, never how.
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
    """One run as its tool meant it.

    Attributes:
        state: One of tables.STATES.
        texts: Hyperparameters as text; their types are found over a whole search.
        known: Hyperparameters whose type and value the tool says itself.
        distributions: What the tool drew them from, where it says so.
        objectives: What the tool optimised; empty if it does not say.
        values: One an objective; empty unless complete.
        number: The tool's own count of the trial.
        identity: The tool's own name of the trial; two runs with one name are one trial.
        model: What was trained, for the task's fingerprint.
        curves: Metric as logged -> name it is read under.
        has_times: Whether start and end are the trial's own.
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
    has_times: bool = True


class Layout(Protocol):
    """A tool: how its runs are recognised and read. The files beside this one are such."""

    TOOL: str

    def recognises(self, run: Run, parent: Run | None) -> bool:
        """Whether the tool logged this run."""

    def read(self, run: Run, parent: Run | None) -> Reading:
        """The run as the tool meant it; `parent` is the run it is nested below, if it was read."""


def is_noise(name: str) -> bool:
    """Whether a param or a metric tells of the framework and not of the trial."""
    return name in _NOISE or name.startswith(_NOISE_BEGINS)


def hyperparameters(params: Mapping[str, str]) -> dict[str, str]:
    """Params without what frameworks add."""
    return {name: text for name, text in params.items() if not is_noise(name)}


def direction_names(text: str) -> tuple[str, ...]:
    """`MINIMIZE,MAXIMIZE` or `['MINIMIZE', 'MAXIMIZE']` as directions; empty for anything else."""
    words = [word.strip(" '\"").lower() for word in text.strip("[]() ").split(",")]
    return tuple(words) if set(words) <= {"maximize", "minimize"} else ()

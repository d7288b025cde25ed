"""InnerSampler: which of Optuna's samplers continues, with its options, and how to make it.

Sources: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization" (TPE); Ozaki et al.
2022, "Multiobjective tree-structured Parzen estimator"; Jones et al. 1998, "Efficient global
optimization of expensive black-box functions", and Daulton et al. 2020, "Differentiable expected
hypervolume improvement" (GP).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

# Random proposals before the model speaks, prior trials of the same task counted. Optuna's own 10.
STARTUP_TRIALS = 10
_SAMPLERS: Mapping[str, tuple[Callable[..., BaseSampler], Mapping[str, Any]]] = {
    # Optuna's default for several objectives is independent TPE. Lost hypervolume at 16/32/100
    # trials: .339/.245/.149, joint .360/.234/.140 (s.e. .02; HPOBench-MLP, 8 tasks by 5 seeds).
    "tpe": (TPESampler, {"n_startup_trials": STARTUP_TRIALS, "multivariate": True}),
    "gp": (GPSampler, {"n_startup_trials": STARTUP_TRIALS, "warn_independent_sampling": False}),
    "random": (RandomSampler, {}),
}


@dataclass(frozen=True)
class InnerSampler:
    """Which Optuna sampler to run on the joint space.

    Attributes:
        name: "tpe", "gp" or "random". Samplers that keep their state in a study's attributes, such
            as NSGA-II, cannot run on an inner study.
        options: Arguments of its constructor, over our defaults.

    Raises:
        ValueError: The name is unknown, or the sampler does not take the options.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in _SAMPLERS:
            raise ValueError(f"no sampler {self.name!r}; there are {', '.join(_SAMPLERS)}")
        try:
            self.make(0)
        except TypeError as error:
            raise ValueError(f"sampler {self.name} does not take {dict(self.options)}") from error

    @property
    def startup_trials(self) -> int:
        """How many trials are random before the model speaks."""
        defaults = _SAMPLERS[self.name][1]
        return int({**defaults, **self.options}.get("n_startup_trials", 0))

    def make(self, seed: int) -> BaseSampler:
        """The sampler itself, anew."""
        constructor, defaults = _SAMPLERS[self.name]
        return constructor(seed=seed, **{**defaults, **self.options})

"""A searcher that tests ask and tell as Tune does it, and samplers to look through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.history import Trial
from search.optimize.plan import Plan
from search.optimize.progress import progress_of
from search.optimize.searcher import OptunaSearcher
from tests.search.optimize.stepping import HILLS

CHOICES = {"x": {"type": "categorical", "choices": ["a", "b", "c"]}}
CONDITIONAL = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "sgd.momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "adamw.beta": {"type": "float", "low": 0.8, "high": 0.99, "when": {"optimizer": "adamw"}},
}


class Witness(RandomSampler):
    """Draws at random, and keeps the study it is asked about, so that a test can look at it."""

    study: optuna.Study

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, space: Any) -> Any:
        self.study = study
        return super().sample_relative(study, trial, space)

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.study.get_trials(deepcopy=False)]


class Stubborn(RandomSampler):
    """Proposes one and the same configuration for ever."""

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def prior(number: int, state: str, x: Any, **changes: Any) -> Trial:
    fields: dict[str, Any] = {
        "task": "hills@1", "search": "hills-1", "number": number, "run_id": f"r{number}",
        "state": state, "configuration": {"x": x}, "objectives": HILLS,
        "values": (), "epoch": 3, "curves": {},
        "origin": {"step": "random"},
    }  # fmt: skip
    return Trial(**fields | changes)


def searcher_of(
    plan: Plan, own: Sequence[Trial] = (), sampler: optuna.samplers.BaseSampler | None = None
) -> OptunaSearcher:
    return OptunaSearcher(plan, sampler or Witness(seed=1), progress_of(plan, own))


def flat(epoch: int, **metrics: float) -> dict[str, Any]:
    """A result as Ray hands it to a searcher."""
    return {"epoch": epoch, **{f"metrics/{name}": value for name, value in metrics.items()}}


def run_to_the_end(searcher: OptunaSearcher) -> list[dict[str, Any]]:
    """Asks one by one and completes each; returns what was suggested."""
    suggested = []
    while isinstance(config := searcher.suggest(trial_id := f"t{len(suggested)}"), dict):
        suggested.append(config)
        searcher.on_trial_complete(trial_id, flat(3, left=0.5, right=0.5))
        assert len(suggested) < 1000, "it never ends"
    assert config == "FINISHED"
    return suggested

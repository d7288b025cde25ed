"""A searcher that tests call as Tune does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.apply import WarmStartSampler
from search.history import Trial
from search.optimize.plan import Plan
from search.optimize.resume_state import resume_state_of
from search.optimize.searcher import OptunaSearcher
from tests.support.stepped_trials import HILLS

CHOICES = {"x": {"type": "categorical", "choices": ["a", "b", "c"]}}
CONDITIONAL = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "sgd.momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "adamw.beta": {"type": "float", "low": 0.8, "high": 0.99, "when": {"optimizer": "adamw"}},
}


class Stubborn(RandomSampler):
    """Always proposes the same configuration."""

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
    plan: Plan, own: Sequence[Trial] = (), sampler: str | BaseSampler = "random"
) -> OptunaSearcher:
    """Makes a searcher that continues with a sampler, without our own model."""
    made = WarmStartSampler(
        None, plan.space, plan.spec.seed, task=plan.task, objectives=plan.spec.objectives,
        sampler=sampler, portfolio=0,
    )  # fmt: skip
    return OptunaSearcher(plan, made, resume_state_of(plan, own))


def study_trials(searcher: OptunaSearcher) -> list[FrozenTrial]:
    """Returns the trials of its study."""
    return searcher._study.get_trials()


def states(searcher: OptunaSearcher) -> list[TrialState]:
    return [trial.state for trial in study_trials(searcher)]


def reported(epoch: int, **metrics: float) -> dict[str, Any]:
    """Makes a worker's last result."""
    return {"epoch": epoch, "metrics": metrics}


def run_to_the_end(searcher: OptunaSearcher) -> list[dict[str, Any]]:
    """Completes suggestions one by one; returns all of them."""
    suggested = []
    while isinstance(config := searcher.suggest(trial_id := f"t{len(suggested)}"), dict):
        suggested.append(config)
        searcher.end(trial_id, reported(3, left=0.5, right=0.5))
        assert len(suggested) < 1000, "it never ends"
    assert config == "FINISHED"
    return suggested

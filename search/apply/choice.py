"""The sampler that a spec asks for, and a look at what it would propose first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from search.apply.sampler import WarmStartSampler
from search.history import History
from search.space import SearchSpace
from search.spec import Spec


@dataclass(frozen=True)
class Proposal:
    """A configuration that would be tried, and who proposes it."""

    configuration: Mapping[str, Any]
    origin: Mapping[str, Any]


def sampler_for(spec: Spec, history: History, space: SearchSpace, task: str) -> WarmStartSampler:
    """The sampler a spec names, in the joint space. Only "warm" learns from other searches."""
    options = dict(spec.sampler.options)
    if spec.sampler.name != "warm":
        history, options = History.empty(), {**options, "sampler": spec.sampler.name}
    return WarmStartSampler(history, space, spec.seed, task=task, **options)


def first_proposals(
    spec: Spec, history: History, space: SearchSpace, task: str, count: int
) -> list[Proposal]:
    """The first `count` configurations of a search that hears no results in between."""
    sampler = sampler_for(spec, history, space, task)
    study = optuna.create_study(
        sampler=sampler, directions=[objective.direction for objective in spec.objectives]
    )
    proposals = []
    for _ in range(count):
        trial = study.ask()
        configuration = space.suggest(trial)
        proposals.append(Proposal(configuration, sampler.origin(trial.number)))
    return proposals

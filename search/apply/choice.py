"""The sampler that a spec asks for, and a look at what it would propose first."""

from __future__ import annotations

import optuna

from search.apply.inner_sampler import InnerSampler
from search.apply.prior_data import PriorData
from search.apply.sampler import WarmStartSampler
from search.apply.source import Proposal
from search.history.studies import quiet_study
from search.objectives.roles import searched
from search.space import SearchSpace
from search.spec import Spec


def sampler_for(spec: Spec, prior: PriorData, space: SearchSpace, task: str) -> WarmStartSampler:
    """The sampler a spec names, on the joint space. Only "warm" learns from other searches."""
    name, options = spec.sampler.name, dict(spec.sampler.options)
    if name == "warm":
        return WarmStartSampler(
            prior, space, spec.seed, task=task, objectives=spec.objectives, **options
        )
    inner = InnerSampler(name, options)
    return WarmStartSampler(
        None, space, spec.seed, task=task, objectives=spec.objectives, sampler=inner, portfolio=0
    )


def first_proposals(
    spec: Spec, prior: PriorData, space: SearchSpace, task: str, count: int
) -> list[Proposal]:
    """The first configurations of a search that hears no results in between, `count` at most."""
    sampler = sampler_for(spec, prior, space, task)
    study = quiet_study(searched(spec.objectives), sampler)
    proposals: list[Proposal] = []
    while len(proposals) < count and (proposal := sampler.propose(study)) is not None:
        ask_for(study, space, proposal)
        proposals.append(proposal)
    return proposals


def ask_for(study: optuna.Study, space: SearchSpace, proposal: Proposal) -> optuna.Trial:
    """The study's next trial, which tries just what is proposed."""
    study.enqueue_trial(dict(proposal.configuration))
    trial = study.ask()
    space.suggest(trial)
    return trial

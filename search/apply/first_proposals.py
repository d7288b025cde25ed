"""The sampler of a spec, and what a search tries first.

`review`, the driver and the searcher make the sampler of a spec here, so that all propose the same.
Not for the sampler itself (`sampler.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.apply.first_forecast import FirstForecasts
from search.apply.optuna_sampler import OptunaSampler
from search.apply.prior_data import PriorData
from search.apply.proposal_source import Proposal, origin
from search.apply.sampler import TRANSFER, WarmStartSampler
from search.history.plurals import counted
from search.history.studies import quiet_study
from search.objectives.roles import searched
from search.space import SearchSpace, Value
from search.spec import Spec


def sampler_for(spec: Spec, prior: PriorData, space: SearchSpace, task: str) -> WarmStartSampler:
    """Makes the sampler of a spec, on the joint space. Only "warm" learns from other searches."""
    name, options = spec.sampler.name, dict(spec.sampler.options)
    if name == "warm":
        return WarmStartSampler(
            prior, space, spec.seed, task=task, objectives=spec.objectives, **options
        )
    inner = OptunaSampler(name, options)
    return WarmStartSampler(
        None, space, spec.seed, task=task, objectives=spec.objectives, sampler=inner, portfolio=0
    )


def avoids_failures(spec: Spec) -> bool:
    """Whether what a spec proposes is chosen by its risk of a failure, too."""
    options = spec.sampler.options
    is_ours = spec.sampler.name == "warm" and options.get("sampler", TRANSFER) == TRANSFER
    return is_ours and bool(options.get("failures", True))


def given_proposals(spec: Spec, prior: PriorData, space: SearchSpace) -> list[Proposal]:
    """Returns the spec's first configurations; trial N tries the one at place N."""
    forecasts = FirstForecasts(space, searched(spec.objectives), prior)
    given = [Proposal(each, origin("first")) for each in spec.first_configurations()]
    return [forecasts.added_to(each) for each in given]


def first_proposals(
    spec: Spec, prior: PriorData, space: SearchSpace, task: str, count: int
) -> list[Proposal]:
    """Returns what a search tries first, `count` at most, without results in between.

    The spec's first configurations are additional.
    """
    sampler = sampler_for(spec, prior, space, task)
    study = quiet_study(searched(spec.objectives), sampler)
    proposals = given_proposals(spec, prior, space)
    for given in proposals:
        sampler.ask(study, given)
    count += len(proposals)
    while len(proposals) < count and (proposal := sampler.propose(study)) is not None:
        sampler.ask(study, proposal)
        proposals.append(proposal)
    return proposals


def first_lines(spec: Spec, proposals: Sequence[Proposal]) -> list[str]:
    """Says what a search tries first, a line for what is given and one for what is proposed.

    Args:
        spec: The search.
        proposals: Its first ones; the spec's own come first.
    """
    given, said = len(spec.first), []
    if given:
        first = configuration_in_words(proposals[0].configuration) + ", ..." * (given > 1)
        said = [f"{counted(given, 'configuration')} given to try first: {first}"]
    for proposal in proposals[given:][:1]:
        tried, why = configuration_in_words(proposal.configuration), proposal.origin.get("reason")
        step = proposal.origin["step"] + (f", because {why}" if why else "")
        when = "then" if given else "first"
        said.append(f"the {spec.sampler.name} sampler {when} tries {tried} (step {step})")
    return said


def configuration_in_words(configuration: Mapping[str, Value]) -> str:
    """A configuration as a line that people read, its numbers rounded: "width 32, dropout 0.2"."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in configuration.items()
    )

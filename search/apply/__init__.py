"""Choose the configurations to try: first proposals from history, then a model's."""

from search.apply.optuna_sampler import OptunaSampler
from search.apply.proposal_source import Context, Proposal, Source
from search.apply.sampler import WarmStartSampler

__all__ = ["Context", "OptunaSampler", "Proposal", "Source", "WarmStartSampler"]

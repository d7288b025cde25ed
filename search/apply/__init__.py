"""Choose the configurations to try: first proposals from history, then a model's."""

from search.apply.optuna_sampler import OptunaSampler
from search.apply.proposal_source import Proposal
from search.apply.sampler import WarmStartSampler

__all__ = ["OptunaSampler", "Proposal", "WarmStartSampler"]

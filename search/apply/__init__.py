"""Apply: which configurations come first, and which sampler continues from there?"""

from search.apply.optuna_sampler import InnerSampler
from search.apply.sampler import WarmStartSampler
from search.apply.source import Proposal, Situation, Source

__all__ = ["InnerSampler", "Proposal", "Situation", "Source", "WarmStartSampler"]

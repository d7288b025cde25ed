"""Apply: which configurations come first, and which sampler continues from there?"""

from search.apply.optuna_sampler import OptunaSampler
from search.apply.sampler import WarmStartSampler
from search.apply.source import Context, Proposal, Source

__all__ = ["Context", "OptunaSampler", "Proposal", "Source", "WarmStartSampler"]

"""Extract: what history taught (importance, similarity, regions, correlations, noise)."""

from search.extract.rank_agreement import agreements
from search.extract.summarize import learn

__all__ = ["agreements", "learn"]

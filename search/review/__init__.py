"""Review: what have we already tried, and can it be trusted?"""

from search.review.gathering import gather

__all__ = ["gather"]

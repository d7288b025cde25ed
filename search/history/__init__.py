"""Earlier trials, the searches they belong to, and the runs that were rejected."""

from search.history.history import History
from search.history.search import Rejected, Search
from search.history.trial import Trial

__all__ = ["History", "Rejected", "Search", "Trial"]

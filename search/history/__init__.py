"""What was tried before: trials, the searches they belong to, and what had to be left out."""

from search.history.history import History
from search.history.search import Rejected, Search
from search.history.trial import Trial

__all__ = ["History", "Rejected", "Search", "Trial"]

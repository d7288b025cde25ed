"""What history taught: importance, similarity, regions, conflict, noise; and does it hold here?"""

from search.extract.rank_agreement import agreements
from search.extract.summarize import learn

__all__ = ["agreements", "learn"]

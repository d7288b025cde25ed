"""What history taught: importance, similarity, regions, conflict, noise; and does it hold here?"""

from search.extract.agreement import agreements
from search.extract.learning import learn

__all__ = ["agreements", "learn"]

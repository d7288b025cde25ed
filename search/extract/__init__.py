"""What history taught: importance, similarity, promising regions, conflict of objectives."""

from search.extract.learning import learn

__all__ = ["learn"]

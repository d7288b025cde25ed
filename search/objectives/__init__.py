"""What a search looks for: metrics, which way each is better, and how each counts."""

from search.objectives.objective import Objective

__all__ = ["Objective"]

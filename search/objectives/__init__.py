"""Objectives: metrics, the direction of each, and its role in the search."""

from search.objectives.objective import Objective

__all__ = ["Objective"]

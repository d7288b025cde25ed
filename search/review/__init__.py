"""Review: what have we already tried, and can it be trusted?"""

from search.review.decisions import Decision, decision_lines
from search.review.reconcile import Reconciled, reconcile

__all__ = ["Decision", "Reconciled", "decision_lines", "reconcile"]

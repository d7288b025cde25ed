"""Review: what have we already tried, and can it be trusted?"""

from search.review.decisions import Decision, decision_lines
from search.review.reconcile import Reconciled, reconcile, reconcile_for
from search.review.unsearched import Trained

__all__ = ["Decision", "Reconciled", "Trained", "decision_lines", "reconcile", "reconcile_for"]

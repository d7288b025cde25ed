"""What a user of plain Optuna is told of history that a study cannot use.

A search of a spec has `review` for this; here it is an error, or one warning in the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.history import History
from search.history.plurals import counted
from search.review.decisions import Decision, Kind
from search.review.reconcile import UNSTATED


def check_stated(left_out: Counter[str], history: History) -> None:
    """Checks that some trial can be used, or that more than the objectives' names is missing.

    Args:
        left_out: Reason -> number of prior trials that cannot be used.
        history: All prior trials.

    Raises:
        ValueError: None can be used, and some because nothing states their objectives.
    """
    unstated = left_out[f"it {UNSTATED}"]
    if unstated and left_out.total() == len(history):
        raise ValueError(
            f"the history {UNSTATED} in {counted(unstated, 'trial')}; fix: name the objectives "
            f"in the study's order, objectives=[...]; its metrics are "
            f"{', '.join(history.metrics()) or 'none'}"
        )


def warning_of(left_out: Counter[str], history: History, hint: str) -> str:
    """Returns what was left out, why and what to do; `hint` is a last sentence."""
    reasons = "; ".join(f"{count} because {reason}" for reason, count in left_out.most_common())
    is_all = left_out.total() == len(history)
    return (
        f"{left_out.total()} of {len(history)} prior trials left out: {reasons}. The search starts "
        f"{'cold' if is_all else 'from the others'}. fix: to use them too, widen the space, rename "
        f"hyperparameters when reading the history, or name the objectives.{hint}"
    )


def likely_renames(decisions: Sequence[Decision]) -> str:
    """Returns the renames that a review proposes, as a sentence after a space; "" if none."""
    likely: dict[Kind, dict[str, str]] = {"proposed rename": {}, "proposed rename of a metric": {}}
    for each in decisions:
        if each.kind in likely:
            likely[each.kind][each.theirs] = each.subject
    if not any(likely.values()):
        return ""
    return " Likely: history.renamed({}, {}).".format(*likely.values())

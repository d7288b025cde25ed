"""Doubtful trials of history: what their end is for a search that excludes them, or keeps them.

The spec of a trial's own search (`robustness: {doubtful: keep}` or `exclude`, the default) decided
whether a robust accuracy in doubt made it fail. That is no fact about the trial, so a later search
sees it as its own spec says. Not for finding doubts (`models/adversarial/checks/`).
"""

from __future__ import annotations

from dataclasses import replace

from models.adversarial.checks.search_warnings import doubts
from models.scores.metric_names import MetricName
from search.history import Trial
from search.history.causes import reason_of_doubt


def is_kept_in_doubt(trial: Trial) -> bool:
    """Returns whether a trial is complete although its robust accuracy is in doubt."""
    return trial.state == "complete" and judged(trial, excludes_doubtful=True) is not trial


def judged(trial: Trial, *, excludes_doubtful: bool) -> Trial:
    """Returns a trial of history as a search sees it that excludes doubtful trials, or keeps them.

    Args:
        trial: As its own search ended it.
        excludes_doubtful: If so, a complete one in doubt has failed, and its values are its last
            metrics only. If not, one that failed for that alone is complete, with the values that
            it reported.
    """
    if not excludes_doubtful:
        if trial.cause != "masked gradients":
            return trial
        values = tuple(trial.last(metric) for metric in trial.metrics)
        return replace(trial, state="complete", values=values, reason="")
    # Curves are parsed when read, and only robust accuracies are ever confirmed.
    attacked = [name for name in trial.metrics if MetricName.parse(name).is_attacked]
    if trial.state != "complete" or not attacked:
        return trial
    if not (found := doubts(trial.last_values)):
        return trial
    reported = {name: trial.value_of(name) for name in trial.metrics}  # also of a damaged row
    return replace(trial, state="failed", values=(), reason=reason_of_doubt(found, reported))

"""The digest of a history: equal for equal trials, wherever they are stored.

A search that pins it can be repeated and learns from the same trials. Not for finding out what is
new in a store, which goes by the state of its runs (`search/tracking/read/cache.py`).
"""

from __future__ import annotations

import hashlib
import json

from search.history.history import History

# Hexadecimal digits: 64 bits, far more than the few histories of a store need to be told apart.
_LENGTH = 16


def history_digest(history: History) -> str:
    """Return a digest over the searches and their trials, without run ids and times.

    It covers what the trials were, how they ended and their values, not their learning curves and
    what was measured after their search, as on the test split.
    """
    searches = [
        [each.id, each.task, each.space.to_json() if each.space else "", dict(each.fingerprint)]
        for each in history.searches.values()
    ]
    trials = [
        [
            each.search, each.number, each.task, each.state, each.epoch, dict(each.configuration),
            [[goal.metric, goal.direction] for goal in each.objectives], list(each.values),
        ]
        for each in history.prior_trials(state=None)
    ]  # fmt: skip
    lines = sorted(json.dumps(each, sort_keys=True) for each in (*searches, *trials))
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_LENGTH]

"""`twentieth repeat`: trains one configuration of an earlier search again, with other seeds.

It is a search of its own, with the repeated configuration as its first ones: the earlier search
keeps its budget, its verdict and its report. Since its task is the same, later searches take the
noise of their objectives from it (`search/extract/noise.py`), and no verdict compares with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from search.history.plurals import counted
from search.optimize.plan import Plan
from search.pipeline import new_plan, prepare, stored_spec
from search.review.fingerprint import refuse_changed
from search.spec import HistorySettings, Sampler, Scheduler, with_first
from search.spec.own_code import Allowed, require_allowed
from search.tracking.edits import add_note
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import find_summary


def repeating_plan(
    search: str,
    number: int,
    tracking_uri: str,
    *,
    seeds: int,
    storage_root: Path,
    address: str | None,
    allowed: Allowed,
    say: Callable[[str], None],
) -> Plan:
    """Creates a search that trains one configuration of another one again, once a seed.

    It is of the same task, so what it measures counts as noise there. It reads no history and stops
    no trial early; no trial is proposed.

    Raises:
        LookupError: there is no such search, or no such trial.
        PermissionError: it runs code of the user's that was not allowed, or has changed.
        ValueError: its data set or its pretrained model has changed since.
    """
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    name, known = f"{summary.search}#{number}", summary.fingerprint
    spec = stored_spec(summary)
    changed = require_allowed(name, spec.task, known, allowed)
    own = load_history(tracking_uri, searches=[summary.search]).prior_trials(state=None)
    trials = {trial.number: trial for trial in own}
    if number not in trials:
        there = ", ".join(map(str, sorted(trials))) or "none yet"
        raise LookupError(f"{summary.search} has no trial {number}; it has: {there}")
    alone = {
        "name": f"{spec.name}-repeat",
        "budget": spec.budget.model_copy(update={"trials": seeds, "hours": None}),
        "sampler": Sampler(),
        "scheduler": Scheduler(name="none"),
        "history": HistorySettings(enabled=False),
        "seed": secrets.randbits(32),  # other seeds than those of any search before
        "first": (),
    }
    repeated = with_first(
        spec.model_copy(update=alone), [trials[number].configuration] * seeds, f"trial {name}"
    )
    prepared = prepare(repeated, tracking_uri, say=say, code=known.get("code"))
    refuse_changed(summary, prepared.fingerprint)
    plan = new_plan(prepared, tracking_uri, storage_root, address, say)
    note = f"Repeats {name} with {counted(seeds, 'seed')}." + (f" {changed}." if changed else "")
    add_note(client, find_summary(client, plan.search), note)
    say(f"apply     {note}")
    return plan

"""The report's first table: the numbers of the whole search, and how long its trials took."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from search.history import Trial
from search.history.work import work_text
from search.objectives.objective import value_text
from search.report.tables import escape, table
from search.transfer.totals import Totals
from search.transfer.verdict import Verdict


def totals_table(found: Totals, verdict: Verdict, trials: Sequence[Trial]) -> str:
    """A table of a search's totals, with the rule of its hypervolume.

    Args:
        found: The totals.
        verdict: Has the reference point in the objectives' own units, and its rule.
        trials: The search's trials.
    """
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    ended = sum(found.states.values())
    facts = {"trials": f"{ended}: {states}" if states else "none", "best trials": str(found.front)}
    facts |= {
        f"best {escape(metric)}": value_text(value) for metric, value in found.best.items()
    }  # fmt: skip
    share = found.share_of_best_known
    if share is not None:
        facts["hypervolume"] = f"{share:.3f} of the best known of the task"
    durations = [trial.seconds for trial in trials if trial.state == "complete" and trial.seconds]
    facts["epochs trained"] = str(found.epochs)
    facts["wall time of the trials"] = seconds_text(found.wall_seconds)
    facts["time of the trials, added up"] = seconds_text(found.trial_seconds)
    if durations:
        facts["time of a complete trial"] = (
            f"median {seconds_text(median(durations))}, from {seconds_text(min(durations))} to "
            f"{seconds_text(max(durations))}"
        )
    if found.work:
        facts["work of the trials"] = work_text(found.work)
    if found.hours is not None:
        facts["cost of the trials"] = f"{found.hours:.3g} {found.hours_unit}"
    parts = [table(["number", "value"], [[name, text] for name, text in facts.items()])]
    if verdict.reference:
        point = ", ".join(map(value_text, verdict.reference))
        parts.append(
            f"The hypervolume is that of the best trials against the reference point ({point}): "
            f"{value_text(found.hypervolume)}, where all searches of the task together have "
            f"{value_text(found.best_known)}. The point is {escape(verdict.reference_rule)}; later "
            f"searches do not move it."
        )
    if found.wall_seconds:
        parts.append(
            "Wall time is from the start of the first trial to the end of the last, pauses "
            "included; it has neither the start of Ray nor the evaluation on the test split."
        )
    return "\n\n".join(parts)


def seconds_text(seconds: float) -> str:
    """A duration to read: "0.8 s", "12 s", "3 min 20 s", "2 h 5 min"; "" for 0."""
    if seconds <= 0:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"

"""The report's tables on what proposed the trials, and on the guard's decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.history import Search, Trial
from search.history.provenance import names_in_words, provenance_text, read_origin
from search.objectives import Objective
from search.report.tables import escape, table
from search.transfer.control_arm import ArmsComparison
from search.transfer.guard_record import GuardDecision, GuardRecord, guard_sentence

# Of more decisions, only changes and an even choice of the others are shown.
DECISIONS_SHOWN = 16
TASKS_NAMED = 8
_HISTORY = {"all": "all of it", "agreeing": "tasks that agree", "none": "dropped", "": "not known"}


def proposals_table(
    trials: Sequence[Trial],
    this: Search,
    best: Sequence[Trial],
    number: Callable[[float], str],
) -> str:
    """A table of how many trials each step proposed, and their results; "" without a trial."""
    on_front = {each.run_id for each in best}
    step_of = {trial.run_id: read_origin(trial.origin).step for trial in trials}
    rows = []
    for step in sorted(set(step_of.values())):
        theirs = [trial for trial in trials if step_of[trial.run_id] == step]
        complete = [trial for trial in theirs if trial.state == "complete"]
        cells = [escape(step), str(len(theirs)), str(len(complete))]
        for objective in this.objectives:
            values = [trial.value_of(objective.metric) for trial in complete]
            pick = max if objective.is_maximized else min
            cells.append(number(pick(values)) if values else "")
        rows.append([*cells, str(sum(trial.run_id in on_front for trial in theirs))])
    if not rows:
        return ""
    names = [f"best {escape(metric)}" for metric in this.metrics]
    parts = [table(["step", "trials", "complete", *names, "among the best"], rows)]
    if best:
        parts.append("\n".join(_origin_of_best(each, best) for each in this.objectives))
    if result := revalidation_of(trials)[1]:
        parts.append(escape(result[0].upper() + result[1:] + "."))
    return "\n\n".join(parts)


def revalidation_of(trials: Sequence[Trial]) -> tuple[bool, str]:
    """Whether the best known trial failed its record when it was trained again, and a sentence.

    The sentence is "" if no complete trial of the search trained it again.
    """
    for trial in trials:
        known = read_origin(trial.origin).revalidates if trial.state == "complete" else None
        if known is not None:
            values = trial.by_metric
            return bool(known.departed(values)), known.result_in_words(values)
    return False, ""


def guard_section(done: GuardRecord) -> str:
    """The guard's decisions as a table, and the tasks it dropped; "" without a decision."""
    if not done.decisions:
        return ""
    decisions = _shown(done.decisions)
    rows = [
        [
            str(each.number),
            "" if each.seen is None else str(each.seen),
            "" if each.log_evidence is None else f"{each.log_evidence:+.1f}",
            _HISTORY[each.history],
            str(len(each.dropped)),
        ]
        for each in decisions
    ]
    header = ["trial", "results seen", "log evidence for history", "history", "tasks not used"]
    note = (
        "Log evidence: the logarithm of how much more probable the results of this search are "
        "under the best model that uses earlier tasks than under the one that does not. A value "
        "below 0 is against history."
    )
    if len(rows) < len(done.decisions):
        note += f" The table shows {len(rows)} of {len(done.decisions)} decisions."
    parts = [table(header, rows), note, escape(guard_sentence(done))]
    if done.dropped_tasks:
        named = [
            f"{escape(each.task)} after trial {each.after} ({escape(each.reason)})"
            for each in done.dropped_tasks
        ]
        parts.append(f"Dropped: {names_in_words(named, TASKS_NAMED)}.")
    if done.never_used:
        named = [escape(task) for task in done.never_used]
        parts.append(f"Never used: {names_in_words(named, TASKS_NAMED)}.")
    return "\n\n".join(part for part in parts if part)


def arms_table(arms: ArmsComparison, number: Callable[[float], str]) -> str:
    """A table of both arms' hypervolume after equal numbers of trials."""
    levels = zip(arms.control_levels, arms.main_levels, strict=True)
    rows = [[str(count), *map(number, pair)] for count, pair in enumerate(levels, start=1)]
    note = (
        "The levels are hypervolumes against a reference point made from the trials of both arms "
        "alone."
    )
    if arms.stopped:
        note += (
            f" The scheduler ranks both arms together and stopped {arms.stopped} of these trials, "
            "so the better arm makes it stop more trials of the other."
        )
    header = ["trials of each arm", "without history (control)", "with history"]
    return "\n\n".join([table(header, rows), note])


def _origin_of_best(objective: Objective, best: Sequence[Trial]) -> str:
    pick = max if objective.is_maximized else min
    found = pick(best, key=lambda each: each.by_metric[objective.metric])
    why = escape(provenance_text(read_origin(found.origin)))
    return f"- Best {escape(objective.metric)}: trial {found.number}. {why}"


def _shown(decisions: Sequence[GuardDecision]) -> list[GuardDecision]:
    """All of a few; of many the first, the last, changes, and an even choice of the rest."""
    if len(decisions) <= DECISIONS_SHOWN:
        return list(decisions)
    changed = [
        index
        for index in range(1, len(decisions))
        if decisions[index].history != decisions[index - 1].history
    ]
    kept = {0, len(decisions) - 1, *changed[: DECISIONS_SHOWN // 2]}
    step = len(decisions) / (DECISIONS_SHOWN - len(kept))
    kept |= {int(index * step) for index in range(DECISIONS_SHOWN - len(kept))}
    return [decisions[index] for index in sorted(kept)]

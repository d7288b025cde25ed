"""The report's account of who proposed what, and of what the guard decided as evidence came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.history import Search, Trial
from search.history.provenance import names_in_words, provenance_text, read_origin
from search.report.tables import escape, table
from search.transfer.control_arm import ArmsComparison
from search.transfer.guard_record import GuardDecision, GuardRecord, guard_sentence

# A row a decision up to here; of more, those where something changed and an even choice of others.
DECISIONS_SHOWN = 16
TASKS_NAMED = 8
_HISTORY = {"all": "all of it", "agreeing": "tasks that agree", "none": "dropped", "": "not known"}


def proposals_table(
    trials: Sequence[Trial],
    this: Search,
    best: Sequence[Trial],
    number: Callable[[float], str],
) -> str:
    """How many trials each step proposed and what came of them; empty without a trial."""
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
    header = ["step", "trials", "complete", *names, "on the front"]
    return "\n\n".join([table(header, rows), *_best_came_from(trials, this, best)])


def guard_section(done: GuardRecord) -> str:
    """The guard's curve as a table, and what it let go; empty if it never judged."""
    if not done.decisions:
        return ""
    rows = [
        [
            str(each.number),
            "" if each.seen is None else str(each.seen),
            "" if each.log_evidence is None else f"{each.log_evidence:+.1f}",
            _HISTORY[each.history],
            str(len(each.dropped)),
        ]
        for each in _shown(done.decisions)
    ]
    header = ["trial", "results seen", "log evidence for history", "history", "tasks left aside"]
    note = (
        "Log evidence: how much more probable what was seen here is under the best model that "
        "leans on earlier tasks than under the one that does not; below 0 speaks against history."
    )
    if len(rows) < len(done.decisions):
        note += f" Shown are {len(rows)} of {len(done.decisions)} decisions."
    parts = [table(header, rows), note, escape(guard_sentence(done))]
    if done.let_go:
        named = [
            f"{escape(each.task)} after trial {each.after} ({escape(each.reason)})"
            for each in done.let_go
        ]
        parts.append(f"Let go: {names_in_words(named, TASKS_NAMED)}.")
    if done.never_used:
        named = [escape(task) for task in done.never_used]
        parts.append(f"Never used: {names_in_words(named, TASKS_NAMED)}.")
    return "\n\n".join(part for part in parts if part)


def arms_table(arms: ArmsComparison, number: Callable[[float], str]) -> str:
    """Both arms' hypervolume after equal numbers of trials."""
    rows = [
        [str(count), number(without), number(having)]
        for count, (without, having) in enumerate(
            zip(arms.control_levels, arms.main_levels, strict=True), start=1
        )
    ]
    note = "Levels of the arms are hypervolumes against a point made from their trials alone."
    if arms.stopped:
        note += (
            f" The scheduler ranks both arms together and stopped {arms.stopped} of these trials, "
            "so a good arm costs the other some."
        )
    header = ["trials of each arm", "control, without history", "with history"]
    return "\n\n".join([table(header, rows), note])


def _best_came_from(trials: Sequence[Trial], this: Search, best: Sequence[Trial]) -> list[str]:
    """A sentence an objective: the front's best trial in it, and what proposed that."""
    by_run = {trial.run_id: trial for trial in trials}
    texts = []
    for objective in this.objectives:
        if best:
            pick = max if objective.is_maximized else min
            found = pick(best, key=lambda each, goal=objective.metric: each.by_metric[goal])  # type: ignore[misc]
            why = provenance_text(read_origin(by_run[found.run_id].origin))
            texts.append(f"- Best {escape(objective.metric)}: trial {found.number}. {escape(why)}")
    return ["\n".join(texts)] if texts else []


def _shown(decisions: Sequence[GuardDecision]) -> list[GuardDecision]:
    """All of few; of many the first, the last, changes of mind, and an even choice of the rest."""
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

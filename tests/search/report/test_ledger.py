"""The report's ledger: what proposed the trials, and the guard's decisions."""

from __future__ import annotations

from typing import Any

from search.report.ledger import DECISIONS_SHOWN, arms_table, guard_section, proposals_table
from search.transfer.best import best_trials
from search.transfer.guard_record import guard_record
from search.transfer.progress import trials_of
from search.transfer.verdict import verdict
from tests.support.synthetic_history import CLEAN, ROBUST, history, row, search


def number(value: float) -> str:
    return f"{value:.2f}"


def test_each_step_has_its_trials_and_what_became_of_them() -> None:
    rows = [
        row(0, [0.8, 0.1], origin={"step": "portfolio", "source_tasks": {"mnist": 1.0}}),
        row(1, [0.7, 0.9], origin={"step": "model"}),
        row(2, [], state="failed", origin={"step": "model"}),
        row(3, [0.1, 0.1], origin={"step": "control"}),
    ]
    known = history(rows, [search()])
    lines = proposals_table(
        trials_of(known, "cold"), known.searches["cold"], best_trials(known, "cold"), number
    ).splitlines()
    assert lines[2:5] == [
        "| control | 1 | 1 | 0.10 | 0.10 | 0 |",
        "| model | 2 | 1 | 0.70 | 0.90 | 1 |",
        "| portfolio | 1 | 1 | 0.80 | 0.10 | 1 |",
    ]
    assert lines[6] == (
        f"- Best {CLEAN}: trial 0. It comes from the portfolio, before any model: it did well "
        "on 1 earlier task (mnist 1.00)."
    )
    assert lines[7] == (
        f"- Best {ROBUST}: trial 1. It was proposed by a model of this search's own trials alone."
    )


def decided(decision: str, evidence: Any = 1.0, *dropped: str) -> dict[str, Any]:
    return {"step": "history-model", "guard": {
        "history": decision, "log_evidence": evidence, "trials": 3,
        "dropped": dict.fromkeys(dropped, "it does not fit")}}  # fmt: skip


def section(*origins: Any) -> str:
    rows = [row(number, [0.5, 0.5], origin=origin) for number, origin in enumerate(origins)]
    return guard_section(guard_record(trials_of(history(rows, [search()]), "cold")))


def test_each_decision_of_the_guard_is_a_row() -> None:
    text = section({"step": "portfolio"}, decided("all"), decided("agreeing", -0.5, "<b>"))
    assert text.splitlines()[2:4] == [
        "| 1 | 3 | +1.0 | all of it | 0 |", "| 2 | 3 | -0.5 | tasks that agree | 1 |",
    ]  # fmt: skip
    assert "Dropped: &#60;b&#62; after trial 1 (it does not fit)." in text and "<b>" not in text


def test_of_many_decisions_every_change_is_shown() -> None:
    origins = [decided("all")] * 61 + [decided("none", -2.0)] * 40
    text = section(*origins)
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) <= DECISIONS_SHOWN + 1
    assert any(line.startswith("| 61 |") for line in rows)
    assert any(line.startswith("| 0 |") for line in rows) and rows[-1].startswith("| 100 |")
    assert "of 101 decisions" in text


def test_tasks_that_were_never_used_are_named_up_to_eight() -> None:
    names = [f"task-{index:02d}" for index in range(30)]
    text = section(decided("agreeing", 1.0, *names), decided("agreeing", 1.0, *names))
    assert "Never used: task-00, task-01" in text and "task-07 and 22 more." in text


def test_without_a_guard_there_is_no_section() -> None:
    assert section({"step": "random"}, {}) == ""


def test_the_arms_are_compared_at_equal_numbers_of_trials() -> None:
    rows = [
        row(0, [0.9, 0.9], origin={"step": "history-model"}),
        row(1, [0.5, 0.5], origin={"step": "control"}),
        row(2, [], state="stopped", origin={"step": "history-model"}),
        row(3, [0.6, 0.6], origin={"step": "control"}),
    ]
    arms = verdict(history(rows, [search()]), "cold").control
    assert arms is not None
    text = arms_table(arms, number)
    # Worst 0.5, best 0.9: the reference is 0.46 in both; 0.04^2, 0.44^2 and 0.14^2.
    assert text.splitlines()[2:4] == ["| 1 | 0.00 | 0.19 |", "| 2 | 0.02 | 0.19 |"]
    assert "stopped 1 of these trials" in text

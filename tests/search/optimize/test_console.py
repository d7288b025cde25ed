"""The console of a search, drawn from events alone."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models.adversarial.checks.search_warnings import REPLACED_NAME
from search.history import Trial
from search.optimize.console import Display, View, drawing
from search.optimize.plan import Plan
from search.session.screen import say
from search.tracking.write.journal import Event
from tests.support.plans import a_plan
from tests.support.stepped_trials import HILLS


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return a_plan(tmp_path, trials=8)


def event(name: str, **fields: Any) -> Event:
    return Event(name, time=0, generation=1, fields=fields, end=0)


def start(number: int, **origin: Any) -> Event:
    return event("start", number=number, configuration={}, origin=origin or {"step": "random"})


def end(number: int, *values: float, state: str = "complete", reason: str = "") -> Event:
    return event("end", number=number, state=state, epoch=3, values=list(values), reason=reason)


def view_of(plan: Plan, *events: Event) -> View:
    view = View(plan)
    for each in events:
        view.take(each)
    return view


def shown(view: View, *events: Event, is_terminal: bool) -> str:
    """Returns all that a display writes for these events, escape sequences included."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=is_terminal, width=120, color_system=None)
    with Display(view, console, lambda line: say(line, console)) as display:
        for each in events:
            display.take(each)
        display.take(None)
        if is_terminal:
            console.print(drawing(view))
    return file.getvalue()


def test_a_trial_that_may_mask_its_gradients_is_told_while_the_search_runs(plan: Plan) -> None:
    ended = end(7, 0.9, 0.5)
    ended.fields["warnings"] = {"the outputs jump": "## the outputs jump"}
    view = view_of(plan, start(7))
    _, warning = str(view.take(ended)).split("\n")
    assert warning.startswith("warning: trial 007 may mask its gradients: the outputs jump; ")
    assert warning.endswith(f"see twentieth show {plan.search}#7")
    assert "random; its gradients may be masked" in shown(view, is_terminal=True)


def test_a_robust_accuracy_that_was_only_lowered_is_not_said_to_be_in_doubt(plan: Plan) -> None:
    ended = end(9, 0.9, 0.4)
    ended.fields["warnings"] = {REPLACED_NAME: "## replaced"}
    view = view_of(plan, start(9))
    _, said = str(view.take(ended)).split("\n")
    which = f"see twentieth show {plan.search}#9"
    assert said == f"trial 009: stronger attacks lowered its robust accuracy; {which}"
    table = shown(view, is_terminal=True)
    assert "random; lowered by stronger attacks" in table and "masked" not in table


def test_a_resumed_search_tells_of_earlier_trials_that_may_mask_gradients(plan: Plan) -> None:
    curves = {"robustness.jumps": {3: 0.5}}
    view = View(plan)
    view.seed([
        Trial(number=number, state="complete", configuration={}, values=(0.9, 0.5), curves=each)
        for number, each in enumerate([curves, {}])
    ])  # fmt: skip
    assert view.warnings == {0: ("the outputs jump",)}


def test_trials_are_counted_by_state(plan: Plan) -> None:
    view = view_of(
        plan, *[start(number) for number in range(6)],
        end(0, 0.1, 0.2), end(1, state="stopped"), end(2, state="failed"),
        end(3, state="interrupted"),
    )  # fmt: skip
    assert (view.count("running"), view.count("stopped"), view.count("failed")) == (2, 1, 1)
    assert view.count("running", "interrupted") == 3
    assert view.done() == 3


def test_an_ended_trial_is_a_line_with_its_values_and_who_proposed_it(plan: Plan) -> None:
    view = view_of(plan, start(7, step="portfolio", source_runs=["a", "b"]))
    assert view.take(end(7, 0.123456, 0.5)) == (
        "trial 007 complete    left 0.1235 right 0.5000  (portfolio from 2 past runs)  [1/8]"
    )


def test_a_failed_trials_line_gives_the_last_line_of_its_reason(plan: Plan) -> None:
    view = view_of(plan, start(1))
    line = view.take(end(1, state="failed", reason="Traceback\n  File\nValueError: no\n"))
    assert line == "trial 001 failed      ValueError: no  (random)  [1/8]"


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_a_missing_reason_is_no_mistake(plan: Plan, reason: str) -> None:
    assert view_of(plan, start(0)).take(end(0, state="failed", reason=reason)) is not None


def test_starts_and_epochs_print_nothing_and_driver_messages_are_printed(plan: Plan) -> None:
    view = View(plan)
    assert view.take(start(0)) is None
    assert view.take(event("epoch", number=0, epoch=2, metrics={})) is None
    assert view.epochs == {0: 2}
    assert view.take(event("driver", message="starting Ray")) == "starting Ray"
    assert view.take(event("summary", tags={})) is None


def test_the_front_is_in_order_of_the_primary_objective(plan: Plan) -> None:
    view = view_of(
        plan, end(0, 0.5, 0.5), end(1, 0.9, 0.1), end(2, 0.4, 0.4), end(3, 0.1, 0.9),
        end(4, state="failed"),
    )  # fmt: skip
    assert view.front() == [1, 0, 3]


def test_a_minimized_primary_objective_turns_the_order_round(tmp_path: Path) -> None:
    objectives = [
        {"metric": "left", "direction": "minimize"},
        {"metric": "right", "direction": "maximize"},
    ]
    plan = a_plan(tmp_path, objectives=objectives)
    view = view_of(plan, end(0, 0.5, 0.5), end(1, 0.9, 0.9), end(2, 0.6, 0.2), end(3, 0.1, 0.1))
    assert view.front() == [3, 0, 1]


def test_under_a_bound_the_best_feasible_trial_is_shown(tmp_path: Path) -> None:
    objectives = [
        {"metric": "left", "direction": "maximize"},
        {"metric": "right", "direction": "maximize", "role": "constraint", "bound": 0.4},
    ]
    plan = a_plan(tmp_path, objectives=objectives)
    events = (end(0, 0.5, 0.5), end(1, 0.9, 0.1), end(2, 0.4, 0.9))
    assert view_of(plan, *events).front() == [0]
    assert "Best so far" in shown(View(plan), *events, is_terminal=True)


def test_before_the_first_complete_trial_there_is_no_front(plan: Plan) -> None:
    assert view_of(plan, start(0), end(1, state="failed")).front() == []


def test_a_resumed_search_begins_with_what_it_had(plan: Plan) -> None:
    view = View(plan)
    view.seed([prior(0, "complete", (0.5, 0.5)), prior(1, "interrupted"), prior(2, "failed")])
    assert (view.done(), view.count("running"), view.front()) == (2, 0, [0])
    assert view.epochs[1] == 2
    assert "[3/8]" in str(view.take(end(3, 0.1, 0.1)))


def prior(number: int, state: str, values: tuple[float, ...] = (), **origin: Any) -> Trial:
    return Trial(
        task="hills@1", search="hills-1", number=number, run_id="r", state=state, configuration={},
        objectives=HILLS, values=values, epoch=2,
        curves={}, origin=origin or {"step": "random"},
    )  # fmt: skip


def test_there_is_no_guess_of_the_time_left_before_a_trial_ended(plan: Plan) -> None:
    assert view_of(plan, start(0), end(1, state="interrupted")).seconds_left() is None


def test_the_time_left_is_guessed_from_the_trials_of_this_launch(plan: Plan) -> None:
    view = View(plan)
    view.seed([prior(0, "complete", (0.5, 0.5)), prior(1, "complete", (0.6, 0.4))])
    view.take(end(2, 0.1, 0.1))
    view.take(end(3, state="failed"))
    view.began = time.monotonic() - 60
    # 2 trials in 60 s, 4 of 8 are left: 120 s. A busy machine may be 5 s late.
    assert 120 <= view.seconds_left() <= 130  # type: ignore[operator]


def test_the_time_left_is_never_more_than_the_budget_of_hours(tmp_path: Path) -> None:
    view = view_of(a_plan(tmp_path, trials=100, hours=0.05), end(0, 0.1, 0.1))
    view.began = time.monotonic() - 60
    assert 110 <= view.seconds_left() <= 120  # type: ignore[operator]
    view.began = time.monotonic() - 1000
    assert view.seconds_left() == 0


def test_a_search_that_is_done_needs_no_more_time(tmp_path: Path) -> None:
    view = view_of(a_plan(tmp_path, trials=1), end(0, 0.1, 0.1), end(1, 0.1, 0.1))
    assert view.seconds_left() == 0


def test_where_output_is_no_terminal_there_are_plain_lines(plan: Plan) -> None:
    text = shown(
        View(plan), event("driver", message="running"), start(0),
        event("epoch", number=0, epoch=1, metrics={}), end(0, 0.1, 0.2), is_terminal=False,
    )  # fmt: skip
    assert text == "running\ntrial 000 complete    left 0.1000 right 0.2000  (random)  [1/8]\n"


def test_a_long_line_is_not_cut_where_output_is_no_terminal(plan: Plan) -> None:
    text = shown(View(plan), start(0), end(0, state="failed", reason="x" * 300), is_terminal=False)
    assert text.count("\n") == 1 and "x" * 300 in text


def test_a_terminal_shows_what_runs_and_the_front(plan: Plan) -> None:
    text = shown(
        View(plan), start(0), start(1), event("epoch", number=1, epoch=2, metrics={}),
        end(0, 0.1, 0.25), is_terminal=True,
    )  # fmt: skip
    assert "hills-1  1/8 done  1 running  0 stopped early\n" in text
    assert "running: 001 epoch 2/3" in text
    assert "0.1000" in text and "0.2500" in text


def test_while_the_best_trials_are_evaluated_the_terminal_says_which_and_how(plan: Plan) -> None:
    def evaluating(number: int, step: str) -> Event:
        return event("evaluating", number=number, step=step, of=3)

    text = shown(
        View(plan), start(0), end(0, 0.1, 0.25), evaluating(0, "PGD on 9 test images"),
        evaluating(0, ""), evaluating(4, "AutoAttack on 100 test images"), is_terminal=True,
    )  # fmt: skip
    last = text[text.rindex("hills-1") :]
    assert "test split: 1 of 3 trials done" in last and "min left" not in last
    assert "trial 004: AutoAttack on 100 test images, for 0 s" in last and "trial 000" not in last


@pytest.mark.parametrize("text", ["[red]hidden[/red]", "[/]", "<b>bold</b>", "[link=x]", "\\[a]"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_text_from_a_trial_is_shown_as_it_is(plan: Plan, text: str, is_terminal: bool) -> None:
    failed = end(0, state="failed", reason=f"ValueError: {text}")
    assert text in shown(View(plan), start(0), failed, is_terminal=is_terminal)
    assert text in shown(View(plan), event("driver", message=text), is_terminal=is_terminal)


@pytest.mark.parametrize("text", ["[red]hidden", "[/oops]"])
def test_an_origin_read_from_the_store_is_shown_as_it_is(plan: Plan, text: str) -> None:
    view = View(plan)
    view.seed([prior(0, "complete", (0.5, 0.5), step=text)])
    assert text in shown(view, is_terminal=True)

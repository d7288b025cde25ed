"""What `history` and `show` print."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from search.cli import stored_searches as module
from search.cli.documents import ObjectiveDocument, SearchDocument
from search.cli.stored_searches import Wanted, stored_search, stored_searches
from search.cli.tables import history_lines, print_search, print_trial
from search.history import Trial
from search.history.provenance import provenance_text, read_origin
from search.objectives.objective import PARETO, Objective, Role, to_json
from search.session.best import best_table
from search.tracking import tag_names
from search.tracking.store import open_client
from search.transfer.examples import ValidationExamples
from tests.support.stored_search import HOSTILE, Stored, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


def printed(write: Callable[[Console], Any]) -> str:
    file = io.StringIO()
    write(Console(file=file, width=160))
    return file.getvalue()


def listed(uri: str, width: int = 160) -> list[str]:
    return list(history_lines(stored_searches(uri, Wanted()).searches, width))


def test_a_search_is_a_line_under_its_task_with_its_best_value_of_each_objective(
    store: Stored,
) -> None:
    heading, titles, line = listed(store.uri)
    assert heading == f"{store.plan.task}: maximize left, maximize right"
    assert titles.split() == ["search", "state", "trials", "best", "cost", "duration", "start"]
    cells = line.split()
    assert cells[:5] == [store.search, "interrupted", "3/5", "(1", "failed)"]
    assert cells[5:7] == ["0.9000", "0.9000"] and cells[8:] == ["core-h", cells[9], "cold"]


def test_a_search_of_which_all_trials_failed_says_so_in_its_line() -> None:
    failed = replace(a_search("a-1"), state="complete", trials={"failed": 6}, trials_budget=6)
    (*_, line) = history_lines([failed], 100)
    assert line.startswith("a-1     complete  6/6 (6 failed)")


def a_search(search: str, task: str = "t@1", hours: float = 0.5, **best: float) -> SearchDocument:
    objectives = tuple(ObjectiveDocument(name, "maximize", "pareto", None, None) for name in best)
    return SearchDocument(
        search, task, "interrupted", None, objectives, {"complete": 4}, 16, "", dict(best), 1800.0,
        3e15, 3700.0, hours, "GPU-hours", ("earlier",),
    )  # fmt: skip


def test_searches_are_in_blocks_whose_values_can_be_compared_the_newest_last() -> None:
    found = [a_search("a-1", acc=0.9), a_search("b-1", "t@2", acc=0.8), a_search("a-2", acc=1.0)]
    lines = list(history_lines([*found, a_search("a-3", loss=0.5)], 100))
    starts = [line.split()[0] for line in lines if line]
    assert starts == ["t@2:", "search", "b-1", "t@1:", "search", "a-1", "a-2", "t@1:", "search",
                      "a-3"]  # fmt: skip


def test_numbers_of_a_block_align() -> None:
    found = [a_search("a-1", hours=0.5, acc=9.5), a_search("a-12", hours=120.25, acc=10.0)]
    _, _, first, second = history_lines(found, 100)
    assert first == "a-1     interrupted    4/16  9.5000    0.5 GPU-h   1:01:40  warm"
    assert second == "a-12    interrupted    4/16   10.00  120.2 GPU-h   1:01:40  warm"


@pytest.mark.parametrize("width", [70, 80, 120])
def test_no_id_is_cut_however_narrow_the_terminal(width: int) -> None:
    name = "adversarial_training-1123-0915-a1b2"
    lines = list(history_lines([a_search(name, acc=0.9, robust=0.5)], width))
    assert any(line.split()[:1] == [name] for line in lines[1:])
    assert all(len(line) <= width for line in lines[1:])


def test_the_history_is_filtered_by_task_state_time_and_number(
    store: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(**wanted: Any) -> int:
        return len(stored_searches(store.uri, Wanted(**wanted)).searches)

    started = stored_searches(store.uri, Wanted()).searches[0].started
    assert started is not None
    assert names(task=store.plan.task[:3]) == 1 and names(task="other") == 0
    assert names(since=started) == 1 and names(since=started + timedelta(seconds=1)) == 0
    local = started.astimezone().replace(tzinfo=None)
    assert names(since=local) == 1 and names(since=local + timedelta(seconds=1)) == 0
    assert names(state="interrupted", last=3) == 1
    with pytest.raises(ValueError, match="fix: --state with one of interrupted"):
        names(state="compleet")
    summaries = module.all_summaries
    monkeypatch.setattr(
        module, "all_summaries",
        lambda client: [replace(each, search=name, trials_budget=number)
                        for each in summaries(client) for number, name in enumerate("ab")],
    )  # fmt: skip
    (newest,) = stored_searches(store.uri, Wanted(last=1)).searches
    assert newest.search == "b"


def test_a_search_shows_its_states_and_its_front_best_first(store: Stored) -> None:
    text = printed(lambda out: print_search(out, "hills", store.uri))
    lines = text.splitlines()
    assert lines[0] == f"{store.search}  interrupted  task {store.plan.task}"
    assert lines[1] == "trials: 2 complete, 1 failed, 1 interrupted"
    assert text.index("# trial 000: left 0.9000, right 0.1000") < text.index(
        "# trial 001: left 0.1000, right 0.9000"
    )
    assert "trial 002 failed: ValueError: [/oops] <b>bold</b>" in text
    assert f"in full: twentieth show {store.search}#2" in text


def test_the_best_trials_are_ready_to_paste(store: Stored) -> None:
    text = printed(lambda out: print_search(out, "hills", store.uri))
    pasted = text.split("# trial 001")[1].splitlines()[1]
    assert yaml.safe_load(pasted) == {"x": 0.25}


def test_a_trial_shows_its_configuration_its_values_and_its_origin(store: Stored) -> None:
    text = printed(lambda out: print_trial(out, store.search, 0, store.uri))
    assert text.splitlines() == [
        f"trial 000 of {store.search}: complete after 4 epochs", "x: 0.0", "left:  0.9000",
        "right: 0.1000",
        "It comes from the portfolio, before any model: it did well on 1 earlier task "
        "(t@1 0.50). Tried before in runs run-a, run-b.",
    ]  # fmt: skip


def test_a_search_and_a_trial_show_their_work_where_it_is_known(
    store: Stored, tmp_path: Path
) -> None:
    assert "work" not in printed(lambda out: print_search(out, store.search, store.uri))
    copied = store.copied(tmp_path)
    client = open_client(copied.uri)
    run = stored_search(copied.uri, copied.search).trial(0).run_id
    for tag, text in ((tag_names.WORK, "3.2e12"), (tag_names.DEVICE, "2 of GPU"),
                      (tag_names.SECONDS, "75")):  # fmt: skip
        client.set_tag(run, tag, text)
    text = printed(lambda out: print_trial(out, copied.search, 0, copied.uri))
    assert "\ncost: 1 min 15 s, 3.2 TFLOP on 2 of GPU\n" in text
    whole = printed(lambda out: print_search(out, copied.search, copied.uri))
    assert ", work: 3.2 TFLOP\n" in whole


def test_a_trials_values_are_shown_as_they_were_written(store: Stored, tmp_path: Path) -> None:
    copied = store.copied(tmp_path)
    run = stored_search(copied.uri, copied.search).trial(0).run_id
    configuration = json.dumps({"x": 0.0, "colour": "grün ✓"})
    open_client(copied.uri).set_tag(run, tag_names.CONFIGURATION, configuration)
    text = printed(lambda out: print_trial(out, copied.search, 0, copied.uri))
    assert "\ncolour: grün ✓\nx: 0.0\n" in text


def test_a_trial_that_may_mask_its_gradients_is_shown_with_its_warnings(
    store: Stored, tmp_path: Path
) -> None:
    assert "warning" not in printed(lambda out: print_search(out, store.search, store.uri))
    copied = store.copied(tmp_path)
    run = stored_search(copied.uri, copied.search).trial(0).run_id
    open_client(copied.uri).log_metric(run, "robustness.jumps", 0.75, step=4)
    text = printed(lambda out: print_trial(out, copied.search, 0, copied.uri))
    assert "\nwarning: the outputs jump (75% of the images)\n  raised when: " in text
    assert "\n  what it means: " in text and "\n  what to do: " in text
    whole = printed(lambda out: print_search(out, copied.search, copied.uri))
    said = "trial 000 may mask its gradients: the outputs jump (75% of the images)"
    assert f"\nwarning: {said}\n" in whole
    found = stored_search(copied.uri, copied.search)
    shown = {each.number: each.warnings for each in module.show_document(found).trials}
    assert shown.pop(0) == ("the outputs jump (75% of the images)",)
    assert not any(shown.values())


def test_a_robust_accuracy_that_was_only_lowered_is_shown_without_a_warning(
    store: Stored, tmp_path: Path
) -> None:
    copied = store.copied(tmp_path)
    run = stored_search(copied.uri, copied.search).trial(0).run_id
    metrics = {"robustness.replaced": 1.0, "robustness.gap": 0.25, "accuracy.fgsm_linf_0.1": 0.5,
               "unconfirmed.accuracy.fgsm_linf_0.1": 0.75}  # fmt: skip
    for name, value in metrics.items():
        open_client(copied.uri).log_metric(run, name, value, step=4)
    whole = printed(lambda out: print_search(out, copied.search, copied.uri))
    values = "a gap of 0.2500; accuracy.fgsm_linf_0.1 was 0.7500 and is now 0.5000"
    assert f"\ntrial 000: stronger attacks lowered its robust accuracy ({values})\n" in whole
    assert "warning" not in whole


def test_a_failed_trial_shows_its_reason_and_where_the_log_is(
    store: Stored, tmp_path: Path
) -> None:
    text = printed(lambda out: print_trial(out, store.search, 2, store.uri))
    assert f"trial 002 of {store.search}: failed after 1 epoch" in text
    assert f"reason: {HOSTILE}\nlog: " in text  # all of reason.txt, which is one line, once
    assert f"log: {store.plan.storage}/driver.log (on the machine that ran it)" in text


def test_a_trial_names_the_nearest_earlier_trials_as_search_and_number() -> None:
    origin = read_origin({"step": "model", "source_runs": ["r1", "r2"]})
    names = {"r1": "digits-1#3", "r2": "digits-2#10"}
    assert provenance_text(origin, names).endswith(
        "Nearest earlier trials: digits-1#3, digits-2#10."
    )
    one = read_origin({"step": "portfolio", "source_runs": ["r1"]})
    assert provenance_text(one, names).endswith("Tried before as digits-1#3.")
    gone = read_origin({"step": "model", "source_runs": ["r3"]})
    assert provenance_text(gone, names).endswith("Nearest earlier trial: run r3.")


@pytest.mark.parametrize(("objectives", "rows"), [(2, 4), (3, 8)])
def test_a_table_too_wide_for_80_columns_has_a_line_a_metric_instead(
    objectives: int, rows: int
) -> None:
    metrics = ["accuracy.clean", "accuracy.pgd10_linf_8_255", "accuracy.pgd10_l2_0.5"][:objectives]
    counts = {"test.examples": {4: 500.0}, "test.attacked_examples": {4: 500.0}}
    curves = {f"test.{name}": {4: 0.5} for name in metrics} | counts
    goals = tuple(Objective(name, "maximize") for name in metrics)
    trials = [
        Trial(state="complete", configuration={}, values=(1.0,) * objectives, objectives=goals,
              curves=curves, epoch=4, number=number)
        for number in range(2)
    ]  # fmt: skip
    file = io.StringIO()
    console = Console(file=file, width=80)
    console.print(best_table(trials, console))
    text = file.getvalue()
    assert "…" not in text and text.count("0.5000 (0.456 to 0.544)") == 2 * objectives
    assert len(text.splitlines()) == rows - (objectives == 3)


def test_a_trial_that_does_not_exist_is_refused(store: Stored) -> None:
    with pytest.raises(LookupError, match=f"{store.search} has no trial 99; it has: 0, 1, 2, 3"):
        print_trial(Console(file=io.StringIO()), store.search, 99, store.uri)


def test_configurations_and_verdicts_are_printed_as_they_are(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    open_client(copy.uri).set_tag(store.plan.summary_run, tag_names.VERDICT, HOSTILE)
    text = printed(lambda out: print_search(out, "hills", copy.uri))
    assert HOSTILE in text


def test_a_state_read_from_the_store_is_shown_as_it_is(
    store: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    summaries = module.all_summaries

    def tampered(client: Any) -> list[Any]:
        return [replace(entry, state="[/oops]") for entry in summaries(client)]

    monkeypatch.setattr(module, "all_summaries", tampered)
    assert "[/oops]" in "\n".join(listed(store.uri))


def test_an_objective_read_from_the_store_is_shown_as_it_is(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    tag = json.dumps(["[/oops]", "right"])
    open_client(copy.uri).set_tag(store.plan.summary_run, tag_names.OBJECTIVES, tag)
    assert "[/oops]" in printed(lambda out: print_search(out, "hills", copy.uri))


def test_a_search_shows_what_its_roles_call_best_and_that_no_trial_keeps_a_bound(
    store: Stored, tmp_path: Path
) -> None:
    copied = store.copied(tmp_path)
    client = open_client(copied.uri)
    for bound, shown, warning in ((0.5, "001", ""), (0.95, "001", "No complete trial keeps right")):
        roles = to_json((PARETO, Role("constraint", bound=bound)))
        client.set_tag(store.plan.summary_run, tag_names.ROLES, roles)
        text = printed(lambda out: print_search(out, "hills", copied.uri))
        assert f"Best by left under right >= {bound:.2f}" in text
        assert f"# trial {shown}" in text and text.count("# trial") == 1
        assert warning in text and ("No complete trial" in text) == bool(warning)


def test_the_best_trials_say_of_how_many_examples_their_values_are() -> None:
    values = {
        "examples": 505, "attacked_examples": 32, "entities": 467, "attacked_entities": 30,
        "test.f1.clean": 0.4, "test.examples": 1287, "test.entities": 1079,
    }  # fmt: skip
    robust = "f1.characters_0.15"
    goals = tuple(Objective(name, "maximize") for name in ("f1.clean", robust))
    trial = Trial(
        state="complete", configuration={}, values=(0.5, 0.2), objectives=goals, epoch=4, number=3,
        curves={name: {4: float(value)} for name, value in values.items()},
    )  # fmt: skip
    examples = ValidationExamples(reported=trial.last_values)
    shown = {}
    for width in (160, 58):
        file = io.StringIO()
        console = Console(file=file, width=width)
        console.print(best_table([trial], console, examples))
        shown[width] = file.getvalue()
    wide, narrow = (" ".join(shown[width].split()) for width in (160, 58))
    # An F1 under attack of 32 sentences stands next to one of 505.
    assert "of 505 sentences, of 1287 sentences, of 32 sentences," in wide
    assert "467 entities 1079 entities 30 entities" in wide
    assert "f1.clean 0.5000 505 0.4000 1287" in narrow and f"{robust} 0.2000 32" in narrow

"""Composing the steps into a launch, up to where Ray would start."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search import pipeline
from search.history import History
from search.history.digest import history_digest
from search.objectives.objective import PARETO, Role
from search.optimize.plan import Plan
from search.pipeline import (
    environment,
    gather,
    new_plan,
    pin_history,
    prepare,
    resumed_plan,
    stored_spec,
)
from search.spec import HistorySettings
from search.spec.own_code import Allowed
from search.tracking import tag_names
from search.tracking.edits import write_resume
from search.tracking.ownership import SearchIsAlive, owner_name
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import (
    all_summaries,
    find_summary,
    note_of,
)
from search.transfer.cost_forecast import CostForecast, Estimate
from search.transfer.cost_outcome import stored_cost_forecast
from tests.support.runs_by_hand import Hand
from tests.support.stored_search import (
    FUNCTION,
    Stored,
    hills_spec,
    new_search,
    silent,
    stored,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(store: Stored, tmp_path: Path) -> Stored:
    return store.copied(tmp_path)


def resume(store: Stored, search: str = "", **changes: Any) -> Plan:
    options: dict[str, Any] = {
        "more_trials": 0, "hours": None, "address": None, "allowed": Allowed(FUNCTION),
        "say": silent,
    }  # fmt: skip
    return resumed_plan(search or store.search, store.uri, **options | changes)


def begun(store: Stored, plan: Plan) -> Plan:
    """What the driver of a resume writes once it owns the search."""
    write_resume(open_client(store.uri), plan.search, plan.tags, plan.note)
    return plan


def test_the_first_search_of_a_store_says_that_it_starts_cold(store: Stored) -> None:
    said: list[str] = []
    prepared = prepare(hills_spec(), store.empty_uri, say=said.append)
    assert said[0].startswith("review    0 trials of 0 earlier searches")
    assert said[1] == "extract   No earlier search to learn from: this search starts cold."
    assert said[-2] == "apply     the warm sampler first tries x 0.5 (step opening)"
    assert said[-1].startswith("apply     cost: unknown, because no earlier search ")
    assert len(prepared.history) == 0 and prepared.task.startswith("hills@")


def test_a_second_search_says_what_it_starts_from(store: Stored) -> None:
    said: list[str] = []
    prepared = prepare(hills_spec(), store.uri, say=said.append)
    assert said[0] == (
        "review    4 trials of 1 earlier search (2 complete trials of this same task),"
        " 1 run left out"
    )
    assert list(prepared.history.searches) == [store.search]


def test_trials_that_do_not_fit_are_counted_among_the_runs_left_out(store: Stored) -> None:
    said: list[str] = []
    turned = [{"metric": "left", "direction": "minimize"}]
    prepared = prepare(hills_spec(objectives=turned), store.uri, say=said.append)
    assert said[0].startswith("review    4 trials of 1 earlier search")
    assert said[0].endswith(", 3 runs left out")
    assert prepared.experience.used == ()
    assert prepared.experience.unused == {
        store.search: "it was to maximize left, this search is to minimize it"
    }
    assert "apply     starts cold: none of 1 earlier search can be used" in said


def test_a_cold_search_reads_no_history(store: Stored) -> None:
    said: list[str] = []
    prepared = prepare(hills_spec(history={"enabled": False}), store.uri, say=said.append)
    assert said[0] == "review    history is switched off: this search starts cold"
    assert len(prepared.history) == 0


def test_a_preview_proposes_different_configurations_and_writes_nothing(store: Stored) -> None:
    prepared = prepare(hills_spec(), store.empty_uri, say=silent)
    assert len({str(proposal.configuration) for proposal in prepared.proposals}) == 3
    assert all(prepared.space.contains(each.configuration) for each in prepared.proposals)
    with pytest.raises(LookupError, match="none yet"):
        find_summary(open_client(store.empty_uri), "hills")


def test_a_new_search_is_in_the_store_before_anything_runs(store: Stored) -> None:
    summary = find_summary(open_client(store.uri), store.search)
    assert summary.storage == store.plan.storage and summary.trials_budget == 5
    assert stored_spec(summary) == pin_history(hills_spec(), History.empty())
    assert summary.environment.keys() >= {"code", "python", "ray", "optuna", "mlflow", "torch"}


def test_a_new_search_stores_how_its_objectives_count(
    copy: Stored, store: Stored, tmp_path: Path
) -> None:
    bound = {"metric": "right", "direction": "maximize", "role": "constraint", "bound": 0.8}
    left = {"metric": "left", "direction": "maximize"}
    plan = new_search(copy, tmp_path, name="bound", objectives=[left, bound])
    assert plan.task == store.plan.task
    found = load_history(copy.uri).searches[plan.search]
    assert found.objectives == plan.spec.objectives
    assert [each.role for each in found.objectives] == [PARETO, Role("constraint", bound=0.8)]


@pytest.mark.slow
def test_a_warm_search_remembers_what_it_started_from(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    for spec, expected in (
        (hills_spec(), (store.search,)),
        (hills_spec(name="tpe", sampler={"name": "tpe"}, history={"enabled": False}), ()),
    ):
        plan = new_plan(prepare(spec, copy.uri, say=silent), copy.uri, tmp_path, None)
        summary = find_summary(open_client(copy.uri), plan.search)
        assert summary.warm_started_from == expected


def test_a_search_is_resumed_from_its_summary_run_alone(store: Stored) -> None:
    plan = resume(store)
    assert replace(plan, prior=store.plan.prior) == replace(store.plan, tracking_uri=store.uri)


def test_a_resumed_search_keeps_the_forecast_of_its_first_launch(copy: Stored) -> None:
    client = open_client(copy.uri)
    forecast = CostForecast("core", 5, per_trial=Estimate(2.0, 1.0, 4.0, 3))
    client.set_tag(copy.plan.summary_run, tag_names.COST_FORECAST, forecast.to_json())
    said: list[str] = []
    resume(copy, say=said.append)
    first = "review    as forecast at its first launch: "
    assert f"{first}cost of 5 trials: 10 core-hours [5.0, 20], from 3 earlier searches" in said
    assert not any(line.startswith("apply") for line in said), "its first trials have begun"
    assert stored_cost_forecast(find_summary(client, copy.search).tags) == forecast


def test_the_beginning_of_an_id_is_enough_if_only_one_search_has_it(store: Stored) -> None:
    assert resume(store, "hil").search == store.search


@pytest.mark.slow
def test_a_resumed_search_learns_neither_from_itself_nor_from_what_came_later(
    store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    later = new_search(copy, tmp_path, name="later")
    assert resume(copy).prior.same_task == ()
    assert {each.search for each in resume(copy, later.search).prior.same_task} == {store.search}


def test_a_stored_spec_repeats_a_search_whatever_the_store_has_learned_since(
    copy: Stored, store: Stored, tmp_path: Path
) -> None:
    first = prepare(hills_spec(), copy.uri, say=silent)
    kept = find_summary(open_client(copy.uri), new_search(copy, tmp_path, name="kept").search)
    new_search(copy, tmp_path, name="since")
    again = prepare(stored_spec(kept), copy.uri, say=silent)
    assert again.spec.history.searches == (store.search,)
    assert again.spec.history.digest == history_digest(first.history)
    assert again.proposals == first.proposals
    assert len(prepare(hills_spec(), copy.uri, say=silent).history.searches) == 3


def test_a_search_with_another_history_than_it_pins_does_not_start_but_resumes(
    copy: Stored, store: Stored, tmp_path: Path
) -> None:
    plan = new_search(copy, tmp_path, name="kept")
    trials = load_history(copy.uri, searches=[store.search]).prior_trials()
    open_client(copy.uri).delete_run(trials[0].run_id)
    said: list[str] = []
    with pytest.raises(ValueError, match=r"history\.digest = sha.*changed since; fix: remove"):
        prepare(plan.spec, copy.uri, say=silent)
    assert resume(copy, plan.search, say=said.append).search == plan.search
    assert "they have changed since" in said[0]
    nowhere = hills_spec(history={"searches": ["gone"], "digest": plan.spec.history.digest})
    with pytest.raises(ValueError, match="the store lacks gone"):
        prepare(nowhere, copy.uri, say=silent)


def test_a_spec_may_name_the_searches_to_learn_from(store: Stored) -> None:
    for named in ([], [store.search]):
        prepared = prepare(hills_spec(history={"searches": named}), store.uri, say=silent)
        assert [*prepared.history.searches] == named


def test_a_function_named_by_the_store_runs_only_if_it_is_allowed_by_name(store: Stored) -> None:
    others = (
        None,
        "",
        "tests.support.functions:slow_hills",
        "tests.support.functions",
    )
    for allowed in others:
        with pytest.raises(PermissionError, match=f"--allow-code {FUNCTION}"):
            resume(store, allowed=Allowed(allowed))


def test_a_search_that_is_alive_is_not_resumed_and_the_message_says_how_to_end_it(
    copy: Stored,
) -> None:
    client = open_client(copy.uri)
    run = find_summary(client, copy.search).run_id
    client.set_tag(run, "twentieth.owner", owner_name())
    client.set_tag(run, "twentieth.state", "running")
    with pytest.raises(SearchIsAlive, match=f"is being run by .* twentieth stop {copy.search}"):
        resume(copy)


def test_more_trials_raise_the_budget_for_good(copy: Stored) -> None:
    plan = begun(copy, resume(copy, more_trials=3))
    assert plan.trials_budget == 8
    assert resume(copy).trials_budget == 8
    begun(copy, plan)  # its driver died and is started again
    assert resume(copy).trials_budget == 8


def test_a_resume_that_never_owns_the_search_changes_nothing_of_it(copy: Stored) -> None:
    client, allowed = open_client(copy.uri), Allowed(FUNCTION, is_changed=True)
    run = find_summary(client, copy.search).run_id
    fingerprint = dict(find_summary(client, copy.search).fingerprint) | {"code": "other"}
    client.set_tag(run, tag_names.FINGERPRINT, json.dumps(fingerprint))
    before = client.get_run(run).data.to_dictionary()
    plan = resume(copy, more_trials=3, allowed=allowed)  # another resume claims the search now
    assert client.get_run(run).data.to_dictionary() == before
    for _ in range(2):
        begun(copy, plan)
    summary = find_summary(client, copy.search)
    assert summary.trials_budget == 8
    assert note_of(summary.tags).count("with changed code") == 1


def test_a_search_of_a_known_task_says_what_it_trains_again(store: Stored) -> None:
    said: list[str] = []
    prepared = prepare(hills_spec(), store.uri, say=said.append)
    assert prepared.proposals[0].origin["step"] == "confirm"
    line = f"apply     trains {store.search}#0 again first: left 0.9000, right 0.1000 expected; "
    assert line + "how much it varies is not known" in said


@pytest.mark.parametrize("stop", ["auto", "never"])
def test_the_budget_is_a_limit_until_the_user_asks_for_a_number(
    copy: Stored, tmp_path: Path, stop: str
) -> None:
    plan = new_search(copy, tmp_path, budget={"trials": 5, "epochs": 4, "stop": stop})
    assert plan.may_end == (stop == "auto")
    assert resume(copy, plan.search).may_end == (stop == "auto")
    assert not begun(copy, resume(copy, plan.search, more_trials=2)).may_end
    assert not resume(copy, plan.search).may_end  # the two are still wanted


def test_a_search_that_ended_by_itself_goes_on_for_as_many_trials_as_it_is_asked_to(
    copy: Stored,
) -> None:
    run, client = copy.plan.summary_run, open_client(copy.uri)
    client.set_tag(run, tag_names.REASON, "ended after 4 of at most 5 trials: too little")
    client.set_tag(run, tag_names.BUDGET, "4")
    assert not resume(copy).may_end
    plan = begun(copy, resume(copy, more_trials=3))
    assert (plan.trials_budget, plan.may_end) == (7, False)
    assert find_summary(client, copy.search).ended_because == (
        "ended after 4 of at most 5 trials: too little; resumed for 3 more trials"
    )


def test_a_resume_that_fails_leaves_the_budget_as_it_was(
    copy: Stored, store: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "prepare", away)
        with pytest.raises(ConnectionError):
            resume(copy, more_trials=3)
    assert find_summary(open_client(copy.uri), store.search).trials_budget == 5


def test_a_search_whose_storage_was_moved_or_deleted_says_what_that_costs(
    copy: Stored, tmp_path: Path
) -> None:
    client, run = open_client(copy.uri), copy.plan.summary_run
    for generation, is_told in (("0", False), ("1", True)):
        folder, said = tmp_path / f"moved {generation}", list[str]()
        client.set_tag(run, tag_names.STORAGE, str(folder))
        client.set_tag(run, tag_names.GENERATION, generation)  # 0: it has never run
        resume(copy, say=said.append)
        assert any(f"{folder} is gone: trials in flight" in line for line in said) == is_told


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_folder_in_which_nothing_can_be_written_leaves_nothing_in_the_store(
    copy: Stored, tmp_path: Path, below: str
) -> None:
    folder, client = tmp_path / "file" / below, open_client(copy.uri)
    (tmp_path / "file").touch()
    before = len(all_summaries(client))
    with pytest.raises(ValueError, match=f"no file can be written in {folder} .*; fix: "):
        new_search(copy, folder)
    assert len(all_summaries(client)) == before
    client.set_tag(copy.plan.summary_run, tag_names.STORAGE, str(folder))
    with pytest.raises(ValueError, match=f"no file can be written in {folder} "):
        resume(copy)


def test_the_hours_of_this_launch_come_before_those_of_the_spec(store: Stored) -> None:
    assert resume(store).hours is None
    assert resume(store, hours=0.5).hours == 0.5


def test_an_unknown_search_is_answered_with_the_known_ones(store: Stored) -> None:
    with pytest.raises(LookupError, match=f"no search is called 'nothing'.*{store.search}"):
        resume(store, "nothing")


def test_the_environment_names_every_library_that_a_result_depends_on() -> None:
    assert environment().keys() == {
        "code", "python", "machine", "ray", "optuna", "mlflow", "torch", "transformers", "peft",
        "numpy",
    }  # fmt: skip


@pytest.mark.slow
def test_runs_that_a_spec_declares_to_be_of_its_task_are(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.log({"lr": 0.1}, {"accuracy": [0.5]})
    settings = HistorySettings(
        experiments=["digits*"], same_task=["mine"],
        rename={"lr": "sgd.learning_rate"}, rename_metrics={"accuracy": "accuracy.clean"},
    )  # fmt: skip
    (trial,) = gather(hand.uri, settings, task="digits-cnn@1").prior_trials("digits-cnn@1")
    assert trial.configuration == {"sgd.learning_rate": 0.1}
    assert trial.value_of("accuracy.clean") == 0.5


def test_history_that_is_switched_off_reads_nothing() -> None:
    assert len(gather("sqlite:////nowhere/at/all.db", HistorySettings(enabled=False))) == 0


def test_before_the_first_search_history_is_empty_and_the_user_hears_that_there_is_no_store(
    tmp_path: Path,
) -> None:
    uri, said = f"sqlite:///{tmp_path / 'mlflow.db'}", list[str]()
    assert len(gather(uri, HistorySettings(), say=said.append)) == 0
    assert not list(tmp_path.iterdir())
    (line,) = said
    assert line.startswith(f"review    there is no tracking store at {uri}")
    assert line.endswith("; a search creates it")

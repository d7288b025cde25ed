"""Weights are copied with a lineage, or refused if they were trained on evaluation examples."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models.data.loading import load_data
from models.weights.checkpoints import newest_checkpoint
from models.weights.initial import load_initial
from search import pipeline
from search.cli.tables import print_search, print_trial
from search.optimize.plan import Plan
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from search.review.fingerprint import fingerprint_of
from search.spec.own_code import NOTHING
from search.tracking import tag_names
from search.tracking.store import open_client, tags_of
from search.tracking.summary import find_summary
from search.transfer.export import export_trial
from search.transfer.sources import find_trial
from tests.support.source_searches import DIGITS, Shelf, configured, digits_spec


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def source(shelf: Shelf) -> str:
    plan = shelf.plan(digits_spec("source"))
    shelf.finish(plan, [(configured(2), [0.5, 0.3]), (configured(4), [0.9, 0.4])])
    return plan.search


@pytest.mark.slow
def test_a_search_keeps_the_weights_and_the_lineage_of_its_source(
    shelf: Shelf, source: str
) -> None:
    plan = shelf.plan(digits_spec("target", initial_weights={"from": source}))
    name = f"{source}#1"
    assert plan.spec.starts_from == name
    weights = load_initial(plan.initial_files()[name])
    checkpoint = newest_checkpoint(find_trial(shelf.uri, name).checkpoints)
    assert checkpoint is not None
    state = checkpoint.load_state()
    assert state is not None
    for tensor_name, tensor in weights.tensors.items():
        assert torch.equal(tensor, state["model"][tensor_name])
    lineage = weights.lineage
    assert lineage == plan.lineage({"adamw.learning_rate": 2e-3})
    assert (len(lineage["rows_carried"]), lineage["rows_initialized"]) == (10, [])
    assert lineage["overlap"] == {"count": 0, "known": 0, "compared": 100}
    assert lineage["ancestors"] == [name] and lineage["base"] is None
    summary = find_summary(open_client(shelf.uri), plan.search)
    assert summary.initial_weights[name]["lineage"] == lineage


@pytest.mark.slow
def test_a_worker_starts_its_trials_as_the_search_or_the_trial_says(
    shelf: Shelf, source: str
) -> None:
    plan = shelf.plan(digits_spec("worker", initial_weights={"from": source}))
    name, data = f"{source}#1", load_data(DIGITS, "images")
    task = TaskOnWorker(plan.spec, plan.storage, 1, initial_files=plan.initial_files())
    free = replace(task, spec=plan.spec.model_copy(update={"initial_weights": None}))
    learned = load_initial(plan.initial_files()[name]).tensors["features.0.weight"]
    configuration = plan.spec.complete({"adamw.learning_rate": 2e-3})
    for started, chosen, starts_there in (
        (task, {}, True), (free, {"initial_weights": name}, True), (free, {}, False),
        (free, {"initial_weights": "scratch"}, False),
    ):  # fmt: skip
        config = {"configuration": configuration | chosen, "seed": 5, "number": 0}
        training = training_of(started, config, data, WorkersBase())
        begun = training.classifier().state_dict()["features.0.weight"]
        assert torch.equal(begun, learned) == starts_there


@pytest.mark.slow
def test_lineage_goes_back_to_the_first_and_is_printed_by_show(shelf: Shelf, source: str) -> None:
    rate = {"adamw.learning_rate": 2e-3}
    parent = shelf.plan(digits_spec("parent", initial_weights={"from": source}))
    shelf.finish(parent, [(rate, [0.9, 0.5])])
    child = shelf.plan(digits_spec("child", initial_weights={"from": parent.search}))
    shelf.finish(child, [(rate, [0.9, 0.5])])
    trial = find_trial(shelf.uri, f"{child.search}#0")
    assert trial.lineage["ancestors"] == [f"{source}#1", f"{parent.search}#0"]
    assert len(trial.trained_on()) == 3
    assert trial.initial == child.initial_files()[f"{parent.search}#0"]
    assert find_trial(shelf.uri, f"{source}#1").initial is None
    tags = tags_of(open_client(shelf.uri), trial.trial.run_id)
    assert tags[tag_names.INITIAL_WEIGHTS] == f"{parent.search}#0"
    assert (tags[tag_names.ROWS_CARRIED], tags[tag_names.OVERLAP]) == ("10", "0")
    out = io.StringIO()
    print_trial(Console(file=out, width=200), child.search, 0, shelf.uri)
    printed = out.getvalue()
    assert f"starts from the weights of {parent.search}#0" in printed
    assert "10 head rows copied by label name (0, 1, 2, 3, 4 and 5 more), 0 re-init" in printed
    assert f"Lineage: {source}#1 > {parent.search}#0." in printed
    out.truncate(0)
    print_trial(Console(file=out, width=200), source, 1, shelf.uri)
    assert "weights" not in out.getvalue()


@pytest.mark.slow
def test_a_search_shows_what_its_trials_may_start_from(shelf: Shelf, source: str) -> None:
    plan = shelf.plan(digits_spec("shown", initial_weights={"from": source}))
    shelf.finish(plan, [({"adamw.learning_rate": 2e-3}, [0.9, 0.5])])
    out = io.StringIO()
    print_search(Console(file=out, width=200), plan.search, shelf.uri)
    assert f"trials may start from the weights of {source}#1" in out.getvalue()


@pytest.mark.slow
def test_a_resume_without_the_weights_says_so_at_once(shelf: Shelf, source: str) -> None:
    plan = shelf.plan(digits_spec("bereft", initial_weights={"from": source}))
    assert resumed(shelf, plan.search).initial_files() == plan.initial_files()
    (file,) = plan.initial_files().values()
    file.unlink()
    with pytest.raises(FileNotFoundError, match=file.name):
        resumed(shelf, plan.search)


def resumed(shelf: Shelf, search: str) -> Plan:
    return pipeline.resumed_plan(
        search, shelf.uri, more_trials=0, hours=None, address=None, allowed=NOTHING,
        say=lambda text: None,
    )  # fmt: skip


@pytest.mark.slow
def test_weights_trained_on_the_targets_splits_are_refused_without_a_trace(
    shelf: Shelf, source: str
) -> None:
    task = {
        "name": "digits", "model": "cnn", "settings": {"optimizer": "adamw"},
        "data": {"name": "digits", "train_examples": 100, "split_seed": 3},
    }  # fmt: skip
    spec = digits_spec("leaking", task=task, initial_weights={"from": source})
    with pytest.raises(ValueError, match=r"trained on \d+ examples of this task's validation"):
        shelf.plan(spec)
    assert not list((shelf.folder / "storage").glob("leaking*"))
    with pytest.raises(LookupError):
        find_summary(open_client(shelf.uri), "leaking")


def test_images_of_another_shape_are_refused(shelf: Shelf, source: str) -> None:
    task = {
        "name": "digits", "model": "cnn", "settings": {"optimizer": "adamw"},
        "data": {"name": "digits", "image_size": 4},
    }  # fmt: skip
    spec = digits_spec("small", task=task, initial_weights={"from": source})
    with pytest.raises(ValueError, match="1x8x8, the target has 1x4x4; fix: set task"):
        shelf.plan(spec)


@pytest.mark.slow
def test_a_source_whose_data_have_changed_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    plan = shelf.plan(digits_spec("source"))
    shelf.finish(plan, [(configured(2), [0.5, 0.3])])
    fingerprint, _ = fingerprint_of(plan.spec)
    fingerprint["data"] = {**fingerprint["data"], "digest": "0" * 12}
    client = open_client(shelf.uri)
    client.set_tag(plan.summary_run, tag_names.FINGERPRINT, json.dumps(fingerprint))
    with pytest.raises(ValueError, match="has changed since"):
        shelf.plan(digits_spec("target", initial_weights={"from": plan.search}))


@pytest.mark.slow
def test_a_trial_whose_lineage_is_damaged_gives_no_weights(shelf: Shelf, source: str) -> None:
    rate = {"adamw.learning_rate": 2e-3}
    child = shelf.plan(digits_spec("child", initial_weights={"from": source}))
    shelf.finish(child, [(rate, [0.9, 0.5])])
    client, name = open_client(shelf.uri), f"{child.search}#0"
    run = find_trial(shelf.uri, name).trial.run_id
    client.set_tag(run, tag_names.LINEAGE, '{"source": "a#1"}')
    with pytest.raises(ValueError, match=rf"{name}: .*damaged.*unknown which examples.*fix: name"):
        shelf.plan(digits_spec("grandchild", initial_weights={"from": name}))


def test_an_exported_folder_has_a_card_without_paths_of_this_machine(
    shelf: Shelf, source: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = export_trial(shelf.uri, f"{source}#1", out)
    assert "model.safetensors" in said and "load_model.py" in said
    card = (out / "README.md").read_text()
    trial = find_trial(shelf.uri, f"{source}#1")
    for part in (
        "| accuracy.clean | 0.9000 |", "accuracy.pgd10_linf_0.1, upper bound | 0.4000",
        trial.fingerprint["data"]["digest"], trial.trial.run_id, "width: 4",
        "None: trained from scratch.", "0 0, 1 1, 2 2", "Licence: not stated",
    ):  # fmt: skip
        assert part in card, part
    assert str(shelf.folder) not in card
    with pytest.raises(FileExistsError, match="not empty"):
        export_trial(shelf.uri, f"{source}#1", out)
    shutil.rmtree(trial.checkpoints)
    with pytest.raises(LookupError, match="no checkpoint of"):
        export_trial(shelf.uri, f"{source}#1", tmp_path / "other")

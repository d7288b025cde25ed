"""Real searches that fine-tune: run from the command line, killed, resumed, seen in MLflow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search.tracking.artifacts import read_tables
from search.tracking.store import open_client
from tests.support.launches import PATIENCE_SECONDS, Place, driver_of, fingerprints, finished
from tests.support.tiny_models import tiny_bert, wordpiece

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 4, 4
CITIES, PEOPLE, VERBS = ("paris", "rome", "oslo"), ("anna", "bob", "eve"), ("sees", "likes")
CALM, ANGRY = ("warm sunny mild", "cold grey wet"), ("loud fast rude", "late angry lost")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def write_classes(folder: Path) -> None:
    """Makes sentences whose words tell their class."""
    generator = np.random.default_rng(0)
    for split, rows in (("train", 96), ("validation", 24), ("test", 24)):
        labels = [row % 2 for row in range(rows)]
        texts = []
        for label in labels:
            words = " ".join((CALM, ANGRY)[label]).split()
            texts.append(" ".join(generator.permutation(words)[:4]))
        columns = {"text": texts, "label": pa.array(labels, pa.int64())}
        write(folder / f"{split}.parquet", columns, {"label_names": json.dumps(["calm", "angry"])})


def write_entities(folder: Path) -> None:
    """Makes sentences in which a person does something in a city."""
    generator = np.random.default_rng(1)
    for split, rows in (("train", 96), ("validation", 24), ("test", 24)):
        tokens = [
            [str(generator.choice(PEOPLE)), str(generator.choice(VERBS)), "in",
             str(generator.choice(CITIES))]
            for _ in range(rows)
        ]  # fmt: skip
        columns = {"tokens": tokens, "tags": [["B-person", "O", "O", "B-city"]] * rows}
        write(folder / f"{split}.parquet", columns, {})


def write(path: Path, columns: dict[str, Any], metadata: dict[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    words = [*CITIES, *PEOPLE, *VERBS, "in", *CALM, *ANGRY]
    tiny_bert(tmp_path / "bert", wordpiece(words * 3))
    write_classes(tmp_path / "classes")
    write_entities(tmp_path / "entities")
    return Place(tmp_path)


def spec(model: str, data: str, clean: str, robust: str) -> dict[str, Any]:
    return {
        "name": data,
        "task": {
            "data": f"./{data}", "model": model, "base": "bert",
            "settings": {"max_length": 16, "batch_size": 16},
        },
        "objectives": [
            {"metric": clean, "direction": "maximize"},
            {"metric": robust, "direction": "maximize"},
        ],
        "space": {
            "adaptation": {"type": "categorical", "choices": ["full", "lora", "adapters"]},
            "full.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
            "lora.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
        },
        "budget": {"trials": TRIALS, "epochs": EPOCHS},
        "resources": {"parallelism": 2, "cpus": 1},
        "scheduler": {"name": "none"},
        "robustness": {"examples": 8, "cheap_examples": 4, "queries": 20},
        "history": {"enabled": False},
    }  # fmt: skip


def killed_and_resumed(place: Place, document: dict[str, Any], event: str, count: int) -> str:
    """Returns the id of a search that was killed after so many events and then resumed."""
    command = place.run(document)
    search = place.search(document["name"])
    place.wait_for(search, event, count)
    driver_of(command).kill()
    command.kill()
    command.wait()
    before = fingerprints(place, search)
    finished(place.resume(search))
    after = fingerprints(place, search)
    assert {number: after[number] for number in before} == before, "a finished trial was touched"
    return search


def assert_whole(place: Place, search: str, metrics: dict[str, list[int]]) -> list[Any]:
    """Every trial finished once, with every metric at its epochs; returns the runs."""
    runs, client = place.raw_runs(search), open_client(place.uri)
    numbers = sorted(int(run.data.tags["twentieth.number"]) for run in runs)
    assert numbers == list(range(TRIALS)), f"lost or doubled: {numbers}"
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        for metric, epochs in metrics.items():
            points = client.get_metric_history(run.info.run_id, metric)
            assert sorted(point.step for point in points) == epochs, (run.info.run_name, metric)
    return runs


@pytest.mark.long
@pytest.mark.parametrize(("event", "count"), [("epoch", 2), ("end", 1)])
def test_a_search_of_text_classifiers_survives_kill_9(place: Place, event: str, count: int) -> None:
    document = spec("text_classifier", "classes", "accuracy.clean", "accuracy.robust")
    search = killed_and_resumed(place, document, event, count)
    every = list(range(1, EPOCHS + 1))
    runs = assert_whole(
        place, search,
        {"selection.accuracy.clean": every, "selection.f1.macro": every,
         "loss.validation": every, "accuracy.clean": [EPOCHS], "f1.macro": [EPOCHS],
         "parameters.trainable": every, "memory.peak_mb": every, "seconds.setup": every,
         "accuracy.characters_0.15": [EPOCHS], "queries.mean": [EPOCHS]},
    )  # fmt: skip
    assert max(run.data.metrics["accuracy.clean"] for run in runs) > 0.9, "words tell the class"
    tested = [run for run in runs if "test.accuracy.clean" in run.data.metrics]
    assert tested, "the front was looked at on the test split"
    assert all("confirmation.accuracy.clean" in run.data.metrics for run in tested)
    report = (place.folder / search / "report.md").read_text()
    assert "## Objective part and confirmation part" in report
    assert "classes_test.txt" in report
    assert "## Tables of the best trials" in report and "angry" in report


@pytest.mark.long
def test_a_search_of_entity_taggers_survives_kill_9_and_keeps_its_tables(place: Place) -> None:
    document = spec("entity_tagger", "entities", "f1.clean", "f1.robust")
    search = killed_and_resumed(place, document, "epoch", 5)
    every = list(range(1, EPOCHS + 1))
    runs = assert_whole(
        place, search,
        {"selection.f1.clean": every, "selection.precision.clean": every,
         "selection.recall.clean": every, "selection.accuracy.tokens": every,
         "f1.clean": [EPOCHS], "f1.characters_0.15": [EPOCHS], "entities": [EPOCHS]},
    )  # fmt: skip
    for run in runs:
        text = "\n".join(read_tables(open_client(place.uri), run.info.run_id).values())
        assert "person" in text and "B-city" in text, "a table an entity type and one a tag"


@pytest.mark.long
def test_a_trial_that_early_stopping_ends_is_complete_in_the_store(place: Place) -> None:
    document = spec("text_classifier", "classes", "accuracy.clean", "accuracy.robust")
    document["task"]["settings"] |= {"patience": 1, "adaptation": "full"}
    # The rate is too large for the loss to fall for long.
    document["space"] = {"full.learning_rate": {"type": "float", "low": 0.05, "high": 0.5}}
    document["budget"] = {"trials": 3, "epochs": 12}
    finished(place.run(document))
    search = place.search()
    trials = place.trials(search)
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert min(trial.epoch for trial in trials) < 12
    assert all("accuracy.characters_0.15" in trial.curves for trial in trials)
    before = fingerprints(place, search)
    finished(place.resume(search))
    assert fingerprints(place, search) == before, "there was nothing left to do"


def test_data_and_base_that_cannot_be_used_are_refused_before_anything_starts(place: Place) -> None:
    wrong_kind = spec("entity_tagger", "classes", "f1.clean", "f1.robust")
    (place.folder / "bert" / "model.safetensors").rename(place.folder / "weights")
    no_weights = spec("text_classifier", "classes", "accuracy.clean", "accuracy.robust")
    for document, words in ((no_weights, "model.safetensors"), (wrong_kind, "tokens")):
        command = place.run(document)
        output, _ = command.communicate(timeout=PATIENCE_SECONDS)
        assert command.returncode == 2 and words in output, output
        assert "Traceback" not in output
        if words == "model.safetensors":
            (place.folder / "weights").rename(place.folder / "bert" / "model.safetensors")
    assert not (place.folder / "storage").exists() or not os.listdir(place.folder / "storage")
    experiments = open_client(place.uri).search_experiments()
    assert not [each for each in experiments if each.name != "Default"], "nothing was created"

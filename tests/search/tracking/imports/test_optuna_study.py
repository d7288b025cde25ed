"""Studies in a storage of Optuna's own: their trials under the names of a spec."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
import yaml
from optuna.storages.journal import JournalFileBackend

from search.spec import Spec, spec_from_yaml
from search.tracking.imports.optuna_study import open_study, read_study
from tests.support.servers import postgresql


def spec_of(**changes: Any) -> Spec:
    record = {
        "name": "mine",
        "task": {"train": "python:train:train"},
        "objectives": [{"metric": "accuracy", "direction": "maximize"}],
        "space": {
            "rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
            "width": {"type": "int", "low": 16, "high": 64, "step": 16},
        },
        "budget": {"trials": 4, "epochs": 3},
    }
    return spec_from_yaml(yaml.safe_dump(record | changes))


def objective(trial: optuna.Trial) -> float:
    trial.suggest_float("rate", 1e-3, 0.1, log=True)
    width = trial.suggest_int("width", 16, 64, step=16)
    trial.suggest_categorical("kind", ["adam", None])
    for epoch in range(3):
        trial.report(width / 100 + epoch / 1000, epoch)
    if width == 32:
        raise optuna.TrialPruned
    if width == 48:
        raise ZeroDivisionError
    return width / 100


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """A study of a complete, a pruned and a failed trial, and one that waits."""
    uri = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(study_name="digits", storage=uri, direction="maximize")
    for width in (16, 32, 48):
        study.enqueue_trial({"rate": 0.01, "width": width, "kind": None})
    study.optimize(objective, n_trials=3, catch=(ZeroDivisionError,))
    study.enqueue_trial({"width": 64})
    return uri


def test_trials_keep_their_states_values_and_curves(storage: str) -> None:
    found = read_study(open_study(storage), spec_of())
    complete, pruned, failed = (run.trial for run in found.runs)
    assert [complete.state, pruned.state, failed.state] == ["complete", "stopped", "failed"]
    assert complete.configuration == {"rate": 0.01, "width": 16}  # None is no value of ours
    assert complete.by_metric == {"accuracy": 0.16}
    assert complete.curves == {"accuracy": {1: 0.16, 2: 0.161, 3: 0.162}}
    assert pruned.values == ()
    assert found.problems == ("study digits, trial 3: it has not ended; import it again when it "
                              "has",)  # fmt: skip
    assert [run.identity for run in found.runs] == ["digits#0", "digits#1", "digits#2"]


def test_parameters_take_the_names_of_the_spec(storage: str) -> None:
    space = {"speed": {"type": "float", "low": 0.001, "high": 0.1}}
    with pytest.raises(ValueError, match="study digits has no hyperparameter for speed"):
        read_study(open_study(storage), spec_of(space=space))
    spec = spec_of(space=space, history={"rename": {"rate": "speed"}})
    found = read_study(open_study(storage), spec)
    assert found.runs[0].trial.configuration == {"speed": 0.01, "width": 16}
    assert set(found.space.distributions) == {"speed", "width", "kind"}


def test_another_direction_is_refused(storage: str) -> None:
    spec = spec_of(objectives=[{"metric": "loss", "direction": "minimize"}])
    with pytest.raises(ValueError, match="was to maximize, and the spec's objectives loss are to"):
        read_study(open_study(storage), spec)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_objectives_that_the_study_names_go_by_their_names(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'two.db'}"
    study = optuna.create_study(storage=uri, directions=["minimize", "maximize"])
    study.set_metric_names(["loss", "acc"])
    study.optimize(lambda trial: (trial.suggest_float("rate", 0.01, 0.1), 0.5), n_trials=1)
    spec = spec_of(
        objectives=[
            {"metric": "accuracy", "direction": "maximize"},
            {"metric": "loss", "direction": "minimize"},
        ],
        space={"rate": {"type": "float", "low": 0.001, "high": 0.1}},
        history={"rename_metrics": {"acc": "accuracy"}},
    )
    (run,) = read_study(open_study(uri), spec).runs
    assert run.trial.by_metric["accuracy"] == 0.5
    assert run.trial.metrics == ("loss", "accuracy")


def test_a_study_whose_names_are_not_those_of_the_spec_is_refused(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'one.db'}"
    study = optuna.create_study(storage=uri, direction="maximize")
    study.set_metric_names(["reward"])
    study.optimize(lambda trial: trial.suggest_float("rate", 0.01, 0.1), n_trials=1)
    spec = spec_of(
        objectives=[{"metric": "accuracy", "direction": "maximize"}],
        space={"rate": {"type": "float", "low": 0.001, "high": 0.1}},
    )
    with pytest.raises(ValueError, match=r"has the metrics reward, .* accuracy; fix: .*rename_met"):
        read_study(open_study(uri), spec)


def test_a_storage_without_that_study_names_those_that_it_has(storage: str) -> None:
    optuna.create_study(study_name="other", storage=storage)
    with pytest.raises(LookupError, match="2 studies; fix: --study with one of: digits, other"):
        open_study(storage)
    with pytest.raises(LookupError, match="no study 'digit'; did you mean 'digits'"):
        open_study(storage, "digit")
    assert open_study(storage, "digits").study_name == "digits"


def test_a_file_that_is_no_storage_is_neither_created_nor_changed(tmp_path: Path) -> None:
    missing, empty, other, text = (tmp_path / name for name in ("a.db", "b.db", "c.db", "d.db"))
    empty.touch()
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE studies (x)")  # Optuna's name, and none of its others
    text.write_text("no database, but long enough to be read as one " * 20)
    before = [file.read_bytes() for file in (empty, other, text)]
    for path, said in ((missing, "there is no file"), (empty, "it holds no Optuna study"),
                       (other, "no table alembic_version, trial_params, trials, version_info"),
                       (text, "file is not a database")):  # fmt: skip
        with pytest.raises((ValueError, ConnectionError), match=rf"{said}.*; fix: "):
            open_study(f"sqlite:///{path}")
    assert not missing.exists()
    assert [file.read_bytes() for file in (empty, other, text)] == before


def test_reading_a_study_changes_no_byte_of_its_storage(storage: str, tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    before = file.read_bytes()
    assert read_study(open_study(storage), spec_of()).runs
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["study.db"]


@pytest.mark.slow
def test_an_empty_postgresql_database_is_refused_and_gets_no_table(tmp_path: Path) -> None:
    with postgresql(tmp_path) as uri:
        url = uri.replace("postgresql://", "postgresql+psycopg://")
        with pytest.raises(ValueError, match=r"holds no Optuna study .*; fix: name the storage"):
            open_study(url)
        engine = sqlalchemy.create_engine(url)
        assert sqlalchemy.inspect(engine).get_table_names() == []
        engine.dispose()
        study = optuna.create_study(study_name="digits", storage=url, direction="maximize")
        study.optimize(objective, n_trials=1, catch=(ZeroDivisionError, optuna.TrialPruned))
        assert len(read_study(open_study(url), spec_of()).runs) == 1


def test_a_journal_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(file)))
    study = optuna.create_study(storage=storage, direction="maximize")
    study.optimize(objective, n_trials=1, catch=(ZeroDivisionError, optuna.TrialPruned))
    found = read_study(open_study(str(file)), spec_of())
    assert len(found.runs) == 1
    wrong = ("no\njournal\n", '{"op_code": 99, "worker_id": "a"}\n', "[" * 100_000 + "\n")
    for text, said in (("", "holds no Optuna study"), *((each, "not a journal") for each in wrong)):
        file.write_text(text)
        with pytest.raises(ValueError, match=said):
            open_study(str(file))


def test_a_storage_of_pickles_and_one_that_does_not_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="copy_study"):
        open_study("redis://localhost:1/0")
    with pytest.raises((ConnectionError, ValueError)) as raised:
        open_study("postgresql+psycopg2://me:secret@localhost:1/db")
    assert "secret" not in str(raised.value)

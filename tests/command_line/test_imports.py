"""`import-sweep`, `import-runs` and `import-study`: what they write, print and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import yaml

from search.pipeline import gather
from search.spec import load_spec
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from tests.support.commands import Said
from tests.support.foreign_stores import empty_store
from tests.support.launches import hills

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "migrate"
PAGE = ROOT / "docs" / "guides" / "migrate.md"
HEAD = "Name,State,Created,Runtime,x,left,right"
ROWS = (
    "a,finished,2026-11-02T09:00:00Z,5,1.5,0.1,0.2",
    "b,crashed,2026-11-02T09:01:00Z,5,0.5,,",
    "c,running,2026-11-02T09:02:00Z,5,0.7,,",
)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return empty_store(tmp_path / "store")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([HEAD, *ROWS]) + "\n")
    return path


def test_the_spec_of_a_sweep_is_written_with_what_it_lacks(
    cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = Path("sweep.yaml")
    sweep.write_text((EXAMPLES / "sweep.yaml").read_text())
    said = cli("import-sweep", sweep)
    assert said.code == 0
    assert f"```text\n{said.out.rstrip()}\n```" in PAGE.read_text(encoding="utf-8")
    written = tmp_path / "sweep_spec.yaml"
    # The example that ships is what the command writes.
    assert written.read_text() == (EXAMPLES / "sweep_spec.yaml").read_text()
    assert "learning_rate: log_uniform_values (min 0.0001, max 0.1)" in said.out
    for lost in ("q 8 has no counterpart", "probabilities have no counterpart", "command: "):
        assert lost in said.out and lost in written.read_text()
    again = cli("import-sweep", sweep)
    assert again.code == 2 and "exists; fix: remove it" in again.err


def test_a_sweep_with_mistakes_writes_nothing(cli: Callable[..., Said], tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("program: train.py\nmethod: bayes\nparameters: {x: {min: 1, max: 0}}\n")
    said = cli("import-sweep", sweep, "--output", tmp_path / "mine.yaml")
    assert said.code == 2 and "sweep.yaml:3  parameters.x.min = 1" in said.err
    assert "metric: must say what is optimized" in said.err
    assert not (tmp_path / "mine.yaml").exists()


def test_names_in_a_sweep_cannot_write_keys_of_the_spec(
    cli: Callable[..., Said], tmp_path: Path
) -> None:
    sweep, target = tmp_path / "sweep.yaml", tmp_path / "mine.yaml"
    sweep.write_text((EXAMPLES / "sweep.yaml").read_text() + '"a\\nhistory: {enabled: false}": 1\n')
    assert cli("import-sweep", sweep, "--output", target).code == 0
    assert "a history: {enabled: false}" in target.read_text()
    assert "history" not in yaml.safe_load(target.read_text())


def test_the_function_of_a_sweep_can_be_named(cli: Callable[..., Said], tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    said = cli("import-sweep", EXAMPLES / "sweep.yaml", "--program", "other:main",
               "--output", target)  # fmt: skip
    assert said.code == 0 and "other.py needs a function main(configuration, trial)" in said.out
    assert yaml.safe_load(target.read_text())["task"]["train"] == "python:other:main"


def test_runs_become_history_once(
    cli: Callable[..., Said], spec: Path, runs: Path, uri: str
) -> None:
    said = cli("import-runs", runs, "--spec", spec, "--tracking-uri", uri)
    assert said.code == 0
    assert "runs.csv, row 4, column State: the run is running" in said.out
    assert "runs.csv: 2 runs (1 complete, 1 failed)" in said.out
    assert "imported  2 runs into the experiment hills-wandb" in said.out
    again = cli("import-runs", runs, "--spec", spec, "--tracking-uri", uri)
    assert again.code == 0 and "0 runs into" in again.out
    assert "2 were there already" in again.out
    (search,) = load_history(uri).searches.values()
    assert search.id == "mlflow:hills-wandb/imported"
    assert len(load_history(uri).prior_trials(state=None)) == 2


def test_imported_runs_are_listed_and_deleted_by_the_name_that_the_import_says(
    cli: Callable[..., Said], spec: Path, runs: Path, uri: str
) -> None:
    store = ("--tracking-uri", uri)
    said = cli("import-runs", runs, "--spec", spec, "--experiment", "old ones", *store)
    assert said.out.endswith("undo      twentieth delete 'mlflow:old ones/imported'\n")
    listed = cli("history", *store).out.splitlines()
    assert listed[0] == "mlflow:old ones: maximize left, maximize right"
    # One complete trial, (0.1, 0.2), and one that failed.
    assert listed[2].split() == ["mlflow:old", "ones/imported", "imported", "2/2", "(1", "failed)",
                                 "0.1000", "0.2000", "0:01:05"]  # fmt: skip
    assert cli("history", "--state", "imported", *store).out.splitlines() == listed
    (found,) = json.loads(cli("history", "--json", *store).out)["searches"]
    assert found["trials"] == {"complete": 1, "failed": 1} and found["state"] == "imported"
    said = cli("delete", "mlflow:old ones/imported", "--yes", *store)
    assert said.code == 0 and "deleted 2 imported runs" in said.out
    assert cli("history", *store).out == f"No search in {uri}.\n"
    assert not load_history(uri).searches
    again = cli("import-runs", runs, "--spec", spec, "--experiment", "old ones", *store)
    assert "imported  2 runs into the experiment old ones of" in again.out


def test_runs_that_nobody_imported_are_neither_deleted_nor_shown(
    cli: Callable[..., Said], spec: Path, runs: Path, uri: str
) -> None:
    store = ("--tracking-uri", uri)
    cli("import-runs", runs, "--spec", spec, "--experiment", "mine", *store)
    client = open_client(uri)
    place = client.get_experiment_by_name("mine").experiment_id
    other = client.create_run(place, run_name="mine by hand").info.run_id
    client.create_experiment("others")
    for name in ("mlflow:others/imported", "mlflow:none/imported"):
        said = cli("delete", name, "--yes", *store)
        assert said.code == 2 and f"no imported runs '{name}'; fix: " in said.err
    said = cli("delete", "mlflow:mine/imported", "--yes", "--with-files", *store)
    assert said.code == 2 and "fix: leave out --with-files" in said.err
    assert cli("delete", "mlflow:mine/imported", "--yes", *store).code == 0
    assert [run.info.run_id for run in client.search_runs([place])] == [other]
    said = cli("show", "mlflow:mine/imported", *store)
    assert said.code == 2 and "are runs of another tool" in said.err and "fix: " in said.err


def test_runs_for_a_deleted_experiment_go_to_the_one_that_is_named(
    cli: Callable[..., Said], spec: Path, runs: Path, uri: str
) -> None:
    arguments = ("import-runs", runs, "--spec", spec, "--tracking-uri", uri)
    cli(*arguments)
    client = open_client(uri)
    client.delete_experiment(client.get_experiment_by_name("hills-wandb").experiment_id)
    said = cli(*arguments)
    assert "2 runs into the experiment hills-wandb (2) of" in said.out
    assert "same_task: [hills-wandb (2)]" in " ".join(said.out.split())
    assert "delete 'mlflow:hills-wandb (2)/imported'" in said.out


def test_the_runs_that_ship_are_imported_as_the_page_shows(
    cli: Callable[..., Said], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES)
    said = cli("import-runs", "runs.csv", "--spec", "sweep_spec.yaml", "--tracking-uri", uri)
    assert said.code == 0
    page = PAGE.read_text(encoding="utf-8")
    assert said.out.rstrip().replace(uri, "sqlite:///results/mlflow.db") in page


def test_imported_runs_are_of_the_same_task_if_the_spec_says_so(
    cli: Callable[..., Said], tmp_path: Path, runs: Path, uri: str
) -> None:
    """As the last line of the command says: their values count then, not only their ranks."""
    path = tmp_path / "hills.yaml"
    path.write_text(yaml.safe_dump(hills("two_hills")))
    said = cli("import-runs", runs, "--spec", path, "--tracking-uri", uri)
    assert "write history: {same_task: [hills-wandb]} into it" in " ".join(said.out.split())
    path.write_text(yaml.safe_dump(hills("two_hills", history={"same_task": ["hills-wandb"]})))
    history = gather(uri, load_spec(path).history, task="the task")
    (trial,) = history.prior_trials("the task")
    assert trial.by_metric == {"left": 0.1, "right": 0.2}


def test_a_table_that_does_not_match_the_spec_is_refused(
    cli: Callable[..., Said], tmp_path: Path, spec: Path, uri: str
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f"{HEAD.replace('right', 'wright')}\n{ROWS[0]}\n")
    said = cli("import-runs", path, "--spec", spec, "--tracking-uri", uri)
    assert said.code == 2
    assert "runs.csv has no column for right; did you mean 'wright'?" in said.err
    assert "rename_metrics: {wright: right}" in said.err
    assert not load_history(uri).searches
    path.write_text(f"{HEAD}\n{ROWS[2]}\n")
    said = cli("import-runs", path, "--spec", spec, "--tracking-uri", uri)
    assert said.code == 2 and "has no run that can be imported" in said.err


def test_a_study_becomes_history_once(
    cli: Callable[..., Said], tmp_path: Path, spec: Path, uri: str
) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(
        study_name="old", storage=storage, directions=["maximize", "maximize"]
    )
    study.optimize(lambda trial: (trial.suggest_float("x", -2, 3), 0.5), n_trials=3)
    said = cli("import-study", storage, "--spec", spec, "--tracking-uri", uri)
    assert said.code == 0 and "3 runs into the experiment old-optuna" in said.out
    study.optimize(lambda trial: (trial.suggest_float("x", -2, 3), 0.5), n_trials=1)
    again = cli("import-study", storage, "--study", "old", "--spec", spec, "--tracking-uri", uri)
    assert "1 run into" in again.out and "3 were there already" in again.out
    trials = load_history(uri).prior_trials()
    assert [trial.value_of("right") for trial in trials] == [0.5] * 4
    assert [trial.configuration for trial in trials] == [each.params for each in study.trials]

"""Tables of runs that W&B exports: what becomes a trial, and what is said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.spec import Spec, spec_from_yaml
from search.tracking.imports.imported import Imported
from search.tracking.imports.wandb_csv import read_wandb_csv

SPEC: dict[str, Any] = {
    "name": "mlp",
    "task": {"train": "python:train:train"},
    "objectives": [{"metric": "val_loss", "direction": "minimize"}],
    "space": {
        "rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
        "width": {"type": "int", "low": 16, "high": 64},
        "kind": {"type": "categorical", "choices": ["adam", "sgd"]},
        "bias": {"type": "bool"},
    },
    "budget": {"trials": 4, "epochs": 2},
}
HEAD = '"Name","State","Created","Runtime","Sweep","bias","kind","rate","width","val/loss"'
ROW = '"calm-1","finished","2026-11-02T09:00:00.000Z","75","s","true","adam","0.01","32","0.25"'


def spec_with(**changes: Any) -> Spec:
    return spec_from_yaml(yaml.safe_dump(SPEC | changes, sort_keys=False))


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "runs.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def read(folder: Path, *rows: str, head: str = HEAD, **changes: Any) -> Imported:
    return read_wandb_csv(table(folder, *rows, head=head), spec_with(**changes))


def test_a_row_is_a_trial_with_types_times_and_values(tmp_path: Path) -> None:
    found = read(tmp_path, ROW)
    (run,) = found.runs
    assert run.trial.configuration == {"rate": 0.01, "width": 32, "kind": "adam", "bias": True}
    assert type(run.trial.configuration["width"]) is int
    assert (run.trial.state, run.trial.by_metric) == ("complete", {"val_loss": 0.25})
    assert run.trial.started == datetime(2026, 11, 2, 9, tzinfo=UTC) and run.trial.seconds == 75
    assert (run.name, run.place, found.problems) == ("calm-1", "runs.csv, row 2", ())


@pytest.mark.parametrize(
    ("stated", "state"), [("failed", "failed"), ("crashed", "failed"), ("killed", "interrupted")]
)
def test_a_run_that_did_not_finish_has_no_values(tmp_path: Path, stated: str, state: str) -> None:
    found = read(tmp_path, ROW.replace("finished", stated).replace('"0.25"', '""'))
    (run,) = found.runs
    assert (run.trial.state, run.trial.values, found.problems) == (state, (), ())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf"])
def test_a_value_that_is_not_finite_is_a_failure(tmp_path: Path, value: str) -> None:
    (run,) = read(tmp_path, ROW.replace("0.25", value)).runs
    assert (run.trial.state, run.trial.values) == ("failed", ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0.25"', '""', "row 3, column val/loss: is empty"),
        ('"0.25"', '"n/a"', "row 3, column val/loss: 'n/a' is no number"),
        ('"0.01"', '"fast"', "row 3, column rate: 'fast' is none of 0.001 to 0.1"),
        ('"32"', '""', "row 3, column width: is empty"),
        ('"adam"', '"lion"', "row 3, column kind: 'lion' is none of 'adam', 'sgd'"),
        ("finished", "running", "row 3, column State: the run is running; import it again"),
        ("finished", "done", "row 3, column State: 'done' is no state"),
        ('"75",', "", "row 3: 9 cells in 10 columns"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_with_its_row_and_column(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    found = read(tmp_path, ROW, ROW.replace(old, new))
    assert len(found.runs) == 1
    (problem,) = found.problems
    assert problem.startswith("runs.csv, ") and said in problem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0.01"', '"0.5"', "column rate: '0.5' is not in 0.001 to 0.1; the run is kept"),
        ('"32"', '"20.5"', "column width: '20.5' is not in 16 to 64; the run is kept"),
        ("2026-11-02T09:00:00.000Z", "yesterday", "column Created: 'yesterday' is no time"),
        ('"75"', '"1h 3m"', "column Runtime: '1h 3m' is no number of seconds"),
    ],
)
def test_a_row_with_an_odd_cell_is_kept_and_named(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    found = read(tmp_path, ROW.replace(old, new))
    assert len(found.runs) == 1 and said in "\n".join(found.problems)


def test_rows_of_one_run_are_counted_and_named(tmp_path: Path) -> None:
    other, better = ROW.replace("calm-1", "bold-2"), ROW.replace("0.25", "0.125")
    found = read(tmp_path, ROW, other, ROW, better)
    assert [run.place for run in found.runs] == ["runs.csv, row 2", "runs.csv, row 3"]
    assert [run.trial.by_metric["val_loss"] for run in found.runs] == [0.25, 0.25]
    (said,) = found.problems
    assert said.startswith(
        "runs.csv: 2 rows repeat the run of an earlier row and are left out: row 4 (as row 2), "
        "row 5 (as row 2, with other cells); fix: "
    )
    (said,) = read(tmp_path, *[ROW] * 12).problems
    assert "11 rows" in said and "row 10 (as row 2) and 3 more; fix: " in said
    (said,) = read(tmp_path, ROW, ROW).problems
    assert "1 row repeats the run of an earlier row and is left out: row 3 (as row 2);" in said


def test_columns_are_found_by_the_renames_of_the_spec(tmp_path: Path) -> None:
    head = HEAD.replace("rate", "lr").replace("val/loss", "loss")
    history = {"rename": {"lr": "rate"}, "rename_metrics": {"loss": "val_loss"}}
    (run,) = read(tmp_path, ROW, head=head, history=history).runs
    assert run.trial.configuration["rate"] == 0.01
    assert run.trial.by_metric == {"val_loss": 0.25}


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ("rates", "rate", "runs.csv has no column for rate; did you mean 'rates'? fix: "
         "write history: {rename: {rates: rate}} into the spec"),
        ("valid_loss", "val/loss", "rename_metrics: {valid_loss: val_loss}"),
    ],
)  # fmt: skip
def test_a_column_that_is_missing_is_refused_with_the_nearest(
    tmp_path: Path, theirs: str, ours: str, said: str
) -> None:
    with pytest.raises(ValueError) as raised:
        read(tmp_path, ROW, head=HEAD.replace(ours, theirs))
    assert said in str(raised.value)


def test_part_of_the_space_is_imported_if_the_user_says_so(tmp_path: Path) -> None:
    path = table(tmp_path, ROW, head=HEAD.replace("rate", "speed"))
    with pytest.raises(ValueError, match="--partial"):
        read_wandb_csv(path, spec_with())
    (run,) = read_wandb_csv(path, spec_with(), is_partial=True).runs
    assert run.trial.configuration == {"width": 32, "kind": "adam", "bias": True}
    other = table(tmp_path, ROW, head=",".join(f'"c{index}"' for index in range(10)))
    with pytest.raises(ValueError, match="has no column for rate"):
        read_wandb_csv(other, spec_with(), is_partial=True)


def test_an_objective_that_only_reports_may_be_missing(tmp_path: Path) -> None:
    report = {"metric": "accuracy", "direction": "maximize", "role": "report"}
    (run,) = read(tmp_path, ROW, objectives=[*SPEC["objectives"], report]).runs
    assert run.trial.by_metric == {"val_loss": 0.25}


def test_an_inactive_hyperparameter_may_be_empty(tmp_path: Path) -> None:
    child = {"type": "float", "low": 0.0, "high": 1.0, "when": {"kind": "sgd"}}
    head = HEAD.replace('"val/loss"', '"momentum","val/loss"')
    rows = [ROW.replace('"0.25"', '"","0.25"'), ROW.replace("adam", "sgd").replace("calm-1", "b")
            .replace('"0.25"', '"0.9","0.25"')]  # fmt: skip
    found = read(tmp_path, *rows, head=head, space=SPEC["space"] | {"momentum": child})
    assert [run.trial.configuration.get("momentum") for run in found.runs] == [None, 0.9]


def test_identities_survive_another_export(tmp_path: Path) -> None:
    """W&B names exports by time, sorts them anew and shows other columns."""
    second = ROW.replace("calm-1", "bold-2")
    first = [run.identity for run in read(tmp_path, ROW, second).runs]
    head = '"Notes",' + HEAD
    again = [run.identity for run in read(tmp_path, f'"x",{second}', f'"",{ROW}', head=head).runs]
    assert len(set(first)) == 2 and again == first[::-1]
    ids = read(tmp_path, f'"a1b2",{ROW}', head=f'"ID",{HEAD}').runs
    assert [run.identity for run in ids] == ["a1b2"]


def test_a_table_without_states_has_finished_runs(tmp_path: Path) -> None:
    head = HEAD.replace('"State",', "")
    (run,) = read(tmp_path, ROW.replace('"finished",', ""), head=head).runs
    assert run.trial.state == "complete"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no table of runs"),
        (b"just text\n", "no table of runs"),
        (b"a,a\n1,2\n", "with one name: \\['a'\\]"),
        (b"a,b\n\xff\xfe,1\n", "not a CSV file in UTF-8"),
        (b'a,b\n"1,2\n', "not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_wandb_csv(path, spec_with())


def test_a_finished_run_without_a_finite_value_diverged(tmp_path: Path) -> None:
    (run,) = read(tmp_path, ROW.replace('"0.25"', '"NaN"')).runs
    assert (run.trial.state, run.trial.cause) == ("failed", "diverged")


@pytest.mark.parametrize(
    ("was", "now", "problem"),
    [
        ('"75"', '"1e300"', "is no number of seconds"),
        ('"75"', '"nan"', "is no number of seconds"),
        ("2026-11-02T09:00:00.000Z", "0001-01-01T00:00:00+14:00", "is no time"),
        ("2026-11-02T09:00:00.000Z", "9999-12-31T23:59:59-12:00", "is no time"),
    ],
)
def test_times_that_no_store_holds_are_left_out(
    tmp_path: Path, was: str, now: str, problem: str
) -> None:
    found = read(tmp_path, ROW.replace(was, now))
    assert len(found.runs) == 1
    (said,) = found.problems
    assert problem in said and "kept without it" in said


def test_an_id_as_long_as_a_text_is_kept_by_its_digest(tmp_path: Path) -> None:
    row, head = f'"{"i" * 9000}",{ROW}', f'"ID",{HEAD}'
    first, again = (read(tmp_path, row, head=head).runs[0].identity for _ in range(2))
    assert first == again and len(first) < 100

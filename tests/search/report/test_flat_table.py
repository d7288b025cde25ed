"""The flat table has typed columns and a row for each trial."""

from __future__ import annotations

import json

import pyarrow as pa

from search.report.flat_table import LEDGER, flat_table
from tests.support.synthetic_history import CLEAN, ROBUST, history, points, row, search


def test_columns_are_typed_by_their_values() -> None:
    rows = [
        row(1, [], state="stopped", epoch=2, configuration={"i": 2, "f": 1, "s": "a", "m": "x"}),
        row(0, [0.9, 0.5], configuration={"i": 1, "f": 0.5, "b": True, "m": 1},
            curves=[*points("test." + CLEAN, {5: 0.8}), *points("test.examples", {5: 10})],
            origin={"step": "portfolio", "source_runs": ["r"], "source_tasks": {"t": 1.0}}),
    ]  # fmt: skip
    table = flat_table(history(rows, [search()]), "cold")
    kinds = {f"config.{name}": kind for name, kind in
             {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_(),
              "m": pa.string()}.items()}  # fmt: skip
    assert {name: table.schema.field(name).type for name in kinds} == kinds
    first, second = table.to_pylist()
    assert (first["number"], first["is_on_front"], first["config.s"]) == (0, True, None)
    assert (first[f"objective.{ROBUST}"], second[f"objective.{ROBUST}"]) == (0.5, None)
    assert (first[f"test.{CLEAN}"], second[f"test.{CLEAN}"]) == (0.8, None)
    assert first["origin.step"] == "portfolio" and second["origin.step"] == "unknown"
    assert first["origin.source_runs"] == '["r"]' and first["origin.source_tasks"] == '{"t": 1.0}'
    assert second["epoch"] == 2 and second["state"] == "stopped"


def test_the_ledger_columns_hold_the_origin_and_the_guards_decision() -> None:
    guard = {"history": "agreeing", "log_evidence": 3.7, "trials": 1, "dropped": {"u": "why"},
             "agreement": {"t": 0.5}}  # fmt: skip
    model_with = {"step": "history-model", "sampler": "transfer", "source_tasks": {"t": -1.0},
               "source_runs": ["r"], "prior_trials": 0, "guard": guard}  # fmt: skip
    rows = [
        row(0, [0.9, 0.5], origin={"step": "control"}),
        row(1, [0.9, 0.5], origin=model_with),
        row(2, [0.9, 0.5], origin={"step": 3, "source_tasks": [1], "guard": "all"}),
    ]
    table = flat_table(history(rows, [search()]), "cold")
    assert {name: table.schema.field(name).type for name in LEDGER} == LEDGER
    control, proposed, broken = table.to_pylist()
    assert (control["origin.arm"], proposed["origin.arm"]) == ("control", "main")
    assert control["guard.history"] is None and control["guard.dropped"] is None
    assert proposed["guard.history"] == "agreeing" and proposed["guard.log_evidence"] == 3.7
    assert json.loads(proposed["guard.dropped"]) == {"u": "why"}
    assert json.loads(proposed["origin.source_tasks"]) == {"t": -1.0}
    assert broken["origin.step"] == "unknown" and broken["origin.source_tasks"] == "{}"


def test_work_and_device_are_null_where_unknown() -> None:
    rows = [row(0, [0.9, 0.5], work=3e12, device="GPU"), row(1, [0.9, 0.5])]
    known, unknown = flat_table(history(rows, [search()]), "cold").to_pylist()
    assert (known["work"], known["device"]) == (3e12, "GPU")
    assert (unknown["work"], unknown["device"]) == (None, None)


def test_an_empty_search_gives_an_empty_table() -> None:
    table = flat_table(history([], [search()]), "cold")
    assert table.num_rows == 0 and f"objective.{CLEAN}" in table.column_names


def test_an_integer_beyond_64_bits_becomes_a_number() -> None:
    known = history([row(0, [0.9, 0.5], configuration={"i": 2**70})], [search()])
    assert flat_table(known, "cold").to_pylist()[0]["config.i"] == float(2**70)

"""Cells that are kept: found by their whole key alone, and not harmed by a kill."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import StoredResults, in_parallel


def test_results_of_other_code_are_not_found(tmp_path: Path) -> None:
    StoredResults(tmp_path, "x").put({"seed": 1, "depends_on": "old"}, {"rows": [1]})
    store = StoredResults(tmp_path, "x")
    assert store.get({"depends_on": "old", "seed": 1}) == {"rows": [1]}
    assert store.get({"seed": 1, "depends_on": "new"}) is None


def test_a_line_cut_by_a_kill_is_run_again_and_harms_no_other(tmp_path: Path) -> None:
    store = StoredResults(tmp_path, "x")
    store.put({"seed": 1}, {"rows": [1]})
    (tmp_path / "x-0.jsonl").write_text('{"key": {"seed": 2}, "resu')
    store = StoredResults(tmp_path, "x")
    assert store.get({"seed": 1}) == {"rows": [1]}
    assert store.get({"seed": 2}) is None


def test_jobs_in_parallel_come_back_with_their_results() -> None:
    assert dict(in_parallel(divmod, [(7, 2), (9, 4)], 1)) == {(7, 2): (3, 1), (9, 4): (2, 1)}

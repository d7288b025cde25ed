"""What every result states."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import provenance


def test_a_result_states_command_seeds_commit_machine_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "REFERENCE", tmp_path)
    path = provenance.write("x", ["# X"], {"rows": [1, 2]}, command="run x", seeds="0 and 1")
    text, record = path.read_text(), provenance.stored("x")
    assert record["rows"] == [1, 2] and record["command"] == "run x"
    facts = provenance.environment()
    for stated in ("`run x`", "seeds: 0 and 1", facts["commit"], facts["machine"], facts["torch"]):
        assert stated in text
    assert record["environment"].keys() == facts.keys() and record["seeds"] == "0 and 1"


def test_a_result_that_is_shown_again_keeps_the_facts_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "REFERENCE", tmp_path)
    old = {"commit": "abc1234", "date": "2026-01-01", "machine": "1 core", "python": "3.11"}
    text = provenance.write("x", [], {}, command="run", seeds="0", facts=old).read_text()
    assert "abc1234" in text and "versions: python 3.11" in text

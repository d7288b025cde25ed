"""What the report of the adaptation methods says of made-up records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.adaptation import report
from benchmarks.adaptation.report import Found, against_untuned, table
from benchmarks.harness import provenance


def _cell(rate: float, metric: float) -> dict[str, Any]:
    epoch = {
        "accuracy.clean": metric, "accuracy.characters_0.15": 0.5, "seconds.train": 10.0,
        "seconds.evaluation": 4.0, "parameters.trainable": 1234.0, "memory.peak_mb": 900.0,
    }  # fmt: skip
    return {
        "task": "trec6", "method": "lora", "learning_rate": rate, "curve": [epoch, epoch],
        "seconds_setup": 0.25, "cpu_seconds": 56.5, "memory_before_mb": 600.0,
    }  # fmt: skip


_TEST = {
    "task": "trec6", "method": "lora", "learning_rate": 0.004,
    "metrics": {"test.accuracy.clean": 0.75, "test.accuracy.characters_0.15": 0.25},
}  # fmt: skip
_FOUND = Found([_cell(0.001, 0.8), _cell(0.004, 0.9)], [_TEST], None, None)


def _final(arm: str, correct: list[int]) -> dict[str, Any]:
    clean = sum(correct) / len(correct)
    return {
        "configuration": {"adaptation": arm}, "curve": [{"accuracy.clean": 0.5}],
        "correct": correct, "cpu_seconds": 60.0,
        "test": {"test.accuracy.clean": clean, "test.accuracy.characters_0.15": 0.1},
    }  # fmt: skip


def _tuned(tuned: list[int], untuned: list[int]) -> dict[str, Any]:
    trial = {"configuration": {"adaptation": "lora"}, "cpu_seconds": 60.0,
             "curve": [{"accuracy.clean": 0.5}]}  # fmt: skip
    return {"trials": [trial], "tuned": [_final("lora", tuned)],
            "untuned": [_final("full", untuned)]}  # fmt: skip


def test_a_row_tells_of_the_tested_rate_and_names_the_other_beside_it() -> None:
    row = next(line for line in table(_FOUND, "trec6") if line.startswith("| lora"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "lora", "1,234", "0.004", "0.900 (0.001: 0.800)", "**0.750**", "0.25 (0.50)",
        "0.5 / 40 / 16", "28", "900 (300)",
    ]  # fmt: skip


def test_a_method_without_a_test_has_no_row() -> None:
    untested = Found(_FOUND.cells, [], None, None)
    assert not [line for line in table(untested, "trec6") if line.startswith("| lora")]


@pytest.mark.parametrize(
    ("tuned", "untuned", "verdict"),
    [([1] * 4, [0] * 4, "holds"), ([0] * 4, [1] * 4, "is refuted"), ([1, 0], [0, 1], "not shown")],
)
def test_the_verdict_is_said_whichever_way_it_turns_out(
    tuned: list[int], untuned: list[int], verdict: str
) -> None:
    text = "\n".join(against_untuned(_tuned(tuned, untuned)))
    claim = next(line for line in text.splitlines() if line.startswith("**Claim"))
    assert f"{verdict}.**" in claim


@pytest.mark.slow
def test_what_other_code_measured_is_shown_anew_from_the_json_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "REFERENCE", tmp_path)
    facts = provenance.environment() | {"commit": "abc1234"}
    whole = Found(_FOUND.cells, _FOUND.tests, _tuned([1, 0], [0, 1]), facts)
    report.report(whole)
    first = (tmp_path / "adaptation.md").read_text()
    report.report(Found([], [], None, None))
    assert (tmp_path / "adaptation.md").read_text() == first
    assert "abc1234" in first and (tmp_path / "adaptation.png").is_file()
    assert json.loads((tmp_path / "adaptation.json").read_text())["tests"] == [_TEST]


def test_a_report_of_nothing_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "REFERENCE", tmp_path)
    with pytest.raises(SystemExit, match=r"adaptation run"):
        report.report(Found([], [], None, None))

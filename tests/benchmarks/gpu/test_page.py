"""The page names every part, with what it found or why it was not run."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu.__main__ import check_torch, problems
from benchmarks.gpu.page import page
from benchmarks.gpu.schedule import PARTS

FACTS = {"device": "a GPU", "commit": "abc"}
RAN: dict[str, Any] = {
    "status": "ran", "reason": "", "seconds": 12.3, "claims": [["it is exact", False]],
    "tables": [{"title": "Times", "header": ["n", "s"], "rows": [[1, "2.0"]], "note": "In turn."}],
    "left_out": [["64 members", "time"]],
}  # fmt: skip


def test_without_any_result_every_part_says_that_there_was_no_gpu() -> None:
    text = page("A page", {}, FACTS, "make gpu")
    assert text.count("not run") == len(PARTS) == text.count("no GPU was available")
    assert all(part.shows in text for part in PARTS) and "- commit: abc" in text


def test_a_part_that_ran_shows_its_tables_checks_and_what_it_left_out() -> None:
    failed = {"status": "failed", "reason": "ValueError: odd", "seconds": 1.0}
    text = page("A page", {"packing": RAN, "encoder": failed}, FACTS, "make gpu")
    assert "| 1 | 2.0 |" in text and "In turn." in text and "- 64 members: time" in text
    assert "- it is exact: **does not hold**" in text
    assert "| **failed** |" in text and "Failed: ValueError: odd" in text


def test_failures_and_checks_that_do_not_hold_are_problems() -> None:
    failed = {"status": "failed", "reason": "ValueError: odd"}
    skipped = {"status": "not run", "reason": "time"}
    found = problems({"packing": RAN, "encoder": failed, "attacks": skipped})
    assert found == ["encoder failed: ValueError: odd", "packing: does not hold: it is exact"]


def test_an_old_pytorch_is_refused() -> None:
    check_torch("2.11.0+cu130")
    try:
        check_torch("2.9.1")
    except SystemExit as refusal:
        assert "fix: take 2.11 or newer" in str(refusal)
    else:
        raise AssertionError("2.9.1 was taken")

"""The schedule: one part's failure, hang or lack of time costs no other part its result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.gpu import schedule
from benchmarks.gpu.part import Findings, NotRun, Setting, Table, in_turn, spread
from benchmarks.gpu.schedule import PARTS, Part, read_records, record_of, run_parts, write_record

FOUND = Findings([Table("Times", ["work", "seconds"], [["a", 1.5]])], [("b", "time")])


def setting(seconds: float = 60.0) -> Setting:
    return Setting("cpu", is_full=False, ends=time.monotonic() + seconds)


def record(monkeypatch: pytest.MonkeyPatch, run: Callable[[Setting], Findings]) -> dict[str, Any]:
    module = ModuleType("benchmarks.gpu.made_up")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.gpu.made_up", module)
    return record_of("made_up", setting())


def failing(error: BaseException) -> Callable[[Setting], Findings]:
    def run(_: Setting) -> Findings:
        raise error

    return run


def test_a_part_that_ran_has_what_it_found_and_what_it_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = record(monkeypatch, lambda _: FOUND)
    write_record(tmp_path, "packing", found)
    (read,) = read_records(tmp_path).values()
    assert read["status"] == "ran" and read["tables"][0]["rows"] == [["a", 1.5]]
    assert read["left_out"] == [["b", "time"]] and not list(tmp_path.glob("*.new"))


def test_a_part_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    found = record(monkeypatch, failing(NotRun("needs a CUDA device")))
    assert (found["status"], found["reason"]) == ("not run", "needs a CUDA device")


def test_a_failure_is_a_result_and_an_unusable_gpu_needs_a_new_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = record(monkeypatch, failing(ValueError("a bad value\nand more")))
    assert (ours["status"], ours["reason"]) == ("failed", "ValueError: a bad value")
    assert not ours["is_unusable"]
    memory = record(monkeypatch, failing(RuntimeError("CUDA out of memory. Tried to allocate")))
    assert not memory["is_unusable"]
    lost = record(monkeypatch, failing(RuntimeError("CUDA error: an illegal memory access")))
    assert lost["is_unusable"]


class FakeWorker:
    """Answers without a process; a part's module says what becomes of it and how long it takes."""

    begun = 0

    def __init__(self, device: str, is_full: bool) -> None:
        FakeWorker.begun += 1

    def run(self, module: str, seconds: float) -> dict[str, Any]:
        status, _, took = module.partition(":")
        schedule.time.sleep(float(took or 0))
        return {"status": status, "reason": "", "seconds": seconds,
                "is_unusable": status == "failed"}  # fmt: skip

    def end(self) -> None:
        pass


def run_made_up(
    monkeypatch: pytest.MonkeyPatch, parts: tuple[Part, ...], minutes: float
) -> dict[str, Mapping[str, Any]]:
    now = [0.0]
    clock = ModuleType("clock")
    clock.monotonic = lambda: now[0]  # type: ignore[attr-defined]
    clock.sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)  # type: ignore[attr-defined]
    monkeypatch.setattr(schedule, "time", clock)
    monkeypatch.setattr(schedule, "_Worker", FakeWorker)
    FakeWorker.begun = 0
    kept: dict[str, Mapping[str, Any]] = {}
    run_parts(parts, "cpu", is_full=False, minutes=minutes,
              keep=lambda part, found: kept.update({part.name: dict(found)}))  # fmt: skip
    return kept


def test_what_would_pass_the_deadline_is_left_out_for_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tuple(Part(name, name, module, 20) for name, module in
                  (("a", "ran:20"), ("b", "ran:38"), ("c", "ran:1")))  # fmt: skip
    kept = run_made_up(monkeypatch, parts, minutes=1.0)
    assert [kept[name]["status"] for name in "abc"] == ["ran", "ran", "not run"]
    assert kept["c"]["reason"] == "time" and kept["a"]["seconds"] == 20
    assert kept["b"]["seconds"] == 20, "a part has its own seconds, not all that are left"


def test_a_part_that_lost_its_process_leaves_the_next_one_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = tuple(Part(name, name, module, 20) for name, module in
                  (("a", "ran"), ("b", "failed"), ("c", "ran")))  # fmt: skip
    kept = run_made_up(monkeypatch, parts, minutes=1.0)
    assert [kept[name]["status"] for name in "abc"] == ["ran", "failed", "ran"]
    assert FakeWorker.begun == 2


def test_all_parts_fit_into_eight_minutes() -> None:
    assert sum(part.seconds for part in PARTS) <= 8 * 60 - 20, "20 s are for starting"
    assert len({part.name for part in PARTS}) == len(PARTS)


@pytest.mark.slow
def test_a_process_that_dies_is_a_failed_part(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Mapping[str, Any]] = {}
    dying = Part("a", "a", "no_such_part", 20)
    run_parts((dying,), "cpu", is_full=False, minutes=1.0,
              keep=lambda part, found: kept.update({part.name: dict(found)}))  # fmt: skip
    assert kept["a"]["status"] == "failed" and "no_such_part" in kept["a"]["reason"]


def test_works_are_called_in_turn_and_stop_when_time_is_up() -> None:
    called: list[str] = []
    works = {"a": lambda: called.append("a"), "b": lambda: called.append("b")}
    seconds = in_turn(setting(), works, repeats=2)
    assert called == ["a", "b", "a", "b", "a", "b"], "once unmeasured, then two rounds"
    assert {name: len(each) for name, each in seconds.items()} == {"a": 2, "b": 2}
    assert len(in_turn(setting(-1.0), works, repeats=5)["a"]) == 1


def test_a_spread_is_a_median_with_its_range() -> None:
    assert spread([1.0, 3.0, 2.0]) == "2.00 (1.00 to 3.00)" and spread([1.5], 1) == "1.5"

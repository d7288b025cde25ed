from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.cluster import jobs
from search.cluster.check import Check, failed, passed, warned
from search.cluster.cluster_file import ClusterFile
from search.cluster.jobs import Service
from search.cluster.remote import LAST_LINE, as_line, read_line, run_doctor_on_head

LAB = ClusterFile(Path("/lab.yaml"), "lab", True, 1, ("10.0.0.1",))
CHECKS = [passed("clocks", "well"), warned("disk", "little", "more"), failed("token", "none", "x")]


class Head:
    """Takes one job, whose log grows by a piece each time that its status is read."""

    def __init__(self, pieces: list[str], status: str) -> None:
        self.pieces, self.last, self.text = pieces, status, ""
        self.submitted: list[str] = []
        self.stopped: list[str] = []

    def submit(self, name: str, entrypoint: str, project: Path) -> None:
        self.name = name
        self.submitted.append(entrypoint)

    def jobs(self) -> dict[str, int]:
        return {self.name: 0}

    def status(self, name: str) -> str:
        if self.pieces == ["Ctrl-C"]:
            raise KeyboardInterrupt
        self.text += self.pieces.pop(0)
        return "RUNNING" if self.pieces else self.last

    def log(self, name: str) -> str:
        return self.text

    def stop(self, name: str) -> None:
        self.stopped.append(name)


def seen(head: Head, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)

    @contextlib.contextmanager
    def connect() -> Iterator[Service]:
        yield head  # type: ignore[misc]

    taken: list[Check] = []
    run_doctor_on_head(connect, LAB, Path("/project"), ["spec.yaml", "--set", "a=b"], taken.append)
    return taken


def test_every_check_comes_back_unchanged_though_ray_writes_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = "2026 INFO worker.py\n" + "".join(f"{as_line(each)}\n" for each in CHECKS)
    log += f"{LAST_LINE}\n"
    head = Head([log[:50], log[50:51], log[51:]], "FAILED")  # cut in the middle of lines
    assert seen(head, monkeypatch) == CHECKS
    (command,) = head.submitted
    assert command == "python -m search doctor spec.yaml --set a=b --address auto --lines"


def test_a_job_that_breaks_off_is_a_failed_check_with_the_end_of_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = Head([f"{as_line(CHECKS[0])}\n", "Traceback\nImportError: no module torch\n"], "FAILED")
    first, broken = seen(head, monkeypatch)
    assert first == CHECKS[0]
    assert broken.status == "fail" and "ImportError: no module torch" in broken.found


def test_ctrl_c_stops_the_job_on_the_head_too(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Head(["Ctrl-C"], "STOPPED")
    with pytest.raises(KeyboardInterrupt):
        seen(head, monkeypatch)
    assert head.stopped == [head.name]


@pytest.mark.parametrize(
    "line",
    ["", "text", "3", "null", '{"check": ["a", "well", "b", ""]}',
     '{"check": ["a", "fail", "b", ""]}', '{"check": ["a", "pass", "b", "fix"]}',
     '{"check": "a"}', '{"checks": "many"}'],
)  # fmt: skip
def test_what_is_not_a_check_is_not_read_as_one(line: str) -> None:
    assert read_line(line) is None


def test_attach_does_not_take_a_doctors_job_for_a_search() -> None:
    with pytest.raises(LookupError):
        jobs.newest({"doctor-1234": 3})

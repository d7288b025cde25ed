"""What a launch says at its end, without one."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from search.cli import follow
from search.optimize.process import DriverAnswer
from tests.support.plans import a_plan


def test_a_report_that_cannot_be_written_is_told_apart_from_a_search_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> tuple[Path, str]:
        raise OSError(errno.ENOSPC, "No space left on device", "report.md")

    monkeypatch.setattr(follow, "Launch", lambda plan: None)
    monkeypatch.setattr(
        follow, "_watch", lambda *given: (DriverAnswer("done", state="complete"), False)
    )
    monkeypatch.setattr(follow, "publish_report", full)
    ended = follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.code == 1
    for part in ("every trial is kept", "No space left", "report.md", "twentieth report hills-1"):
        assert part in ended.message

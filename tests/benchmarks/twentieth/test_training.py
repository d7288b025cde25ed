"""The specs of the real searches."""

from __future__ import annotations

from pathlib import Path

from benchmarks.twentieth.training import spec_of


def test_the_spec_of_a_data_set_is_that_of_the_related_task(tmp_path: Path) -> None:
    spec = spec_of("digits", tmp_path)
    assert spec.task.data["name"] == "digits"
    assert spec.scheduler.name == "none"

"""A stored result is found by what was trained, not by the name it was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.training_methods import run, settings


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Runs `settings` without training; returns the cells that were not known."""
    asked: list[dict[str, Any]] = []

    def work(_: Any, jobs: list[tuple[dict[str, Any]]], processes: int) -> Any:
        asked.extend(cell for (cell,) in jobs)
        return [(job, {"clean": 0.9, "robust": 0.8}) for job in jobs]

    monkeypatch.setattr(settings, "in_parallel", work)
    settings.run(folder, 1, 0.1)
    return asked


def test_a_setting_with_another_value_runs_again_and_one_with_another_name_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"first": {}, "decay": {"adversarial_weight_decay": 5e-4}}
    monkeypatch.setattr(settings, "SETTINGS", known)
    assert len(trained(tmp_path, monkeypatch)) == 2 * len(run.SEEDS)
    assert trained(tmp_path, monkeypatch) == []
    monkeypatch.setattr(settings, "SETTINGS", {"first": {}, "renamed": known["decay"]})
    assert trained(tmp_path, monkeypatch) == []
    changed = {"first": {}, "decay": {"adversarial_weight_decay": 0.5}}
    monkeypatch.setattr(settings, "SETTINGS", changed)
    again = trained(tmp_path, monkeypatch)
    assert [each["values"]["adversarial_weight_decay"] for each in again] == [0.5] * len(run.SEEDS)


def test_a_method_with_another_value_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = {"method": "pgd", "epsilon": 0.1, "epochs": 15, "seed": 0}
    before = run.key(cell)
    monkeypatch.setattr(run, "STEPS", run.STEPS + 1)
    assert run.key(cell) != before

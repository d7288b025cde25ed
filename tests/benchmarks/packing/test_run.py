"""The searches of the packing benchmark: specs that can run, and shares that fill one GPU."""

from __future__ import annotations

import pytest
import yaml

from benchmarks.packing.run import TRIALS, spec_of
from search.optimize.resources import fitting
from search.spec import spec_from_yaml


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 8])
def test_so_many_trials_fill_one_gpu_and_its_cores_and_no_more(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    spec = spec_from_yaml(yaml.safe_dump(spec_of("gpu", at_once, seed=0)))
    assert fitting({"CPU": 16.0, "GPU": 1.0}, spec.resources) == at_once
    assert spec.budget.trials == TRIALS and spec.scheduler.name == "none"


def test_the_same_trials_run_whatever_their_share() -> None:
    first, second = spec_of("gpu", 1, seed=3), spec_of("cpu", 2, seed=3)
    assert first | {"resources": None} == second | {"resources": None}

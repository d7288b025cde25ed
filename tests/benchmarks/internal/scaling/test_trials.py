"""The trials of the scaling benchmark say the truth."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.internal.scaling.trials import JITTER, sleeping


def test_a_trial_sleeps_as_the_file_says_and_tells_when_it_reported(tmp_path: Path) -> None:
    pace = tmp_path / "pace"
    pace.write_text("0.02")
    configuration = {"pace_file": str(pace), "x": 0.3, "y": 0.3}
    began = time.time()
    for metrics in sleeping(configuration, epochs=3, seed=0):
        assert 0.02 * (1 - JITTER) <= metrics["slept"] <= 0.02 * (1 + JITTER)
        assert metrics["reported"] >= began + metrics["slept"] - 1e-3
        began = metrics["reported"]
    assert (metrics["score"], metrics["cost"]) == (1.0, 0.0)

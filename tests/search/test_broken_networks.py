"""Real searches over networks that break under attack: a number, a warning, and never a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.tracking.artifacts import read_robustness
from search.tracking.store import open_client
from tests.support.launches import PATIENCE_SECONDS, ROOT, Place, finished

# Four real searches; every attack meets these networks in tests/contracts, too.
pytestmark = [pytest.mark.slow, pytest.mark.long]

METRICS = ("accuracy.clean", "accuracy.pgd3_l2_0.5")
WARNINGS = {
    "nan_gradient": "## gradients are not finite",
    "nan_logits": "## outputs are not finite",
    "detached": "## not differentiable",
    "one_class": "## one class is answered",
}


def spec(network: str, training: str = "none") -> dict[str, Any]:
    """L2, in which a gradient of NaN turned whole images to NaN."""
    return {
        "name": "broken",
        "task": {
            "data": "digits", "network": f"python:tests.support.broken_networks:{network}",
            "settings": {"adversarial_training": training},
        },
        "objectives": [
            {"metric": "accuracy.clean", "direction": "maximize"},
            {"metric": "accuracy.robust", "direction": "maximize"},
        ],
        "space": {"batch_size": {"type": "categorical", "choices": [64, 128]}},
        "budget": {"trials": 1, "epochs": 1},
        "resources": {"parallelism": 1, "cpus": 1},
        "scheduler": {"name": "none"},
        "robustness": {"norm": "l2", "epsilon": 0.5, "steps": 3, "cheap_steps": 1, "examples": 40,
                       "cheap_examples": 16, "confirm_examples": 16, "final_examples": 16,
                       "doubtful": "keep"},
    }  # fmt: skip


def attack(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search", "attack", *arguments, "--tracking-uri", place.uri]
    return subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    )


@pytest.mark.parametrize("network", WARNINGS)
def test_a_broken_network_gets_a_number_and_the_warning_that_names_its_fault(
    tmp_path: Path, network: str
) -> None:
    place = Place(tmp_path)
    finished(place.run(spec(network), "--cold"))
    (run,) = place.raw_runs(place.search())
    metrics = run.data.metrics
    for name in (*METRICS, *(f"test.{each}" for each in METRICS)):
        assert 0 <= metrics[name] <= 1, name
    assert metrics[METRICS[1]] <= metrics[METRICS[0]] + 0.2  # of 40 images and of 149
    warnings = read_robustness(open_client(place.uri), run.info.run_id)["warnings.md"]
    assert WARNINGS[network] in warnings
    reference = f"{run.data.tags['twentieth.search']}#0"
    allowed = ("--allow-code", f"tests.support.broken_networks:{network}")
    said = attack(place, reference, "--verify", *allowed)
    assert said.returncode == 0, said.stderr
    assert "outside the ball" not in said.stdout


def test_a_search_of_masked_networks_alone_has_no_best_and_says_why(tmp_path: Path) -> None:
    place, made = Place(tmp_path), spec("detached")
    del made["robustness"]["doubtful"]
    output, _ = place.run(made, "--cold").communicate(timeout=400)
    assert "the robust accuracy is in doubt" in output
    assert "not counted, as gradients may be masked: 1 trial (000); no other is complete" in output
    (run,) = place.raw_runs(place.search())
    assert run.info.status == "FAILED" and run.data.tags["twentieth.robust_value"] == "doubtful"
    assert 0 <= run.data.metrics[METRICS[1]] <= 1 and f"test.{METRICS[1]}" not in run.data.metrics


def test_adversarial_training_on_gradients_of_nan_has_failed_and_says_why(tmp_path: Path) -> None:
    place = Place(tmp_path)
    output, _ = place.run(spec("nan_gradient", "pgd"), "--cold").communicate(timeout=400)
    (run,) = place.raw_runs(place.search())
    assert run.info.status == "FAILED"
    assert "adversarial training has failed: the gradient of the loss by the pixels" in output

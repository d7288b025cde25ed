"""A real search on digits: confirmed, evaluated, reported and attacked again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.adversarial.pixels.autoattack import is_installed
from models.explanations.integrated_gradients import is_installed as explains
from search.tracking.artifacts import (
    fetch_adversarial_examples,
    fetched_explanations,
    read_robustness,
)
from search.tracking.store import open_client
from tests.support.launches import PATIENCE_SECONDS, ROOT, Place, finished

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="needs the extra 'autoattack'"),
]

PGD, AUTOATTACK = "accuracy.pgd10_linf_0.1", "accuracy.autoattack_linf_0.1"
WORST, APGD = "accuracy.worst_linf_0.1", "accuracy.apgdt_linf_0.1"
IMAGES = 20
SPEC: dict[str, Any] = {
    "name": "robust",
    "task": {"data": "digits", "model": "cnn", "settings": {"optimizer": "adamw"}},
    "objectives": [
        {"metric": "accuracy.clean", "direction": "maximize"},
        {"metric": "accuracy.robust", "direction": "maximize"},
    ],
    "space": {
        "width": {"type": "categorical", "choices": [8, 16]},
        "adversarial_training": {"type": "categorical", "choices": ["none", "fgsm"]},
    },
    "budget": {"trials": 3, "epochs": 2},
    "resources": {"parallelism": 2, "cpus": 1},
    "scheduler": {"name": "none"},
    "robustness": {"epsilon": 0.1, "final_examples": IMAGES},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("robust"))


@pytest.fixture(scope="module")
def search(place: Place) -> str:
    finished(place.run(SPEC, "--cold"))
    return place.search()


@pytest.fixture(scope="module")
def evaluated(place: Place, search: str) -> list[Any]:
    """Runs of the best trials, with all their metrics."""
    return [run for run in place.raw_runs(search) if f"test.{WORST}" in run.data.metrics]


def attack(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    return told(place, "attack", *arguments)


def told(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search", *arguments, "--tracking-uri", place.uri]
    return subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_both_objectives_are_measured_once_and_the_selection_part_every_epoch(
    place: Place, search: str
) -> None:
    for trial in place.trials(search):
        assert list(trial.curves["selection.accuracy.clean"]) == [1, 2]
        for metric in ("accuracy.clean", PGD, "accuracy.corrupted", "epoch.selected"):
            assert list(trial.curves[metric]) == [2], metric


def test_front_candidates_were_confirmed_by_targeted_apgd(place: Place, search: str) -> None:
    confirmed = [trial for trial in place.trials(search) if APGD in trial.curves]
    assert confirmed, "the first trial to end is always a candidate"
    for trial in confirmed:
        assert {"robustness.gap", "robustness.replaced"} <= trial.curves.keys()


def test_the_attack_memory_of_each_trial_is_stored_with_the_search(
    place: Place, search: str
) -> None:
    memory = place.folder / "storage" / search / "attack_memory"
    assert {file.name for file in memory.iterdir()} == {
        f"trial_000{number}.{kind}" for number in range(3) for kind in ("json", "safetensors")
    }


@pytest.mark.skipif(not explains(), reason="needs the extra 'explain'")
def test_the_report_explains_the_first_of_the_best_and_the_command_any_trial(
    place: Place, search: str
) -> None:
    report = (place.folder / search / "report.md").read_text()
    assert "## Explanations" in report
    (number,) = set(re.findall(r"\(trial_(\d+)_explanation_right\.png\)", report))
    other = next(each for each in range(3) if each != int(number))
    said = told(place, "explain", f"{search}#{other}", "--examples", "1", "--baseline", "grey",
                "--results", str(place.folder))  # fmt: skip
    assert said.returncode == 0, said.stderr
    folder = place.folder / search / "explanations" / f"trial_00{other}"
    assert "from a grey image" in (folder / "explanation_summary.md").read_text()
    assert (folder / "explanation_right.png").read_bytes()[:4] == b"\x89PNG"
    run = next(each for each in place.raw_runs(search)
               if each.data.tags["twentieth.number"] == str(other))  # fmt: skip
    with fetched_explanations(open_client(place.uri), [run.info.run_id]) as found:
        names = [file.name for file in found[run.info.run_id]]
        assert names == sorted(file.name for file in folder.glob("*.png"))
    texts = read_robustness(open_client(place.uri), run.info.run_id)
    assert "explanation_summary.md" in texts and not any(name.endswith(".png") for name in texts)


def test_the_best_are_evaluated_on_examples_that_chose_nothing(evaluated: list[Any]) -> None:
    assert evaluated
    for run in evaluated:
        metrics = run.data.metrics
        # Of 297 validation images a quarter, rounded by the largest remainder.
        assert metrics["confirmation.examples"] == 74
        assert metrics["test.examples"] == 500 and metrics["test.attacked_examples"] == IMAGES
        assert metrics[f"test.{WORST}"] <= min(
            metrics[f"test.{PGD}"], metrics[f"test.{AUTOATTACK}"]
        )
        assert {"confirmation.accuracy.clean", f"confirmation.{PGD}"} <= metrics.keys()


def test_the_evaluation_is_stored_and_its_adversarial_examples_verify_it(
    place: Place, search: str, evaluated: list[Any], tmp_path: Path
) -> None:
    client = open_client(place.uri)
    for run in evaluated:
        document = json.loads(read_robustness(client, run.info.run_id)["robustness.json"])
        assert document["autoattack"] == ["apgd-ce", "apgd-t", "fab-t", "square"]
        assert [
            each.name for each in fetch_adversarial_examples(client, run.info.run_id, tmp_path)
        ] == ["adversarial_examples_test.safetensors"]
        number = run.data.tags["twentieth.number"]
        said = attack(place, f"{search}#{number}", "--verify")
        assert said.returncode == 0, said.stderr
        assert f"{run.data.metrics[f'test.{WORST}']:.4f}" in said.stdout
        assert "other weights" not in said.stdout


def test_the_report_shows_it(place: Place, search: str, evaluated: list[Any]) -> None:
    report = (place.folder / search / "report.md").read_text()
    for part in ("## Robustness", "AutoAttack", "Objective part and", "Cheap and confirmed"):
        assert part in report
    assert (place.folder / search / "robustness.png").stat().st_size > 10_000


def test_a_past_trial_is_attacked_again_by_its_run(
    place: Place, search: str, evaluated: list[Any]
) -> None:
    run = evaluated[0].info.run_id
    said = attack(place, run, "--attack", "pgd", "--examples", str(IMAGES))
    assert said.returncode == 0, said.stderr
    # The same images, seeds and threat as in the search's evaluation give the same accuracy.
    (line,) = [line for line in said.stdout.splitlines() if line.strip().startswith(PGD)]
    assert f"{evaluated[0].data.metrics[f'test.{PGD}']:.4f}" in line
    kept = read_robustness(open_client(place.uri), run)
    assert "attack_pgd_test_linf_0.1.json" in kept


def test_a_wrong_option_is_a_sentence(place: Place, search: str) -> None:
    said = attack(place, f"{search}#0", "--epsilon", "8")
    assert said.returncode == 2 and "did you mean 8/255" in " ".join(said.stderr.split())
    assert "Traceback" not in said.stderr

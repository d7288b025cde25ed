"""A network of one search starts the trials of the next, from the command line."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from search.tracking import tag_names
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.launches import ROOT, Place, driver_of, finished

pytestmark = [pytest.mark.slow, pytest.mark.long]


def small_digits(name: str, trials: int, epochs: int, **changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((ROOT / "search" / "specs" / "digits.yaml").read_text())
    spec |= {"name": name, "budget": {"trials": trials, "epochs": epochs}}
    spec["scheduler"] = {"name": "none"}
    spec["robustness"] |= {"examples": 16, "cheap_examples": 8, "final_examples": 0}
    spec["space"] = {
        "adamw.learning_rate": {"type": "float", "low": 1e-3, "high": 4e-3, "log": True},
        "width": {"type": "int", "low": 8, "high": 16},
    }
    spec["task"]["data"] = {"name": "digits", "train_examples": 200}
    spec["task"]["settings"]["optimizer"] = "adamw"
    return spec | changes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def source(place: Place) -> str:
    finished(place.run(small_digits("source", 2, 2)))
    return place.search("source")


def shown(place: Place, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "search", *arguments, "--tracking-uri", place.uri],
        cwd=ROOT, text=True, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_search_starts_where_the_best_trial_of_another_ended_and_is_resumed_without_it(
    place: Place, source: str, tmp_path: Path
) -> None:
    spec = small_digits("second", 3, 3, initial_weights={"from": source})
    command = place.run(spec)
    search = place.search("second")
    place.wait_for(search, "epoch", 2)
    driver_of(command).kill()
    command.kill()
    command.wait()
    (place.folder / "storage" / source).rename(tmp_path / "elsewhere")
    try:
        finished(place.start("resume", search))
    finally:
        (tmp_path / "elsewhere").rename(place.folder / "storage" / source)
    runs = place.raw_runs(search)
    assert len(runs) == 3
    best = max(place.trials(source), key=lambda trial: trial.values[0])
    for run in runs:
        tags = run.data.tags
        assert tags[tag_names.INITIAL_WEIGHTS] == f"{source}#{best.number}"
        assert tags[tag_names.SOURCE_RUN] == best.run_id
        assert (tags[tag_names.ROWS_CARRIED], tags[tag_names.ROWS_INITIALIZED]) == ("10", "0")
        assert tags[tag_names.OVERLAP] == "0"
        assert "width" not in json.loads(tags[tag_names.CONFIGURATION])
    scratch = min(trial.curves["loss.train"][1] for trial in place.trials(source))
    started = max(trial.curves["loss.train"][1] for trial in place.trials(search))
    assert started < scratch
    summary = find_summary(open_client(place.uri), search)
    assert summary.initial_weights[f"{source}#{best.number}"]["lineage"]["tensors"] > 0
    printed = " ".join(shown(place, "show", f"{search}#0").split())  # lines break anywhere
    assert f"{source}#{best.number}" in printed and "10 head rows" in printed


def test_trials_choose_between_scratch_and_the_front(place: Place, source: str) -> None:
    choices = ["scratch", f"{source}#0", f"{source}#1"]
    # Cold: its opening is drawn from the seed alone, so that both kinds of choice do occur.
    spec = small_digits("choice", 6, 1, history={"enabled": False})
    spec["space"]["initial_weights"] = {"type": "categorical", "choices": choices}
    finished(place.run(spec))
    trials = place.trials(place.search("choice"))
    widths = {trial.number: trial.configuration["width"] for trial in place.trials(source)}
    assert {trial.state for trial in trials} == {"complete"}
    for trial in trials:
        assert ("width" in trial.configuration) == (
            trial.configuration["initial_weights"] == "scratch"
        )
    assert len({trial.configuration["initial_weights"] for trial in trials}) > 1
    assert len(widths) == 2


def test_a_source_trained_on_the_targets_splits_is_refused_before_a_search_exists(
    place: Place, source: str
) -> None:
    data = {"name": "digits", "train_examples": 200, "split_seed": 1}
    spec = small_digits("leak", 1, 1, initial_weights={"from": source})
    spec["task"]["data"] = data
    process = place.run(spec)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "cannot unlearn them" in output
    assert not list((place.folder / "storage").glob("leak*"))


def test_an_exported_network_is_loaded_by_the_code_in_its_folder(
    place: Place, source: str, tmp_path: Path
) -> None:
    out = tmp_path / "digits network"
    onnx = ["--onnx"] if importlib.util.find_spec("onnxscript") else []
    output = " ".join(shown(place, "export", f"{source}#0", str(out), *onnx).split())
    assert not onnx or re.search(r"ONNX Runtime and torch differ by at most \d", output)
    assert {"README.md", "config.json", "load_model.py", "model.safetensors"} <= {
        path.name for path in out.iterdir()
    }
    card = (out / "README.md").read_text()
    assert "upper bound" in card and "accuracy.clean" in card and source in card
    assert ModelCard(card).data.pipeline_tag == "image-classification"

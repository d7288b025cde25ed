"""The four everyday jobs of `examples/jobs/`, each on its own data, as a reader copies them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from models.catalog import TextThreat, complete
from models.data.loading import load_data
from models.data.text.splits import TextSplits
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning
from search.spec import load_spec
from tests.support.launches import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
JOBS = ROOT / "examples" / "jobs"
# Spec -> its file of data.
DATA = {
    "recommendations": "recommendations.csv",
    "financial": "financial.csv",
    "support": "support.jsonl",
    "entities": "entities.conll",
}
TINY = TextThreat(queries=6, examples=20, cheap_examples=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An own folder with the files of the jobs, their data and their bases."""
    place = tmp_path_factory.mktemp("jobs")
    shutil.copytree(JOBS, place, dirs_exist_ok=True)
    files = [name for name in DATA.values() if not name.endswith(".jsonl")]
    for arguments in (
        ("recommendations_log.py", "60"),
        ("template_texts.py",),
        ("small_base.py", *files),
        ("small_base.py", "--decoder", "support.jsonl"),
    ):
        subprocess.run([sys.executable, *arguments], cwd=place, check=True, capture_output=True)
    return place


def test_the_data_are_the_same_for_the_same_seed(folder: Path, tmp_path: Path) -> None:
    for script, arguments in (("recommendations_log.py", ("60",)), ("template_texts.py", ())):
        command = [sys.executable, str(JOBS / script), *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for name in DATA.values():
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def training(folder: Path, job: str) -> tuple[TextFineTuning, TextSplits]:
    """The training of a job's spec, in the middle of its space, for one epoch."""
    spec = load_spec(folder / f"{job}.yaml")
    kind = spec.task.data_kind()
    data = load_data(spec.task.data, kind)
    assert isinstance(data, TextSplits) and spec.task.base is not None
    base = LoadedBase(locate_base(spec.task.base), kind, data.label_names)
    values: dict[str, Any] = {**spec.task.settings, "full.learning_rate": 3e-3, "dropout": 0.0}
    configuration = complete(spec.task.catalog_name, values)
    return TextFineTuning(configuration, data, epochs=1, seed=0, threat=TINY, base=base), data


def objectives(folder: Path, job: str, threat: TextThreat) -> list[str]:
    spec = load_spec(folder / f"{job}.yaml")
    robust = spec.objectives[1].metric
    size = f"_{spec.threat.share:g}" if isinstance(spec.threat, TextThreat) else ""
    return [spec.objectives[0].metric, robust.replace(size, f"_{threat.share:g}")]


@pytest.mark.slow
@pytest.mark.parametrize("job", DATA)
def test_the_spec_of_a_job_trains_on_its_data_and_measures_its_objectives(
    folder: Path, job: str
) -> None:
    begun, _ = training(folder, job)
    *_, last = begun.run()
    tested = begun.evaluate_test()
    for metric in objectives(folder, job, TINY):
        assert metric in last and f"test.{metric}" in tested
    tables: Mapping[str, str] = begun.test_tables()
    expected = {
        "recommendations": "popularity",
        "financial": "negative",
        "entities": "company",
        "support": "",
    }[job]
    assert expected in "".join(tables.values())


def test_an_unbalanced_class_keeps_its_share_in_every_split(folder: Path) -> None:
    spec = load_spec(folder / "financial.yaml")
    data = load_data(spec.task.data, "classification")
    assert isinstance(data, TextSplits) and data.label_names == ("negative", "neutral", "positive")
    shares = [each.labels.count(0) / len(each) for each in (data.train, data.validation, data.test)]
    assert all(0.08 < share < 0.2 for share in shares)


def test_the_turns_of_a_dialogue_stay_in_one_split(folder: Path) -> None:
    spec = load_spec(folder / "support.yaml")
    data = load_data(spec.task.data, "dialogue")
    assert isinstance(data, TextSplits)
    groups = [set(each.groups or ()) for each in (data.train, data.validation, data.test)]
    assert all(groups) and not (groups[0] & groups[1] or groups[1] & groups[2])
    roles = set(data.train.labels)
    assert max(map(len, roles)) >= 5 and all(each[-1] == "assistant" for each in roles)


@pytest.mark.parametrize(
    ("job", "kind"),
    [("financial", "classification"), ("support", "dialogue"), ("entities", "entities")],
)
def test_no_text_of_a_job_is_in_two_splits(folder: Path, job: str, kind: str) -> None:
    data = load_data(load_spec(folder / f"{job}.yaml").task.data, kind)
    assert isinstance(data, TextSplits)
    texts = [set(each.texts) for each in (data.train, data.validation, data.test)]
    assert len(set.union(*texts)) == sum(map(len, texts))
    # Nothing repeats, so `deduplicate` of the spec dropped nothing.
    assert sum(map(len, texts)) == sum(map(len, (data.train, data.validation, data.test)))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("job", DATA)
def test_the_second_search_of_a_job_starts_from_the_first(folder: Path, job: str) -> None:
    shutil.rmtree(folder / "results", ignore_errors=True)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/{job}.db",
        "HF_HUB_OFFLINE": "1",
    }
    said = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "search", "run", f"{job}.yaml", "--seed", seed,
                   "--results", "results", "--set", "budget.trials=2",
                   "--set", "budget.epochs=1"]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, capture_output=True,
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stdout)
    assert "0 trials of 0 earlier searches" in said[0]
    assert re.search(r"review +2 trials of 1 earlier search \(2 complete", said[1])

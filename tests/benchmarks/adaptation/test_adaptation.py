"""The comparison of adaptation methods: what it trains again, chooses by, and tests."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.adaptation import cells as adaptation_cells
from benchmarks.adaptation import tuned as adaptation_tuned
from benchmarks.adaptation.cells import Cell, cells, chosen, rates
from benchmarks.adaptation.run import code_version
from benchmarks.adaptation.training import Setting
from models.catalog import TextThreat, complete
from models.hyperparameters.transformer import METHODS
from models.training.text_fine_tuning import TextFineTuning
from models.training.transformer_optimization import TransformerOptimization
from tests.support.tiny_models import tiny_bert, wordpiece

_WORDS = (["the cat sleeps", "a dog barks"], ["what is red", "is it blue"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of a trec6 with two classes and a few sentences a split, and of a tiny BERT."""
    root = tmp_path_factory.mktemp("adaptation")
    sentences: list[str] = []
    (root / "data" / "trec6").mkdir(parents=True)
    for split, count in (("train", 10), ("validation", 6), ("test", 6)):
        texts = [f"{_WORDS[i % 2][i // 2 % 2]} {split} {'abcdefghij'[i]}" for i in range(count)]
        table = pa.table({"text": texts, "label": [i % 2 for i in range(count)]})
        names = {"label_names": json.dumps(["statement", "question"])}
        path = root / "data" / "trec6" / f"{split}.parquet"
        pq.write_table(table.replace_schema_metadata(names), path)
        sentences += texts
    # Room for the catalog's 128 tokens and a prefix of 20.
    base = tiny_bert(root / "bert", wordpiece(sentences), max_position_embeddings=160)
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 160}))
    return root / "data", base


@pytest.fixture
def setting(tiny: tuple[Path, Path], tmp_path: Path) -> Setting:
    threat = TextThreat(examples=2, cheap_examples=1, queries=8)
    data, base = tiny
    return Setting(data, "some code", tmp_path, str(base), 8, 1, threat)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes every epoch that is trained and every test."""
    done: list[str] = []
    epoch, test = TransformerOptimization.epoch, TextFineTuning.evaluate_test
    monkeypatch.setattr(
        TransformerOptimization,
        "epoch",
        lambda t, number: (done.append("epoch"), epoch(t, number))[1],
    )
    monkeypatch.setattr(
        TextFineTuning, "evaluate_test", lambda t: (done.append("test"), test(t))[1]
    )
    return done


@pytest.mark.slow
def test_a_cell_that_is_stored_is_not_trained_again(setting: Setting, trainings: list[str]) -> None:
    cell = Cell("trec6", "lora", 1e-3)
    first = adaptation_cells.train(setting, cell)
    assert adaptation_cells.train(setting, cell) == first
    assert trainings == ["epoch"]
    assert len(first["curve"]) == 1 and "accuracy.characters_0.15" in first["curve"][0]


def test_what_other_code_measured_is_not_found(setting: Setting, trainings: list[str]) -> None:
    cell = Cell("trec6", "ia3", 1e-3)
    adaptation_cells.train(setting, cell)
    changed = Setting(**(vars(setting) | {"code": "other code"}))
    adaptation_cells.train(changed, cell)
    assert trainings == ["epoch", "epoch"]


def test_training_a_cell_never_looks_at_the_test_split(
    setting: Setting, trainings: list[str]
) -> None:
    record = adaptation_cells.train(setting, Cell("trec6", "full", 1e-3))
    assert "test" not in trainings and "test." not in json.dumps(record)


@pytest.mark.slow
def test_a_method_is_tested_once_and_only_when_all_its_cells_are_there(
    setting: Setting, trainings: list[str]
) -> None:
    first, second = cells("trec6", ("lora",))
    adaptation_cells.train(setting, first)
    assert adaptation_cells.test(setting, "trec6", "lora") is None
    adaptation_cells.train(setting, second)
    record = adaptation_cells.test(setting, "trec6", "lora")
    assert record is not None and adaptation_cells.test(setting, "trec6", "lora") == record
    assert trainings == ["epoch", "epoch", "test"]
    assert record["learning_rate"] in rates("lora")


@pytest.mark.slow
def test_a_lost_state_is_trained_again_to_the_same_test_metrics(
    setting: Setting, tmp_path: Path, trainings: list[str]
) -> None:
    again = Setting(**(vars(setting) | {"cache": tmp_path / "again"}))
    found = []
    for each in (setting, again):
        for cell in cells("trec6", ("adapters",)):
            adaptation_cells.train(each, cell)
        if each is again:
            for file in (each.cache / "adaptation-states").iterdir():
                file.unlink()
        found.append(adaptation_cells.test(each, "trec6", "adapters"))
    assert trainings == ["epoch", "epoch", "test"] + ["epoch"] * 3 + ["test"]
    assert found[0] and found[1] and found[0]["metrics"] == found[1]["metrics"]


def test_states_are_gone_once_the_method_is_tested(setting: Setting) -> None:
    for cell in cells("trec6", ("prefix",)):
        adaptation_cells.train(setting, cell)
    states = setting.cache / "adaptation-states"
    assert len(list(states.iterdir())) == 2
    adaptation_cells.test(setting, "trec6", "prefix")
    assert not list(states.iterdir())


def _record(metric: float, loss: float, **more: Any) -> dict[str, Any]:
    # The first epoch is the better one, and does not count.
    curve = [{"accuracy.clean": 1.0, "loss.validation": 0.0}]
    return {"curve": [*curve, {"accuracy.clean": metric, "loss.validation": loss}], **more}


def test_the_choice_is_the_last_validation_metric_then_the_lower_loss() -> None:
    low, high = _record(0.8, 0.1), _record(0.9, 0.9)
    assert chosen([low, high], "accuracy.clean") is high
    tied = _record(0.9, 0.5)
    assert chosen([high, tied, low], "accuracy.clean") is tied


def test_the_choice_does_not_see_test_metrics_and_a_diverged_training_is_last() -> None:
    better, tested = _record(0.9, 0.5), _record(0.8, 0.5, metrics={"test.accuracy.clean": 1.0})
    diverged = _record(math.nan, math.nan)
    assert chosen([diverged, tested, better], "accuracy.clean") is better
    assert chosen([diverged, tested], "accuracy.clean") is tested


def test_every_method_has_two_legal_learning_rates_a_factor_of_four_apart() -> None:
    for cell in cells("trec6"):
        complete("text_classifier", cell.configuration())
    assert len(cells("trec6")) == 2 * len(METHODS) == 14
    assert rates("full") == (5e-5, 2e-4)


@pytest.mark.slow
def test_the_code_version_is_the_same_every_time() -> None:
    assert code_version() == code_version() and len(code_version()) == 12


@pytest.mark.slow
def test_a_search_that_goes_on_asks_for_the_same_and_trains_only_what_is_missing(
    setting: Setting, tmp_path: Path, trainings: list[str]
) -> None:
    adaptation_tuned.search(setting, trials=2)
    resumed = adaptation_tuned.search(setting, trials=4)
    assert trainings == ["epoch"] * 4
    whole = adaptation_tuned.search(Setting(**(vars(setting) | {"cache": tmp_path / "w"})), 4)
    asked = [[trial["configuration"] for trial in trials] for trials in (resumed, whole)]
    assert asked[0] == asked[1] and len({json.dumps(each) for each in asked[0]}) == 4


def test_a_final_is_tested_once_and_tells_which_examples_it_judged_correctly(
    setting: Setting, trainings: list[str]
) -> None:
    record = adaptation_tuned.final(setting, "untuned", adaptation_tuned.UNTUNED, 5)
    assert adaptation_tuned.final(setting, "untuned", adaptation_tuned.UNTUNED, 5) == record
    assert trainings == ["epoch", "test"]
    correct = record["correct"]
    assert len(correct) == 6
    assert sum(correct) / 6 == pytest.approx(record["test"]["test.accuracy.clean"])


def test_the_paired_interval_by_hand() -> None:
    # Two examples whose differences, meaned over two seeds, are 1/2 and -1/2. A resample has both
    # twice the first (mean 1/2), one of each (0), or twice the second (-1/2): 1/4, 1/2, 1/4.
    tuned, untuned = [[1, 0], [1, 1]], [[1, 1], [0, 1]]
    assert adaptation_tuned.paired(tuned, untuned) == (0.0, -0.5, 0.5)


def test_a_difference_that_all_examples_share_has_an_interval_of_no_width() -> None:
    assert adaptation_tuned.paired([[1, 1]], [[0, 0]]) == (1.0, 1.0, 1.0)

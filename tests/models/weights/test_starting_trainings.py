"""A fine-tuning that starts from the weights of another is as repeatable as any."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.data.loading import load_data
from models.networks.base_model import BaseModel
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning
from models.weights.initial import InitialWeights, load_initial, save_initial
from models.weights.rebuild import TrainedTrial, extract_weights, rebuild
from tests.support.trained_trials import classes, finished, tiny_base

THREAT = TextThreat(examples=2, cheap_examples=2, queries=4)
BATCH = {"input_ids": torch.tensor([[2, 7, 9, 11, 3]]), "attention_mask": torch.ones(1, 5).long()}
METHODS = ("full", "lora", "adalora", "prefix", "adapters")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(tmp_path_factory.mktemp("base") / "bert", "text_classifier")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes(tmp_path_factory.mktemp("data") / "moods", "sad", "glad")


@pytest.fixture(scope="module")
def source(base: BaseModel, data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedTrial:
    folder = tmp_path_factory.mktemp("source")
    return finished(folder, "text_classifier", data, base, adaptation="lora")


def loaded(base: BaseModel, data: Path) -> LoadedBase:
    names = load_data({"path": str(data)}, "classification").label_names
    return LoadedBase(base, "classification", tuple(names))


def taken(source: TrainedTrial, data: Path, folder: Path) -> InitialWeights:
    return load_initial(
        save_initial(folder, extract_weights(source, [], {"path": str(data)}).weights)
    )


def starting(held: LoadedBase, data: Path, initial: InitialWeights, method: str) -> TextFineTuning:
    settings = {"adaptation": method, "max_length": 16, "batch_size": 4}
    configuration = complete("text_classifier", settings)
    splits = load_data({"path": str(data)}, "classification")
    return TextFineTuning(
        configuration, splits, epochs=2, seed=3, threat=THREAT, base=held, initial=initial
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS[:3])
def test_before_its_first_step_it_computes_what_its_source_did(
    method: str, base: BaseModel, data: Path, source: TrainedTrial, tmp_path: Path
) -> None:
    training = starting(loaded(base, data), data, taken(source, data, tmp_path), method)
    expected = rebuild(source).model(**BATCH).logits
    # What LoRA and AdaLoRA add begins at zero.
    assert torch.allclose(training.model.eval()(**BATCH).logits, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_resumed_it_equals_one_that_was_not_and_the_base_stays_as_it_was(
    method: str, base: BaseModel, data: Path, source: TrainedTrial, tmp_path: Path
) -> None:
    held = loaded(base, data)
    before, initial = held.checksum(), taken(source, data, tmp_path)
    whole = starting(held, data, initial, method)
    states = [whole.state_dict() for _ in whole.run()]
    resumed = starting(held, data, initial, method)
    resumed.load_state_dict(states[0])
    assert len(list(resumed.run())) == 1
    for name, tensor in states[1]["weights"].items():
        assert torch.equal(tensor, resumed.state_dict()["weights"][name]), name
    assert torch.equal(whole.model.eval()(**BATCH).logits, resumed.model.eval()(**BATCH).logits)
    assert held.checksum() == before


@pytest.mark.slow
@pytest.mark.parametrize("method", ["prefix", "adapters"])
def test_an_adaptation_of_the_same_kind_goes_on_where_it_ended(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    training = starting(loaded(base, data), data, taken(trial, data, tmp_path / "w"), method)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.equal(training.model.eval()(**BATCH).logits, expected)
    with pytest.raises(ValueError, match="no tensor"):
        starting(loaded(base, data), data, taken(trial, data, tmp_path / "w"), "lora")

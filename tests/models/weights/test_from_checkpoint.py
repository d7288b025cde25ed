"""What a trial has learned is taken from its checkpoint, and nothing of its data with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.catalog import Threat, complete
from models.data.loading import ImageSplits
from models.networks import cnn
from models.networks.builder import network_data
from models.training.network import NetworkTraining
from models.weights.checkpoints import newest_checkpoint, save_checkpoint
from models.weights.from_checkpoint import from_network, trained_network
from models.weights.initial import InitialWeights, load_initial, save_initial

SMALL = complete("cnn", {"width": 4, "fully_connected_width": 8, "normalisation": "batch"})
THREAT = Threat(examples=4, cheap_examples=4)


def training(
    data: ImageSplits, initial: InitialWeights | None = None, seed: int = 0
) -> NetworkTraining:
    return NetworkTraining(SMALL, data, epochs=1, seed=seed, threat=THREAT, initial=initial)


@pytest.fixture(scope="module")
def taken(few_digits: ImageSplits, tmp_path_factory: pytest.TempPathFactory) -> InitialWeights:
    """Weights of a network that was trained for an epoch, through its checkpoint and a file."""
    folder = tmp_path_factory.mktemp("source")
    source = training(few_digits)
    metrics = list(source.run())
    save_checkpoint(folder, 1, 1, metrics, source.state_dict())
    checkpoint = newest_checkpoint(folder)
    assert checkpoint is not None
    data = network_data(few_digits)
    model = trained_network(checkpoint.load_state()["model"], cnn.build, SMALL, data)
    found = from_network(model, cnn.build, SMALL, data)
    return load_initial(save_initial(folder / "weights", found))


def test_a_network_starts_from_what_another_has_learned(
    few_digits: ImageSplits, taken: InitialWeights
) -> None:
    started = training(few_digits, taken, seed=5).model.state_dict()
    assert taken.head == ("classifier.3.weight", "classifier.3.bias")
    for name, tensor in taken.tensors.items():
        assert torch.equal(started[name], tensor), name


def test_the_normalisation_of_the_input_is_that_of_the_target(
    few_digits: ImageSplits, taken: InitialWeights
) -> None:
    brighter = replace(few_digits, train_images=few_digits.train_images // 2 + 8)
    assert not {"mean", "std"} & taken.tensors.keys()
    own, fresh = training(brighter, taken), training(brighter)
    assert torch.equal(own.model.mean, fresh.model.mean)
    assert not torch.equal(own.model.mean, training(few_digits).model.mean)


def test_rows_of_new_labels_are_those_of_a_network_without_initial_weights(
    few_digits: ImageSplits, taken: InitialWeights
) -> None:
    names = tuple("3" if name == "0" else f"letter {name}" for name in few_digits.label_names)
    renamed = replace(few_digits, label_names=names)
    head = "classifier.3.weight"
    own, fresh = training(renamed, taken).model.state_dict(), training(renamed).model.state_dict()
    assert torch.equal(own[head][0], taken.tensors[head][3])  # the row of "3" is now the first
    assert torch.equal(own[head][1:], fresh[head][1:])
    assert torch.equal(own["features.0.weight"], taken.tensors["features.0.weight"])


def test_all_randomness_but_the_weights_is_as_without_them(
    few_digits: ImageSplits, taken: InitialWeights, tmp_path: Path
) -> None:
    first, second = training(few_digits, taken), training(few_digits, taken)
    assert [entry["loss.train"] for entry in first.run()] == [
        entry["loss.train"] for entry in second.run()
    ]
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name])


def test_another_architecture_is_refused(few_digits: ImageSplits, taken: InitialWeights) -> None:
    with pytest.raises(ValueError, match="architecture of the source"):
        NetworkTraining(
            SMALL | {"width": 8}, few_digits, epochs=1, seed=0, threat=THREAT, initial=taken
        )  # fmt: skip

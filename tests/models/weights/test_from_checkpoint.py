"""What a trial has learned is taken from its checkpoint, and nothing of its data with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.adaptation import adapt
from models.catalog import Threat, complete
from models.data.loading import ImageSplits
from models.networks import cnn
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.image_training import ImageTraining
from models.training.network import network_training
from models.weights.from_checkpoint import changed_body
from models.weights.initial import InitialWeights
from tests.support.adaptation_trials import configured
from tests.support.image_trainings import taken
from tests.support.tiny_models import tiny_model

SMALL = complete("cnn", {"width": 4, "fully_connected_width": 8, "normalisation": "batch"})
THREAT = Threat(examples=4, cheap_examples=4)


def training(
    data: ImageSplits, initial: InitialWeights | None = None, seed: int = 0
) -> ImageTraining:
    return network_training(SMALL, data, epochs=1, seed=seed, threat=THREAT, initial=initial)


@pytest.fixture(scope="module")
def learned(few_digits: ImageSplits, tmp_path_factory: pytest.TempPathFactory) -> InitialWeights:
    return taken(cnn.build, SMALL, few_digits, tmp_path_factory.mktemp("source"))


def test_a_network_starts_from_what_another_has_learned(
    few_digits: ImageSplits, learned: InitialWeights
) -> None:
    started = training(few_digits, learned, seed=5).classifier().state_dict()
    assert learned.head == ("classifier.3.weight", "classifier.3.bias")
    for name, tensor in learned.tensors.items():
        assert torch.equal(started[name], tensor), name


def test_the_normalisation_of_the_input_is_that_of_the_target(
    few_digits: ImageSplits, learned: InitialWeights
) -> None:
    brighter = replace(few_digits, train_images=few_digits.train_images // 2 + 8)
    assert not {"mean", "std"} & learned.tensors.keys()
    own, fresh = training(brighter, learned), training(brighter)
    assert torch.equal(own.classifier().mean, fresh.classifier().mean)
    assert not torch.equal(own.classifier().mean, training(few_digits).classifier().mean)


def test_rows_of_new_labels_are_those_of_a_network_without_initial_weights(
    few_digits: ImageSplits, learned: InitialWeights
) -> None:
    names = tuple("3" if name == "0" else f"letter {name}" for name in few_digits.label_names)
    renamed = replace(few_digits, label_names=names)
    head = "classifier.3.weight"
    own, fresh = (
        training(renamed, learned).classifier().state_dict(),
        training(renamed).classifier().state_dict(),
    )
    assert torch.equal(own[head][0], learned.tensors[head][3])  # the row of "3" is now the first
    assert torch.equal(own[head][1:], fresh[head][1:])
    assert torch.equal(own["features.0.weight"], learned.tensors["features.0.weight"])


def test_all_randomness_but_the_weights_is_as_without_them(few_digits: ImageSplits) -> None:
    first = training(few_digits)
    # The weights that are drawn without any: nothing but what is drawn later could differ.
    drawn = {name: tensor.clone() for name, tensor in first.classifier().state_dict().items()}
    second = training(few_digits, InitialWeights(drawn, (), few_digits.label_names))
    assert [entry["loss.train"] for entry in first.run()] == [
        entry["loss.train"] for entry in second.run()
    ]
    for name, tensor in first.classifier().state_dict().items():
        assert torch.equal(tensor, second.classifier().state_dict()[name])


def test_a_body_that_changed_below_a_prefix_is_found_in_a_model_with_a_part_model(
    tmp_path: Path,
) -> None:
    loaded = LoadedBase(
        locate_base(str(tiny_model(tmp_path, "llama"))), "classification", ("a", "b", "c")
    )
    configuration = configured("classification", "prefix")
    plain, below = (loaded.fresh(0, configuration, own_copy=True) for _ in range(2))
    name = "model.layers.0.mlp.up_proj.weight"
    below.get_parameter(name).data += 1
    adapted = adapt(below, configuration, steps=1, seed=0)
    (found,) = changed_body(adapted, plain)
    assert adapted.plain_name(found) == name


def test_another_architecture_is_refused(few_digits: ImageSplits, learned: InitialWeights) -> None:
    with pytest.raises(ValueError, match="architecture of the source"):
        network_training(
            SMALL | {"width": 8}, few_digits, epochs=1, seed=0, threat=THREAT, initial=learned
        )  # fmt: skip

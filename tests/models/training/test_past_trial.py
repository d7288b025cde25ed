"""The model of a past trial, rebuilt and attacked: the same model and images as in its search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.adversarial.pixels.adversarial_examples import model_digest
from models.adversarial.pixels.stored_examples import save_adversarial_examples
from models.adversarial.threat_model import Threat
from models.catalog import complete
from models.data.loading import load_images
from models.training.image_training import ImageTraining
from models.training.network import network_training
from models.training.past_trial import PastTrial, attack, verify_file, warnings_of
from models.weights.checkpoints import save_checkpoint
from models.weights.rebuild import TrainedTrial
from tests.support.trained_trials import finished, tiny_base

THREAT = Threat(epsilon=0.2, steps=3)


def trained_cnn(folder: Path, data: Path) -> tuple[TrainedTrial, ImageTraining]:
    """A trial of two epochs on images of 4x6 pixels in three classes, and its training."""
    settings = {"path": str(data)}
    configuration = complete("cnn", {"width": 8})
    training = network_training(
        configuration, load_images(settings), epochs=2, seed=0, threat=THREAT
    )
    metrics = list(training.run())
    save_checkpoint(folder, 1, 2, metrics, training.state_dict())
    return TrainedTrial("small#0", "cnn", configuration, settings, folder), training


def test_it_is_the_same_model_with_the_same_parts(folder: Path, tmp_path: Path) -> None:
    trained, training = trained_cnn(tmp_path / "trial", folder)
    past = PastTrial(trained, THREAT)
    assert model_digest(past.classifier()) == model_digest(training.classifier())
    for part in ("confirmation", "test"):
        for ours, theirs in zip(past.examples(part), training.examples(part), strict=True):
            assert torch.equal(ours, theirs)


def test_several_attacks_have_a_worst_case_and_one_alone_has_none(
    folder: Path, tmp_path: Path
) -> None:
    trained, _ = trained_cnn(tmp_path / "trial", folder)
    past = PastTrial(trained, THREAT)
    both = attack(past, THREAT, ["fgsm", "pgd"], "test", 10)
    assert [each.attack for each in both.metrics] == ["clean", "fgsm", "pgd", "worst"]
    assert {each.examples for each in both.metrics} == {10}
    assert both.adversarial_examples.metric == "accuracy.worst_linf_0.2"
    alone = attack(past, THREAT, ["pgd"], "confirmation", 10)
    assert [each.attack for each in alone.metrics] == ["clean", "pgd"]
    assert (alone.adversarial_examples.metric, alone.adversarial_examples.split) == (
        THREAT.metric(),
        "confirmation",
    )
    assert isinstance(warnings_of(past, THREAT, "test", 10), tuple)


def test_stored_adversarial_examples_are_verified(folder: Path, tmp_path: Path) -> None:
    trained, _ = trained_cnn(tmp_path / "trial", folder)
    past = PastTrial(trained, THREAT)
    found = attack(past, THREAT, ["pgd"], "test", 12)
    save_adversarial_examples(found.adversarial_examples, tmp_path / "w.safetensors")
    _, checked = verify_file(past, tmp_path / "w.safetensors")
    assert checked.bound == found.metrics[-1].accuracy and checked.is_same_model
    save_adversarial_examples(
        replace(found.adversarial_examples, model="another"), tmp_path / "w.safetensors"
    )
    assert not verify_file(past, tmp_path / "w.safetensors")[1].is_same_model


@pytest.mark.slow
def test_a_vision_transformer_is_attacked_by_its_pixels_too(folder: Path, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "vit", "vision_transformer")
    trained = finished(tmp_path / "trial", "vision_transformer", folder, base, adaptation="lora")
    past = PastTrial(trained, THREAT)
    found = attack(past, THREAT, ["fgsm", "pgd"], "test", 12)
    assert found.metrics[-1].accuracy <= found.metrics[0].accuracy
    assert found.adversarial_examples.images.shape[1:] == past.examples("test")[0].shape[1:]

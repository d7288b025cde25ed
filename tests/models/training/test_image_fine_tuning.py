"""Fine-tuning a vision transformer: evaluated like a CNN, by the weights that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.adversarial.threat_model import Threat
from models.catalog import complete, metrics
from models.data.loading import ImageSplits
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.image_fine_tuning import image_fine_tuning
from tests.support.image_trainings import OF_THE_TRIAL
from tests.support.tiny_models import tiny_vit


def tiny_base(digits: ImageSplits, folder: Path) -> LoadedBase:
    located = locate_base(str(tiny_vit(folder / "vit")))
    return LoadedBase(located, "images", digits.label_names, image=(1, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora", "ia3", "adapters"])
def test_a_vision_transformer_trains_on_images_and_is_evaluated_like_a_cnn(
    few_digits: ImageSplits, tmp_path: Path, method: str
) -> None:
    base = tiny_base(few_digits, tmp_path)
    # All of the validation split: what is wrong clean is wrong attacked, example by example.
    examples = len(few_digits.validation_labels)
    threat = Threat(examples=examples, cheap_examples=examples, steps=2, cheap_steps=1)
    settings = {"adaptation": method, "adversarial_training": "fgsm", "batch_size": 16}
    training = image_fine_tuning(
        complete("vision_transformer", settings), few_digits, epochs=2, seed=0, threat=threat,
        base=base,
    )  # fmt: skip
    assert training.confirm() == {}
    first, last = training.run()
    known = {"epoch", "selection.collapsed", *metrics("vision_transformer", threat)}
    assert set(first) | set(last) == known - OF_THE_TRIAL
    for attacked in (threat.metric(), threat.fgsm_metric()):
        assert attacked not in first and 0 <= last[attacked] <= last["accuracy.clean"]
    assert last["gradients.train"] == 4  # an attack of one step and the learning, twice
    assert set(training.evaluate_test()) == {
        "test.accuracy.clean", f"test.{threat.metric()}", "test.examples"
    }  # fmt: skip
    assert threat.apgd_metric() in training.confirm()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "trades"])  # without and with a second loss
def test_the_last_report_is_of_the_weights_that_are_kept(
    few_digits: ImageSplits, tmp_path: Path, method: str
) -> None:
    threat = Threat(examples=20, cheap_examples=10, steps=2, cheap_steps=1)
    settings = {"adaptation": "lora", "adversarial_training": method, "accumulation": 2,
                "batch_size": 16, "lora.learning_rate": 0.05}  # fmt: skip
    training = image_fine_tuning(
        complete("vision_transformer", settings), few_digits, epochs=3, seed=0, threat=threat,
        base=tiny_base(few_digits, tmp_path),
    )  # fmt: skip
    *_, last = training.run()
    images, labels = training.examples("objective")
    hits = training.classifier()(images).argmax(1) == labels
    assert last["accuracy.clean"] == pytest.approx(float(hits.float().mean()))


def test_a_transformer_is_refused_free_adversarial_training() -> None:
    with pytest.raises(ValueError, match=r"'free'; fix: choose one of .*'mart'"):
        complete("vision_transformer", {"adversarial_training": "free"})

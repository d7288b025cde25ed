"""The evaluation of a training: its examples, its epoch's weights, and replayed attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_nearby import Nearby
from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.confirmation import Confirmation
from models.adversarial.pixels.evaluation import fixed_subset
from models.catalog import Threat
from models.data.loading import ImageSplits
from models.data.validation_split import cut
from models.training.image_evaluation import ImageEvaluation
from models.training.work import WorkMeter
from tests.support.image_trainings import BUSY, LEARNS, QUICK, SMALL, train, weights

THREAT = Threat(steps=2, cheap_steps=1, examples=30, cheap_examples=20, confirm_examples=10)
CPU = torch.device("cpu")


class Fixed(nn.Module):
    """Answers each image by a table made of its bytes, whatever the attack: nothing to climb."""

    def __init__(self, images: Tensor, answers: Tensor) -> None:
        super().__init__()
        bytes_of = [image.numpy().tobytes() for image in images]
        self.known = dict(zip(bytes_of, answers.tolist(), strict=True))

    def forward(self, images: Tensor) -> Tensor:
        answers = [self.known.get(image.detach().numpy().tobytes(), 0) for image in images]
        return (
            nn.functional.one_hot(torch.tensor(answers), 10) + 0.0 * images.sum((1, 2, 3))[:, None]
        )


def evaluation_of(data: ImageSplits, attacked: bool = True, **changes: object) -> ImageEvaluation:
    return ImageEvaluation(data, THREAT, CPU, attacked_training=attacked, **changes)  # type: ignore[arg-type]


def test_the_selection_part_picks_and_the_objective_part_evaluates(few_digits: ImageSplits) -> None:
    evaluation = evaluation_of(few_digits)
    parts = cut(few_digits.validation_labels, THREAT.seed)
    images, labels = evaluation.examples("objective")
    expected = few_digits.validation_images[parts.objective].astype(np.float32) / 16
    assert np.array_equal(images.numpy(), expected)
    # Right on the objective part, wrong everywhere else.
    model = Fixed(images, labels)
    seen = evaluation.observe(model, 1)
    wrong = (evaluation.examples("selection")[1] == 0).float().mean()  # it answers 0 there
    assert seen["selection.accuracy.clean"] == pytest.approx(float(wrong))
    last = evaluation.conclude(model)
    assert last["accuracy.clean"] == 1.0 and last["epoch.selected"] == 1.0


def test_an_epochs_score_is_the_mean_of_both_accuracies_of_what_is_attacked(
    few_digits: ImageSplits,
) -> None:
    evaluation = evaluation_of(few_digits)
    images, labels = evaluation.examples("selection")
    few = fixed_subset(len(labels), 20, THREAT.seed)
    # Right on clean images alone: an attack moves them out of the table, to the answer 0.
    evaluation.observe(Fixed(images, labels), 1)
    assert len(evaluation.choice.best) == 20
    expected = np.where(labels.numpy()[few] == 0, 1.0, 0.5)
    assert evaluation.choice.best.tolist() == expected.tolist()


def test_only_training_under_attack_can_collapse(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([(0.6, 0.5), (0.9, 0.1)] * 2)
    flags = {"fgsm": 0.0}

    def robust(*arguments: object, **named: object) -> np.ndarray:
        flags["fgsm"], share = next(accuracies)
        return np.arange(20) < share * 20

    monkeypatch.setattr("models.training.image_evaluation.robust_correct", robust)
    monkeypatch.setattr(
        "models.training.image_evaluation.fgsm_correct",
        lambda *a: np.arange(20) < flags["fgsm"] * 20,
    )
    for attacked in (True, False):
        evaluation = evaluation_of(few_digits, attacked)
        model = Fixed(*evaluation.examples("selection"))
        seen = [evaluation.observe(model, epoch)["selection.collapsed"] for epoch in (1, 2)]
        assert seen == [0.0, float(attacked)] and evaluation.collapse.seen is attacked
        again = evaluation_of(few_digits, attacked)
        again.load_state_dict(evaluation.state_dict())
        assert (
            again.collapse == evaluation.collapse
            and again.choice.picked == evaluation.choice.picked
        )


def test_a_replaced_accuracy_is_kept_as_unconfirmed(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = evaluation_of(few_digits, memory=AttackMemory(tmp_path, "trial_0001"))
    model = Fixed(*evaluation.examples("objective"))
    evaluation.conclude(model)
    found = Confirmation(
        examples=10, white_box=0.3, accuracy=0.2, gap=0.3, black_box=0.1,
        nearby=Nearby(jumps=0.05, gradient_error=0.25, vanished=0.5), is_replaced=True,
        corrected=0.4, index=np.array([1]), adversarial_examples=torch.zeros(1, 1, 8, 8),
    )  # fmt: skip
    monkeypatch.setattr("models.training.image_evaluation.confirm", lambda *arguments: found)
    metrics = evaluation.confirm(model, WorkMeter())
    assert metrics[THREAT.metric()] == 0.4 and metrics[THREAT.apgd_metric()] == 0.3
    assert metrics[THREAT.worst_metric()] == 0.2 and metrics["robustness.black_box"] == 0.1
    assert (metrics["robustness.jumps"], metrics["robustness.gradient_error"]) == (0.05, 0.25)
    assert metrics["robustness.vanished"] == 0.5
    assert 0.0 <= metrics[f"unconfirmed.{THREAT.metric()}"] <= 1.0
    assert (metrics["robustness.gap"], metrics["robustness.replaced"]) == (0.3, 1.0)
    assert (tmp_path / "trial_0001.safetensors").exists()


def test_the_parts_of_the_validation_split_are_disjoint_and_whole(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits)
    parts = [training.examples(name)[0] for name in ("selection", "objective", "confirmation")]
    rows = {image.numpy().tobytes() for part in parts for image in part}
    everything = few_digits.validation_images.astype(np.float32) / few_digits.scale
    assert rows == {image.tobytes() for image in everything}
    assert sum(map(len, parts)) == len(everything)
    assert len(training.examples("test")[1]) == 500


def test_the_whole_test_split_is_evaluated(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits)
    list(training.run())
    report = training.evaluate_test()
    assert set(report) == {"test.accuracy.clean", f"test.{QUICK.metric()}", "test.examples"}
    assert report["test.examples"] == 500
    assert 0 <= report[f"test.{QUICK.metric()}"] <= report["test.accuracy.clean"] <= 1
    assert training.evaluate_test() == report


@pytest.mark.slow
def test_all_configurations_meet_the_same_examples(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[bytes, int]] = []

    def record(
        model: Any, images: Any, labels: Any, threat: Any, seed: int, losses: Any
    ) -> np.ndarray:
        met.append((images.numpy().tobytes(), seed))
        return np.ones(len(labels), dtype=bool)

    monkeypatch.setattr("models.training.image_evaluation.robust_correct", record)
    for seed, configuration in enumerate([SMALL, BUSY, {**SMALL, "optimizer": "sgd"}]):
        list(train(configuration, few_digits, epochs=1, seed=seed).run())
    assert met[0] == met[1] == met[2]
    list(train(SMALL, few_digits, epochs=1, threat=Threat(steps=4, seed=1)).run())
    assert met[-1] != met[0]


def test_the_last_report_and_the_state_are_of_the_picked_epoch(few_digits: ImageSplits) -> None:
    training = train(LEARNS, few_digits, epochs=8, seed=2)
    seen, report = [], {}
    for report in training.run():  # noqa: B007  the last one is looked at below
        seen.append({name: tensor.clone() for name, tensor in weights(training).items()})
    picked = int(report["epoch.selected"])
    assert picked < 8
    assert all(torch.equal(seen[picked - 1][name], seen[-1][name]) for name in seen[-1])
    images, labels = training.examples("objective")
    hits = training.classifier()(images).argmax(1) == labels
    assert report["accuracy.clean"] == pytest.approx(float(hits.float().mean()))


@pytest.mark.slow
def test_adversarial_examples_of_one_trial_are_replayed_on_the_next(
    few_digits: ImageSplits, tmp_path: Path
) -> None:
    first = train(LEARNS, few_digits, epochs=4, memory=AttackMemory(tmp_path, "trial_0001"))
    list(first.run())
    assert (tmp_path / "trial_0001.safetensors").exists()
    alone = train(LEARNS, few_digits, epochs=8, seed=2)
    shown = train(LEARNS, few_digits, epochs=8, seed=2, memory=AttackMemory(tmp_path, "trial_0002"))
    *_, without = alone.run()
    *_, with_memory = shown.run()
    assert with_memory[QUICK.metric()] <= without[QUICK.metric()]
    assert (tmp_path / "trial_0002.safetensors").exists()

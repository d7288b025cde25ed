from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.confirmation import Confirmation
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.data.validation_split import cut
from models.training.image_evaluation import ImageEvaluation

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


def judgement(data: ImageSplits, attacked: bool = True, **changes: object) -> ImageEvaluation:
    return ImageEvaluation(data, THREAT, CPU, attacked_training=attacked, **changes)  # type: ignore[arg-type]


def test_part_a_picks_and_part_b_judges(few_digits: ImageSplits) -> None:
    judge = judgement(few_digits)
    parts = cut(few_digits.validation_labels, THREAT.seed)
    images, labels = judge.examples("objective")
    expected = few_digits.validation_images[parts.objective].astype(np.float32) / 16
    assert np.array_equal(images.numpy(), expected)
    # Right on part B, wrong everywhere else.
    model = Fixed(images, labels)
    seen = judge.observe(model, 1)
    wrong = (judge.examples("selection")[1] == 0).float().mean()  # it answers 0 there
    assert seen["selection.accuracy.clean"] == pytest.approx(float(wrong))
    last = judge.conclude(model)
    assert last["accuracy.clean"] == 1.0 and last["epoch.selected"] == 1.0


def test_an_epochs_score_is_the_mean_of_both_accuracies_of_what_is_attacked(
    few_digits: ImageSplits,
) -> None:
    judge = judgement(few_digits)
    images, labels = judge.examples("selection")
    few = fixed_subset(len(labels), 20, THREAT.seed)
    # Right on clean images alone: an attack moves them out of the table, to the answer 0.
    judge.observe(Fixed(images, labels), 1)
    assert len(judge.choice.best) == 20
    expected = np.where(labels.numpy()[few] == 0, 1.0, 0.5)
    assert judge.choice.best.tolist() == expected.tolist()


def test_only_training_under_attack_can_collapse(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([(0.6, 0.5), (0.9, 0.1)] * 2)
    flags = {"fgsm": 0.0}

    def robust(*arguments: object, **named: object) -> np.ndarray:
        flags["fgsm"], share = next(figures)
        return np.arange(20) < share * 20

    monkeypatch.setattr("models.training.image_evaluation.robust_correct", robust)
    monkeypatch.setattr(
        "models.training.image_evaluation.fgsm_correct",
        lambda *a: np.arange(20) < flags["fgsm"] * 20,
    )
    for attacked in (True, False):
        judge = judgement(few_digits, attacked)
        model = Fixed(*judge.examples("selection"))
        seen = [judge.observe(model, epoch)["selection.collapsed"] for epoch in (1, 2)]
        assert seen == [0.0, float(attacked)] and judge.collapse.seen is attacked
        again = judgement(few_digits, attacked)
        again.load_state_dict(judge.state_dict())
        assert again.collapse == judge.collapse and again.choice.picked == judge.choice.picked


def test_a_replaced_figure_keeps_the_first_one_beside_it(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = judgement(few_digits, memory=AttackMemory(tmp_path, "trial_0001"))
    model = Fixed(*judge.examples("objective"))
    judge.conclude(model)
    found = Confirmation(
        examples=10, figure=0.2, gap=0.3, standard_error=0.1, is_replaced=True, corrected=0.4,
        index=np.array([1]), witnesses=torch.zeros(1, 1, 8, 8),
    )  # fmt: skip
    monkeypatch.setattr("models.training.image_evaluation.confirm", lambda *arguments: found)
    metrics = judge.confirm(model)
    assert metrics[THREAT.metric()] == 0.4 and metrics[THREAT.apgd_metric()] == 0.2
    assert 0.0 <= metrics[f"unconfirmed.{THREAT.metric()}"] <= 1.0
    assert (metrics["robustness.gap"], metrics["robustness.replaced"]) == (0.3, 1.0)
    assert (tmp_path / "trial_0001.safetensors").exists()

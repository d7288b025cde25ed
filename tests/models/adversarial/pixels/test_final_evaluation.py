"""The final evaluation of a model, on a network small enough for expected values by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels import final_evaluation as module
from models.adversarial.pixels.adversarial_examples import verify
from models.adversarial.pixels.autoattack import is_installed
from models.adversarial.pixels.final_evaluation import (
    RobustnessEvaluation,
    accuracy_curve,
    evaluate_robustness,
)
from models.adversarial.pixels.metrics import attack_metric, worst_case
from models.adversarial.threat_model import Threat
from tests.support.tiny_classifiers import Nearest, flat

THREAT = Threat(epsilon=0.1, steps=4, final_examples=0)


class Subject:
    """40 test images of class 0: half at 0 (1/6 from the border), half at 0.14; C has 10 at 0."""

    def __init__(self) -> None:
        self.model = Nearest(4)

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        if part == "confirmation":
            return flat(*[0.0] * 10), torch.zeros(10, dtype=torch.int64)
        assert part == "test", f"the evaluation used {part}"
        return flat(*[0.0, 0.14] * 20), torch.zeros(40, dtype=torch.int64)

    def classifier(self) -> nn.Module:
        return self.model


@pytest.fixture(autouse=True)
def no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "check", lambda *_: [])


def evaluated(subject: Subject, threat: Threat) -> RobustnessEvaluation:
    *_, found = evaluate_robustness(subject, threat)
    assert isinstance(found, RobustnessEvaluation)
    return found


def test_every_step_is_named_before_it_is_taken() -> None:
    *steps, _ = evaluate_robustness(Subject(), THREAT)
    assert steps == [
        "PGD on 10 confirmation images", "checks for gradient masking", "FGSM on 40 test images",
        "PGD on 40 test images", "targeted APGD on 40 test images", "PGD at 8 epsilons",
    ]  # fmt: skip


class OneClass(Subject):
    """Class 0 is answered to all 40 test images, 20 of which are of class 1."""

    def __init__(self) -> None:
        self.linear = nn.Linear(36, 2)
        nn.init.zeros_(self.linear.weight)
        self.linear.bias.data = torch.tensor([1.0, 0.0])

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        images, labels = super().examples(part)
        return images, torch.arange(len(labels)) % 2

    def classifier(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), self.linear)


def test_a_model_of_one_class_gets_cheap_attacks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "check", check)
    *steps, found = evaluate_robustness(OneClass(), Threat(epsilon=0.1, steps=4, final_examples=40))
    assert not [step for step in steps if "APGD" in str(step) or "AutoAttack" in str(step)]
    assert isinstance(found, RobustnessEvaluation)
    assert [each.name for each in found.warnings] == ["one class is answered"]
    assert found.metrics["test.accuracy.worst_linf_0.1"] == 0.5
    assert not any("apgdt" in name or "autoattack" in name for name in found.metrics)
    assert json.loads(found.texts["robustness.json"])["autoattack"] == []


def test_a_model_of_one_class_that_an_attack_changes_gets_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warning = GradientMaskingWarning("one class is answered", "", "", "", "")
    monkeypatch.setattr(module, "check", lambda *_: [warning])
    found = evaluated(Subject(), THREAT)  # PGD lowers its accuracy from 1 to 0.5
    assert found.metrics["test.accuracy.apgdt_linf_0.1"] == 0.5


def test_the_worst_case_is_what_every_attack_leaves_standing() -> None:
    images, labels = Subject().examples("test")
    strong = attack_metric("pgd", Nearest(4), images, labels, THREAT, 0)
    weak = attack_metric("fgsm", Nearest(4), images, labels, THREAT.at(0.001), 0)
    assert weak.accuracy == 1.0
    worst = worst_case([weak, strong], THREAT)
    assert np.array_equal(worst.measured.robust, strong.measured.robust)
    assert torch.equal(worst.measured.adversarial_examples, strong.measured.adversarial_examples)
    assert worst.metric == "accuracy.worst_linf_0.1"


def test_an_evaluation_has_both_sets_and_counts_attacked_examples() -> None:
    found = evaluated(Subject(), THREAT)
    assert found.metrics == {
        "confirmation.accuracy.clean": 1.0,
        "confirmation.accuracy.pgd4_linf_0.1": 1.0,
        "confirmation.examples": 10.0,
        "test.accuracy.clean": 1.0,
        "test.accuracy.fgsm_linf_0.1": 0.5,
        "test.accuracy.pgd4_linf_0.1": 0.5,
        "test.accuracy.apgdt_linf_0.1": 0.5,
        "test.accuracy.worst_linf_0.1": 0.5,
        "test.examples": 40.0,
        "test.attacked_examples": 40.0,
    }
    assert found.warnings == () and list(found.texts) == ["robustness.json"]


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="needs the extra 'autoattack'")
def test_autoattack_and_all_beside_it_see_the_first_of_a_fixed_order() -> None:
    found = evaluated(Subject(), Threat(epsilon=0.1, steps=4, final_examples=10))
    assert found.metrics["test.attacked_examples"] == 10
    assert found.metrics["test.examples"] == 40
    same = found.metrics["test.accuracy.pgd4_linf_0.1"]
    assert found.metrics["test.accuracy.autoattack_linf_0.1"] == same
    assert found.metrics["test.accuracy.worst_linf_0.1"] == same
    assert json.loads(found.texts["robustness.json"])["autoattack"] == [
        "apgd-ce", "apgd-t", "fab-t", "square",
    ]  # fmt: skip


def test_without_the_package_everything_else_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda: False)
    found = evaluated(Subject(), Threat(epsilon=0.1, steps=4, final_examples=10))
    assert "test.accuracy.autoattack_linf_0.1" not in found.metrics
    assert "test.accuracy.worst_linf_0.1" in found.metrics
    assert json.loads(found.texts["robustness.json"])["autoattack"] == []


def test_the_adversarial_examples_of_an_evaluation_prove_its_worst_case() -> None:
    subject = Subject()
    found = evaluated(subject, THREAT)
    checked = verify(
        subject.model, *subject.examples("test"), found.adversarial_examples, THREAT.seed
    )
    assert checked.bound == found.metrics["test.accuracy.worst_linf_0.1"]
    assert checked.in_ball == checked.confirmed == 20 and checked.is_same_model


def test_the_curve_comes_down_where_the_border_is() -> None:
    images, labels = Subject().examples("test")
    points = accuracy_curve(Nearest(4), images, labels, THREAT, 0)
    assert [round(each.epsilon, 6) for each in points] == [
        0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4,
    ]  # fmt: skip
    # 0.14 is 0.027 from the border and 0 is 0.167.
    assert [each.accuracy for each in points] == [1, 1, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]


def test_counts_for_intervals_are_in_a_file_that_programs_read() -> None:
    document = json.loads(evaluated(Subject(), THREAT).texts["robustness.json"])
    by_attack = {each["attack"]: each for each in document["test"]}
    assert {"clean", "fgsm", "pgd", "apgdt", "worst"} == set(by_attack)
    assert (by_attack["worst"]["correct"], by_attack["worst"]["examples"]) == (20, 40)
    assert document["threat"]["epsilon"] == 0.1 and len(document["curve"]) == 9


def test_warnings_are_kept_for_people_and_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = GradientMaskingWarning("masked", "when it is", "it is", "undo it", "cosine 0.2")
    monkeypatch.setattr(module, "check", lambda *_: [warning])
    found = evaluated(Subject(), THREAT)
    assert found.warnings == (warning,)
    for part in ("masked", "when it is", "it is", "undo it", "cosine 0.2"):
        assert part in found.texts["warnings.md"]
    assert json.loads(found.texts["robustness.json"])["warnings"][0]["remedy"] == "undo it"

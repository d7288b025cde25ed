"""The evaluation of a training: its examples, its epoch's weights, and replayed attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.adversarial.pixels.attack_memory import AttackMemory
from models.catalog import Threat
from models.data.loading import ImageSplits
from tests.support.image_trainings import BUSY, LEARNS, QUICK, SMALL, train, weights


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

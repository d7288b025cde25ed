import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.adversarial.attack_memory import AttackMemory
from models.catalog import MODELS, Threat, Value, metrics
from models.data import ImageSplits
from models.training import Training

QUICK = Threat(steps=2, cheap_steps=1, examples=20, cheap_examples=10)
SMALL: dict[str, Value] = {"width": 4, "fully_connected_width": 16, "batch_size": 16}
# Learns enough of 60 images in 8 epochs to be attacked; with seed 2 the last is not the best.
LEARNS: dict[str, Value] = {
    **SMALL, "width": 8, "adamw.learning_rate": 0.02, "schedule": "constant",
}  # fmt: skip
# Everything with a state or randomness of its own, for the tests of resuming.
BUSY: dict[str, Value] = {
    **SMALL,
    "normalisation": "batch",
    "dropout": 0.3,
    "augmentation": "shift_flip",
    "schedule": "one_cycle",
    "adversarial_training": "fgsm",
    "weight_averaging": "ema",
}


def train(configuration: dict[str, Value], data: ImageSplits, **changes: Any) -> Training:
    arguments: dict[str, Any] = {"epochs": 2, "seed": 0, "threat": QUICK, **changes}
    return Training(configuration, data, **arguments)


def without_seconds(report: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in report.items() if not name.startswith("seconds")}


def weights(training: Training) -> dict[str, torch.Tensor]:
    return training.model.state_dict()


def weights_after(epochs: int, training: Training) -> dict[str, torch.Tensor]:
    """What an unfinished training would be judged by; a finished one keeps an epoch it picked."""
    for _, _ in zip(range(epochs), training.run(), strict=False):
        pass
    return training.classifier().state_dict()


def are_equal(one: Training, other: Training) -> bool:
    left, right = weights(one), weights(other)
    return all(torch.equal(left[name], right[name]) for name in left)


def test_plain_training_learns_digits(digits: ImageSplits) -> None:
    *_, last = train({}, digits, epochs=12).run()
    assert last["accuracy.clean"] > 0.95
    assert last["loss.train"] < 0.2


def test_adversarial_training_makes_robust(digits: ImageSplits) -> None:
    last = {}
    for method in ("none", "fgsm"):
        configuration: dict[str, Value] = {"width": 16, "adversarial_training": method}
        *_, last[method] = train(configuration, digits, epochs=8, threat=Threat()).run()
    name = Threat().metric()
    assert last["fgsm"][name] > last["none"][name] + 0.1


def test_each_epoch_reports_what_the_catalog_says(few_digits: ImageSplits) -> None:
    first, last = train(SMALL, few_digits).run()
    assert next(iter(first)) == "epoch" and (first["epoch"], last["epoch"]) == (1, 2)
    assert set(last) == {"epoch", "selection.collapsed", *metrics("cnn", QUICK)}
    corrupted = {name for name in last if name.startswith("accuracy.corrupted")}
    objectives = {"accuracy.clean", QUICK.metric(), QUICK.fgsm_metric(), "epoch.selected"}
    assert set(last) - set(first) == objectives | corrupted
    assert all(isinstance(value, float) for value in last.values())


def test_the_same_seed_gives_the_same_training(few_digits: ImageSplits) -> None:
    one, same, other = (train(BUSY, few_digits, seed=seed) for seed in (1, 1, 2))
    torch.manual_seed(5)
    reports = [without_seconds(report) for report in one.run()]
    torch.manual_seed(6)
    assert [without_seconds(report) for report in same.run()] == reports
    list(other.run())
    assert are_equal(one, same) and not are_equal(one, other)


def test_training_leaves_the_global_generator_alone(few_digits: ImageSplits) -> None:
    before = torch.get_rng_state()
    list(train(BUSY, few_digits).run())
    assert torch.equal(torch.get_rng_state(), before)


EACH_METHOD: list[dict[str, Value]] = [
    {"adversarial_training": method} for method in ("none", "fgsm", "pgd", "trades", "mart", "free")
]
RESUMED: list[dict[str, Value]] = [
    *EACH_METHOD,
    {"optimizer": "sgd", "weight_averaging": "none"},
    {"weight_averaging": "swa", "swa.start": 0.2},
    {"weight_averaging": "swa", "swa.start": 0.7},
    {"crafting_mode": "train"},
]


@pytest.mark.parametrize("changes", RESUMED, ids=str)
def test_a_resumed_training_equals_an_uninterrupted_one(
    few_digits: ImageSplits, changes: dict[str, Value]
) -> None:
    configuration = {**BUSY, **changes}
    whole = train(configuration, few_digits, epochs=4)
    expected = [without_seconds(report) for report in whole.run()]
    begun = train(configuration, few_digits, epochs=4)
    running = begun.run()
    next(running), next(running)
    buffer = io.BytesIO()
    torch.save(begun.state_dict(), buffer)
    next(running)  # goes on after saving; the copy must not follow
    buffer.seek(0)
    resumed = train(configuration, few_digits, epochs=4)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    assert resumed.epoch == 2
    assert [without_seconds(report) for report in resumed.run()] == expected[2:]
    assert are_equal(whole, resumed)


@pytest.mark.parametrize("changes", EACH_METHOD, ids=str)
def test_passes_a_method_makes_are_those_it_reports(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Value]
) -> None:
    backward = [0]
    real_grad, real_backward = torch.autograd.grad, torch.autograd.backward

    def grad(*arguments: Any, **keywords: Any) -> Any:
        backward[0] += 1
        return real_grad(*arguments, **keywords)

    def learn(*arguments: Any, **keywords: Any) -> Any:
        # One pass backward through two images where the loss is of two.
        backward[0] += 2 if changes["adversarial_training"] in ("trades", "mart") else 1
        return real_backward(*arguments, **keywords)

    training = train({**SMALL, "batch_size": 60, **changes}, few_digits)
    monkeypatch.setattr(torch.autograd, "backward", learn)
    monkeypatch.setattr(torch.autograd, "grad", grad)
    training._learning.epoch(0), training._learning.epoch(1)
    monkeypatch.undo()
    *_, last = train({**SMALL, "batch_size": 60, **changes}, few_digits).run()
    assert last["gradients.train"] == backward[0]


def test_a_state_is_a_copy(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits)
    state = training.state_dict()
    kept = {name: tensor.clone() for name, tensor in state["model"].items()}
    list(training.run())
    assert all(torch.equal(kept[name], state["model"][name]) for name in kept)


def test_a_training_at_its_last_epoch_yields_nothing_more(few_digits: ImageSplits) -> None:
    done = train(SMALL, few_digits)
    list(done.run())
    again = train(SMALL, few_digits)
    again.load_state_dict(done.state_dict())
    assert list(done.run()) == [] and list(again.run()) == []
    assert again.evaluate_test() == done.evaluate_test()


def test_the_test_split_is_judged_whole(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits)
    list(training.run())
    report = training.evaluate_test()
    assert set(report) == {"test.accuracy.clean", f"test.{QUICK.metric()}", "test.examples"}
    assert report["test.examples"] == 500
    assert 0 <= report[f"test.{QUICK.metric()}"] <= report["test.accuracy.clean"] <= 1
    assert training.evaluate_test() == report


def test_all_configurations_meet_the_same_examples(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[bytes, int]] = []

    def record(
        model: Any, images: Any, labels: Any, threat: Any, seed: int, losses: Any
    ) -> np.ndarray:
        met.append((images.numpy().tobytes(), seed))
        return np.ones(len(labels), dtype=bool)

    monkeypatch.setattr("models.image_judgement.robust_correct", record)
    for seed, configuration in enumerate([SMALL, BUSY, {**SMALL, "optimizer": "sgd"}]):
        list(train(configuration, few_digits, epochs=1, seed=seed).run())
    assert met[0] == met[1] == met[2]
    list(train(SMALL, few_digits, epochs=1, threat=Threat(steps=4, seed=1)).run())
    assert met[-1] != met[0]


def test_a_diverged_training_reports_nan_and_ends(few_digits: ImageSplits) -> None:
    wild: dict[str, Value] = {**SMALL, "optimizer": "sgd", "sgd.learning_rate": 10.0}
    wild |= {"sgd.momentum": 0.99, "schedule": "constant"}
    training = train(wild, few_digits, epochs=30)
    reports = list(training.run())
    assert training.diverged and training.ended and len(reports) < 30
    last = reports[-1]
    assert set(last) == {"epoch", "selection.collapsed", *metrics("cnn", QUICK)}
    known = {"epoch", "loss.train", "selection.collapsed", "gradients.train"}
    for name in set(without_seconds(last)) - known:
        assert math.isnan(last[name]), name
    assert all(math.isfinite(report["selection.accuracy.clean"]) for report in reports[:-1])
    again = train(wild, few_digits, epochs=30)
    again.load_state_dict(training.state_dict())
    assert list(again.run()) == [] and again.confirm() == {}
    assert math.isnan(again.evaluate_test()["test.accuracy.clean"])


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


def test_patience_ends_a_training_after_epochs_without_a_better_one(
    few_digits: ImageSplits,
) -> None:
    training = train({**LEARNS, "patience": 2}, few_digits, epochs=60)
    reports = list(training.run())
    assert training.ended and 3 <= len(reports) < 60
    assert QUICK.metric() in reports[-1]
    again = train({**LEARNS, "patience": 2}, few_digits, epochs=60)
    again.load_state_dict(training.state_dict())
    assert again.ended and list(again.run()) == []


def test_the_parts_of_the_validation_split_are_disjoint_and_whole(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits)
    parts = [training.examples(name)[0] for name in ("selection", "objective", "confirmation")]
    rows = {image.numpy().tobytes() for part in parts for image in part}
    everything = few_digits.validation_images.astype(np.float32) / few_digits.scale
    assert rows == {image.tobytes() for image in everything}
    assert sum(map(len, parts)) == len(everything)
    assert len(training.examples("test")[1]) == 500


def test_what_broke_one_trial_is_replayed_on_the_next(
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


def test_confirming_repeats_and_survives_a_checkpoint(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits, epochs=4)
    assert training.confirm() == {}
    *_, last = training.run()
    found = training.confirm()
    names = {QUICK.apgd_metric(), "robustness.gap", "robustness.replaced"}
    replaced = {QUICK.metric(), f"unconfirmed.{QUICK.metric()}"}
    assert set(found) == names | (replaced if found["robustness.replaced"] else set())
    assert found[QUICK.apgd_metric()] <= last[QUICK.metric()]
    again = train(SMALL, few_digits, epochs=4)
    again.load_state_dict(training.state_dict())
    assert again.confirm() == found


def test_a_last_batch_of_one_does_not_break_batch_normalisation(few_digits: ImageSplits) -> None:
    # 60 examples in batches of 59 leave one; five blocks leave it 1x1 pixels.
    one: dict[str, Value] = {**SMALL, "batch_size": 59, "blocks": 5, "normalisation": "batch"}
    assert math.isfinite(next(train(one, few_digits).run())["loss.train"])


def test_read_only_arrays_are_enough(few_digits: ImageSplits, recwarn: Any) -> None:
    for array in (few_digits.train_images, few_digits.validation_images, few_digits.test_images):
        array.setflags(write=False)
    training = train(SMALL, few_digits)
    list(training.run())
    training.evaluate_test()
    assert not [w for w in recwarn if "writable" in str(w.message)]


def test_a_training_needs_an_epoch(few_digits: ImageSplits) -> None:
    with pytest.raises(ValueError, match="0 epochs"):
        train(SMALL, few_digits, epochs=0)


def alternatives() -> list[tuple[str, Value]]:
    """For every hyperparameter another value than its default; for a choice, every other."""
    pairs: list[tuple[str, Value]] = []
    for name, hyperparameter in MODELS["cnn"].items():
        if hyperparameter.choices is not None:
            pairs += [(name, c) for c in hyperparameter.choices if c != hyperparameter.default]
        elif name == "patience":
            continue  # it changes how long a training goes on, not how
        elif name == "ema.decay":
            pairs.append((name, 0.9))
        elif hyperparameter.default == 0:
            # Small, but enough: a clipping threshold must lie below the gradient's norm.
            pairs.append((name, 0.01 if name == "gradient_clip" else 0.5))
        else:
            half = hyperparameter.default / 2  # type: ignore[operator]
            pairs.append((name, int(half) if hyperparameter.kind == "int" else half))
    return pairs


@pytest.mark.parametrize(("name", "value"), alternatives(), ids=str)
def test_every_hyperparameter_changes_the_training(
    few_digits: ImageSplits, name: str, value: Value
) -> None:
    base_values: dict[str, Value] = {"batch_size": 16}  # several steps, for the schedules
    base_values |= {p: values[0] for p, values in MODELS["cnn"][name].when.items()}
    if name == "crafting_mode":
        base_values["normalisation"] = "batch"  # what has no modes cannot differ
    if name == "weight_averaging":
        base_values["swa.start"] = 0.0  # the average of one epoch is that epoch
    ours, theirs = (
        weights_after(3, train(values, few_digits, epochs=4))
        for values in (base_values, {**base_values, name: value})
    )
    same_shapes = {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
    assert not same_shapes or any(not torch.equal(ours[n], theirs[n]) for n in ours)


@pytest.mark.gpu
def test_cuda_trains_as_well_as_the_cpu(digits: ImageSplits) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    configuration: dict[str, Value] = {"adversarial_training": "pgd", "normalisation": "batch"}
    training = train(configuration, digits, epochs=10, threat=Threat(), device="cuda")
    *_, last = training.run()
    assert last["accuracy.clean"] > 0.95 and last[Threat().metric()] > 0.6
    again = train(configuration, digits, epochs=10, threat=Threat(), device="cuda")
    again.load_state_dict(training.state_dict())
    assert again.evaluate_test() == training.evaluate_test()

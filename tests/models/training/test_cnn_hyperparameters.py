"""Every hyperparameter in the catalogue of the CNN does something to its training."""

from __future__ import annotations

import pytest
import torch

from models.catalog import MODELS, Value
from models.data.loading import ImageSplits
from models.training.image_training import ImageTraining
from tests.support.image_trainings import train


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


def weights_after(epochs: int, training: ImageTraining) -> dict[str, torch.Tensor]:
    """The weights of an unfinished training; a finished one keeps those of its picked epoch."""
    for _, _ in zip(range(epochs), training.run(), strict=False):
        pass
    return training.classifier().state_dict()


@pytest.mark.slow
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

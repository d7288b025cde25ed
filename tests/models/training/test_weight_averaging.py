import pytest
import torch
from torch import nn

from models.training.weight_averaging import WeightAverage

EMA = {"weight_averaging": "ema", "ema.decay": 0.9}
SWA = {"weight_averaging": "swa", "swa.start": 0.5}


def at(value: float) -> nn.Module:
    """A model with one weight, and batch statistics of the same value."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    return moved(model, value)


def moved(model: nn.Module, value: float) -> nn.Module:
    with torch.no_grad():
        model[0].weight.fill_(value)
        model[1].running_mean.fill_(value)
        model[1].num_batches_tracked.fill_(int(value))
    return model


def values(model: nn.Module) -> tuple[float, float, int]:
    state = model.state_dict()
    return float(state["0.weight"]), float(state["1.running_mean"]), int(
        state["1.num_batches_tracked"]
    )  # fmt: skip


def test_ema_weighs_steps_by_powers_of_the_decay_and_forgets_the_start() -> None:
    model = at(100.0)
    average = WeightAverage(model, EMA, epochs=4)
    for value in (1.0, 2.0, 4.0):
        average.after_step(moved(model, value))
    # 0.9^2, 0.9 and 1 are the weights of the three steps.
    expected = (0.81 * 1 + 0.9 * 2 + 1 * 4) / (0.81 + 0.9 + 1)
    weight, mean, count = values(average.averaged(model))
    assert weight == pytest.approx(expected) and mean == pytest.approx(expected)
    assert count == 4 and values(model)[0] == 4.0


def test_swa_is_the_plain_mean_of_the_late_epochs() -> None:
    model = at(100.0)
    average = WeightAverage(model, SWA, epochs=4)
    averages = []
    for epoch, value in enumerate((1.0, 2.0, 4.0, 8.0), start=1):
        average.after_step(moved(model, value))
        average.after_epoch(model, epoch)
        averages.append(values(average.averaged(model))[0])
    assert averages == [1.0, 2.0, 4.0, 6.0]  # two epochs as they are, then the third and fourth


@pytest.mark.parametrize("configuration", [EMA, SWA])
def test_an_average_goes_on_from_its_state(configuration: dict[str, object]) -> None:
    model = at(1.0)
    whole = WeightAverage(model, configuration, epochs=2)
    resumed = WeightAverage(model, configuration, epochs=2)
    for epoch, value in enumerate((2.0, 7.0), start=1):
        whole.after_step(moved(model, value))
        whole.after_epoch(model, epoch)
        if epoch == 1:
            resumed.load_state_dict(whole.state_dict())
    resumed.after_step(model)
    resumed.after_epoch(model, 2)
    assert values(resumed.averaged(model)) == values(whole.averaged(model))

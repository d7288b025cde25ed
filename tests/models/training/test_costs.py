"""Costs of a model: counts by hand, sizes of real files, and a clock that the test moves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.catalog import complete
from models.data.loading import load_images
from models.networks import cnn
from models.networks.builder import network_data
from models.training import costs
from models.training.costs import model_costs, saved_bytes, speed_of

CPU = torch.device("cpu")


def test_the_costs_of_a_linear_layer_are_those_counted_by_hand() -> None:
    model = nn.Linear(4, 3)
    assert model.bias is not None
    model.bias.requires_grad_(False)
    found = model_costs(model, torch.zeros(2, 4))
    assert found["parameters.total"] == 4 * 3 + 3
    assert found["parameters.trainable"] == 4 * 3
    assert found["disk.model_mb"] == pytest.approx(15 * 4 / 1e6)
    assert found["work.example"] == 2 * 4 * 3  # a multiplication and an addition for each weight


def test_weights_that_share_memory_count_once() -> None:
    first, second = nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    assert saved_bytes(model) == 25 * 4
    assert model_costs(model, torch.zeros(1, 5))["parameters.total"] == 25


def test_megabytes_are_those_of_a_file_but_for_its_header(tmp_path: Path) -> None:
    digits = load_images({"name": "digits"})
    model = cnn.build(complete("cnn", {"normalisation": "batch"}), network_data(digits))
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    header = (tmp_path / "model.safetensors").stat().st_size - saved_bytes(model)
    assert 0 < header < 150 * len(model.state_dict())


class Sleeping(nn.Module):
    """A model that takes 4 ms for one example and 20 ms for more."""

    def forward(self, inputs: Tensor) -> Tensor:
        time.sleep(0.004 if len(inputs) == 1 else 0.020)
        return inputs


def test_latency_is_of_one_example_and_throughput_of_the_batch() -> None:
    found = model_costs(Sleeping(), torch.zeros(10, 2))
    # A sleep never ends early; how late it ends is up to the machine.
    assert found["latency.ms"] >= 4
    assert found["throughput.per_second"] <= 10 / 0.020
    assert found["parameters.total"] == found["disk.model_mb"] == 0


def test_what_a_model_takes_by_keyword_is_measured_too() -> None:
    class Keyword(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[int, ...]] = []

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            self.seen.append(tuple(input_ids.shape))
            return input_ids * attention_mask

    model = Keyword()
    one = {"input_ids": torch.ones(1, 3), "attention_mask": torch.ones(1, 3)}
    batch = {"input_ids": torch.ones(4, 7), "attention_mask": torch.ones(4, 7)}
    model_costs(model, batch, one)
    assert set(model.seen) == {(1, 3), (4, 7)}


def test_the_clock_counts_after_warm_up_and_the_median_ignores_one_slow_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, passes = [0.0], [0]
    # Three passes of warm-up; then five, which take more than 0.3 s together.
    durations = [50.0, 50.0, 50.0, 0.1, 0.3, 0.2, 9.0, 0.2]

    def run() -> None:
        clock[0] += durations[passes[0]]
        passes[0] += 1

    monkeypatch.setattr(costs, "_now", lambda device: clock[0])
    speed = speed_of(run, CPU)
    assert passes[0] == 3 + 5
    # Sorted: 0.1, 0.2, 0.2, 0.3, 9.0; the quartiles are the second and the fourth.
    assert speed.seconds == pytest.approx(0.2)
    assert speed.spread == pytest.approx((0.3 - 0.2) / 0.2)


def test_a_fast_pass_is_repeated_200_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, passes = [0.0], [0]

    def run() -> None:
        clock[0] += 1e-6
        passes[0] += 1

    monkeypatch.setattr(costs, "_now", lambda device: clock[0])
    speed_of(run, CPU)
    assert passes[0] == 3 + 200


def test_measuring_leaves_the_model_and_the_random_state_as_they_were() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    model_costs(model, torch.rand(8, 3, generator=torch.Generator()))
    assert torch.equal(torch.rand(2), expected)
    assert [each.training for each in model] == [True, False, True]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a function; fix: give a torch\.nn\.Module"):
        model_costs(lambda inputs: inputs, torch.zeros(1, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fix: give a batch"):
        model_costs(nn.Linear(2, 2), torch.zeros(0, 2))

import pytest
import torch
from torch import nn

from models.catalog import complete
from models.networks.cnn import CNN


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28), (2, 5, 9), (1, 1, 1)])
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_any_number_of_blocks_fits_any_image(shape: tuple[int, int, int], blocks: int) -> None:
    model = CNN(complete("cnn", {"blocks": blocks, "width": 2, "normalisation": "group"}), shape, 7)
    assert model(torch.rand(3, *shape)).shape == (3, 7)


def test_the_output_is_logits_not_probabilities() -> None:
    model = CNN(complete("cnn", {}), (1, 8, 8), 10)
    assert not any(isinstance(part, nn.Softmax | nn.LogSoftmax) for part in model.modules())
    assert (model(torch.rand(4, 1, 8, 8)) < 0).any()


def test_the_default_has_the_sizes_of_the_classic_net() -> None:
    weights = CNN(complete("cnn", {}), (1, 28, 28), 10).state_dict()
    sizes = [tuple(tensor.shape) for name, tensor in weights.items() if name.endswith("weight")]
    assert sizes == [(32, 1, 3, 3), (64, 32, 3, 3), (128, 64 * 7 * 7), (10, 128)]


def test_normalisation_of_the_input_sits_inside_the_model() -> None:
    torch.manual_seed(0)
    plain = CNN(complete("cnn", {"width": 4}), (2, 8, 8), 3)
    mean, std = torch.tensor([0.2, 0.7]), torch.tensor([0.5, 0.1])
    inside = CNN(complete("cnn", {"width": 4}), (2, 8, 8), 3, mean, std)
    inside.features, inside.classifier = plain.features, plain.classifier
    images = torch.rand(5, 2, 8, 8)
    outside = (images - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(inside(images), plain(outside))


def test_a_plain_network_draws_the_weights_of_its_layers_in_their_order() -> None:
    # Trials of earlier searches can be repeated and their checkpoints loaded: names and initial
    # weights of a plain network are those of this list of layers, for any seed.
    values = complete("cnn", {"width": 4, "normalisation": "batch", "fully_connected_width": 9})
    torch.manual_seed(3)
    model = CNN(values, (3, 9, 8), 5)
    torch.manual_seed(3)
    layers = nn.ModuleDict({
        "features": nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.MaxPool2d(2),
        ),
        "classifier": nn.Sequential(
            nn.Linear(8 * 2 * 2, 9), nn.ReLU(), nn.Dropout(0.0), nn.Linear(9, 5)
        ),
    })  # fmt: skip
    ours, expected = model.state_dict(), layers.state_dict()
    assert list(ours) == ["mean", "std", *expected]
    assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_the_network_itself_chooses_its_memory_format() -> None:
    for block in ("plain", "residual"):
        weights = CNN(complete("cnn", {"width": 4, "block": block}), (3, 8, 8), 5).parameters()
        assert all(
            each.is_contiguous(memory_format=torch.channels_last)
            for each in weights
            if each.dim() == 4
        )

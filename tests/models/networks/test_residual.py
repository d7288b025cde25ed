"""Two residual networks of the literature are points of the CNN's hyperparameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.catalog import Value, complete
from models.networks.cnn import CNN
from models.weights.head_rows import head_tensors

RESNET18: dict[str, Value] = {"block": "residual", "width": 64, "normalisation": "batch"}
RESNET9: dict[str, Value] = {**RESNET18, "downsampling": "pool", "stages": "1-0-1"}
SMALL: dict[str, Value] = {"block": "residual", "width": 2, "normalisation": "group"}


def build(values: dict[str, Value], shape: tuple[int, int, int] = (3, 32, 32)) -> CNN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CNN(complete("cnn", values), shape, 10)


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def convolutions(model: nn.Module) -> list[tuple[int, int, int, int]]:
    """(channels, filters, side, stride) of each, in order."""
    layers = [each for each in model.modules() if isinstance(each, nn.Conv2d)]
    return [(e.in_channels, e.out_channels, e.kernel_size[0], e.stride[0]) for e in layers]


def test_the_default_of_residual_blocks_is_resnet18_for_small_images() -> None:
    model = build(RESNET18)
    # He et al. 2016, Table 1, with the 3x3 stem: two blocks of 64, 128, 256 and 512 filters.
    assert convolutions(model) == [
        (3, 64, 3, 1), *[(64, 64, 3, 1)] * 4,
        (64, 128, 3, 2), (128, 128, 3, 1), (64, 128, 1, 2), *[(128, 128, 3, 1)] * 2,
        (128, 256, 3, 2), (256, 256, 3, 1), (128, 256, 1, 2), *[(256, 256, 3, 1)] * 2,
        (256, 512, 3, 2), (512, 512, 3, 1), (256, 512, 1, 2), *[(512, 512, 3, 1)] * 2,
    ]  # fmt: skip
    # The published number of the network for CIFAR-10: convolutions 11,159,232; 2 for each of
    # 4,800 normalised channels (64 + 4 * 64 + 5 * (128 + 256 + 512)); 512 * 10 + 10 of the head.
    assert parameters(model) == 11_173_962 == 11_159_232 + 2 * 4_800 + 5_130
    shapes: list[tuple[int, ...]] = []
    model.features[-1].register_forward_hook(lambda _, given, __: shapes.append(given[0].shape[1:]))
    assert model.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert shapes == [(512, 4, 4)]  # then the mean over the pixels, as in the paper
    assert isinstance(model.features[-1], nn.AdaptiveAvgPool2d)


def test_resnet9_is_a_point_too() -> None:
    model = build(RESNET9)
    # Page 2018: prep, layer1 with a residual block, layer2, layer3 with a residual block.
    assert convolutions(model) == [
        (3, 64, 3, 1), (64, 128, 3, 1), *[(128, 128, 3, 1)] * 2, (128, 256, 3, 1),
        (256, 512, 3, 1), *[(512, 512, 3, 1)] * 2,
    ]  # fmt: skip
    # Convolutions: 9 * (3*64 + 64*128 + 2*128*128 + 128*256 + 256*512 + 2*512*512) = 6,563,520;
    # his linear layer has no bias: 512 * 10 = 5,120; together 6,568,640. Batch normalisation has
    # 2 for each of 64 + 3 * 128 + 256 + 3 * 512 = 2,240 channels.
    assert parameters(model) == 6_568_640 + 2 * 2_240
    stages = [type(each).__name__ for each in model.features if type(each) is not nn.ReLU]
    convolved = ["Conv2d", "BatchNorm2d"]
    pooled = [*convolved, "MaxPool2d"]
    assert stages == [
        *convolved, *pooled, "Residual", *pooled, *pooled, "Residual", "AdaptiveMaxPool2d",
    ]  # fmt: skip
    shapes: list[tuple[int, ...]] = []
    model.features[-1].register_forward_hook(lambda _, given, __: shapes.append(given[0].shape[1:]))
    assert model.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert shapes == [(512, 4, 4)]  # his last pool is 4x4


def test_a_strided_block_adds_before_its_last_activation() -> None:
    model = build({**SMALL, "normalisation": "none", "stages": "1-1"}, (1, 7, 5)).double()
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    images = torch.rand(3, 1, 7, 5, dtype=torch.float64)

    def convolved(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = weights[f"features.{name}.weight"], weights[f"features.{name}.bias"]
        return functional.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2)

    x = convolved("0", images).relu()
    x = (x + convolved("2.body.2", convolved("2.body.0", x).relu())).relu()
    body = convolved("4.body.2", convolved("4.body.0", x, 2).relu())
    x = (convolved("4.shortcut.0", x, 2) + body).relu()
    assert x.shape == (3, 4, 4, 3)  # sides are rounded up
    logits = x.mean((2, 3)) @ weights["classifier.1.weight"].T + weights["classifier.1.bias"]
    torch.testing.assert_close(model(images), logits)


def test_a_block_of_resnet9_adds_after_its_last_activation() -> None:
    values = {**SMALL, "normalisation": "none", "downsampling": "pool", "stages": "1-0-1"}
    model = build(values, (1, 8, 8)).double()
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64)

    def convolved(name: str, x: Tensor) -> Tensor:
        weight, bias = weights[f"features.{name}.weight"], weights[f"features.{name}.bias"]
        return functional.conv2d(x, weight, bias, padding=1).relu()

    x = functional.max_pool2d(convolved("2", convolved("0", images)), 2)
    x = x + convolved("5.body.2", convolved("5.body.0", x))
    x = functional.max_pool2d(convolved("6", x), 2)
    x = functional.max_pool2d(convolved("9", x), 2)
    x = x + convolved("12.body.2", convolved("12.body.0", x))
    torch.testing.assert_close(model(images), x.amax((2, 3)) @ weights["classifier.1.weight"].T)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 9), (1, 1, 7), (1, 1, 1)])
@pytest.mark.parametrize("downsampling", ["stride", "pool"])
def test_any_stages_fit_any_image(shape: tuple[int, int, int], downsampling: str) -> None:
    for stages in ("1-0-1", "2-2-2-2", "3-4-6-3"):
        model = build({**SMALL, "downsampling": downsampling, "stages": stages}, shape)
        assert model(torch.rand(2, *shape)).shape == (2, 10)


def test_kernel_activation_normalisation_and_dropout_keep_their_meaning() -> None:
    model = build(SMALL | {"kernel_size": 5, "activation": "silu", "dropout": 0.3})
    sides = {side for _, _, side, stride in convolutions(model) if stride == 1}
    assert sides == {5}
    kinds = {type(each) for each in model.modules()}
    assert {nn.SiLU, nn.GroupNorm} <= kinds and not {nn.ReLU, nn.BatchNorm2d} & kinds
    assert isinstance(model.classifier[0], nn.Dropout) and model.classifier[0].p == 0.3


def test_the_head_is_the_linear_layer_with_its_bias_if_it_has_one() -> None:
    assert head_tensors(build(SMALL), 10) == ("classifier.1.weight", "classifier.1.bias")
    assert head_tensors(build({**SMALL, "downsampling": "pool"}), 10) == ("classifier.1.weight",)

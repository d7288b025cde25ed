"""Defences that only look robust, around a CNN that is really trained: what checks must catch.

Each has a known cause. None makes a model more robust; all make some gradient attack fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.catalog import complete
from models.data.loading import ImageSplits
from models.networks.cnn import CNN
from tests.support.tiny_classifiers import Then, Through

# DESIGN section 3 point 9: plain training with this gain looked robust to PGD-10.
GAIN = 8.0


class Scaled(nn.Module):
    """Logits times a constant: every prediction as before, cross-entropy saturated or flat."""

    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits * self.factor


class SteepTanh(nn.Module):
    """tanh(gain x): units saturate, and their gradients are large in thin layers between."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, values: Tensor) -> Tensor:
        return torch.tanh(self.gain * values)


# Name -> what it makes of a trained CNN.
WRAPPED: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "logits x 30": lambda model: Scaled(model, 30.0),
    "logits x 0.001": lambda model: Scaled(model, 1e-3),
    # Four levels; the gradient is zero everywhere.
    "quantised inputs": lambda model: Through(lambda images: torch.round(images * 3) / 3, model),
    "noise at inference": lambda model: Through(
        lambda images: images + 0.1 * torch.randn_like(images), model
    ),
    "softmax outputs": lambda model: Then(model, lambda logits: logits.softmax(1)),
}

# Names of warnings that tell what is the matter with a defence.
CAUSES: Mapping[str, frozenset[str]] = {
    "logits x 30": frozenset({"logits of extreme scale", "gradients vanish"}),
    "logits x 0.001": frozenset({"logits of extreme scale"}),
    "quantised inputs": frozenset({"parts are not differentiable", "gradients vanish"}),
    "noise at inference": frozenset({"two evaluation passes disagree"}),
    "softmax outputs": frozenset({"outputs are probabilities"}),
    "steep tanh": frozenset({"nearby gradients disagree"}),
}


def steep_tanh(
    data: ImageSplits,
    seed: int,
    *,
    epochs: int = 12,
    normalisation: str = "none",
    gain: float = GAIN,
) -> CNN:
    """A plainly trained CNN of tanh units with a large internal gain, in eval mode."""
    pixels = torch.tensor(data.train_images).double() / data.scale
    spread, mean = torch.std_mean(pixels, dim=(0, 2, 3))
    channels, height, width = pixels.shape[1:]
    settings: dict[str, bool | int | float | str] = {
        "width": 16,
        "activation": "tanh",
        "normalisation": normalisation,
    }
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = CNN(
            complete("cnn", settings),
            (channels, height, width),
            len(data.label_names),
            mean,
            spread,
        )
    for layers in (model.features, model.classifier):
        for place, layer in enumerate(layers):
            if isinstance(layer, nn.Tanh):
                layers[place] = SteepTanh(gain)
    train_plainly(model, data, seed, epochs)
    return model.eval()


def train_plainly(model: nn.Module, data: ImageSplits, seed: int, epochs: int) -> None:
    """AdamW on cross-entropy, batches of 64."""
    images = torch.tensor(data.train_images).float() / data.scale
    labels = torch.tensor(data.train_labels)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(labels), generator=generator), 64):
            loss = functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()

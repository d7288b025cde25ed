"""A small network really trained on digits, and examples that it has not seen."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.catalog import complete
from models.data.loading import ImageSplits
from models.networks.cnn import CNN


@pytest.fixture(scope="session")
def trained(digits: ImageSplits) -> CNN:
    """About 0.97 clean, and half of it at an L-infinity epsilon of 0.1."""
    images = torch.tensor(digits.train_images).float() / digits.scale
    labels = torch.tensor(digits.train_labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        configuration = complete("cnn", {"width": 16, "normalisation": "batch"})
        model = CNN(configuration, (1, 8, 8), 10)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
        for _ in range(5):
            for index in torch.split(torch.randperm(len(labels)), 64):
                loss = functional.cross_entropy(model(images[index]), labels[index])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def examples(digits: ImageSplits) -> tuple[Tensor, Tensor]:
    images = torch.tensor(digits.validation_images[:120]).float() / digits.scale
    return images, torch.tensor(digits.validation_labels[:120])

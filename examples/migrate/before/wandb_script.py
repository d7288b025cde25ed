"""A small network on scikit-learn's digits."""

import torch
import wandb
from sklearn.datasets import load_digits
from torch import nn


def train():
    """Train one configuration, and log its accuracy after every epoch."""
    config = wandb.init().config
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(
        nn.Linear(64, config["width"]), nn.ReLU(),
        nn.Dropout(config["dropout"]), nn.Linear(config["width"], 10),
    )  # fmt: skip
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[config["optimizer"]]
    optimizer = make(model.parameters(), config["learning_rate"])
    for _ in range(config["epochs"]):
        model.train()
        for some in torch.randperm(1200).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[some]), labels[some]).backward()
            optimizer.step()
        model.eval()
        right = model(images[1200:]).argmax(1) == labels[1200:]
        wandb.log({"val/accuracy": right.float().mean().item()})


if __name__ == "__main__":
    train()

"""A training loop of one's own on images, with robust accuracy as the second objective.

Run it from the folder above: `twentieth run examples/own_loop.yaml`.
"""

import torch
from torch import nn
from torch.nn import functional

from search.robustness import evaluate, examples


def train(configuration, trial):
    """Train a small network on the images that the spec names."""
    torch.manual_seed(trial.seed)
    images, labels = examples(trial.data, trial.threat, "train", trial.device)
    width, classes = configuration["width"], len(trial.data.label_names)
    model = nn.Sequential(
        nn.Conv2d(images.shape[1], width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
        nn.Flatten(), nn.Linear(16 * width, classes),
    ).to(trial.device)  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), configuration["learning_rate"])
    if trial.checkpoint:
        model.load_state_dict(trial.checkpoint["model"])
        optimizer.load_state_dict(trial.checkpoint["optimizer"])
    for epoch in range(trial.epoch, trial.epochs):
        chance = torch.Generator().manual_seed(trial.seed + epoch)
        for some in torch.randperm(len(labels), generator=chance).split(32):
            batch = images[some] + configuration["noise"] * torch.randn_like(images[some])
            loss = functional.cross_entropy(model(batch), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        attacked = examples(trial.data, trial.threat, device=trial.device)
        metrics = evaluate(model, *attacked, trial.threat).metrics
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        trial.report({"loss": loss, **metrics}, checkpoint=state)

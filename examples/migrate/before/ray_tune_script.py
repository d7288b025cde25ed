"""A small network on scikit-learn's digits."""

import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from sklearn.datasets import load_digits
from torch import nn

EPOCHS = 10


def train(config):
    """Train one configuration, and report its accuracy after every epoch."""
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(
        nn.Linear(64, config["width"]), nn.ReLU(),
        nn.Dropout(config["dropout"]), nn.Linear(config["width"], 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), config["learning_rate"])
    for _ in range(EPOCHS):
        model.train()
        for some in torch.randperm(1200).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[some]), labels[some]).backward()
            optimizer.step()
        model.eval()
        right = model(images[1200:]).argmax(1) == labels[1200:]
        tune.report({"accuracy": right.float().mean().item()})


if __name__ == "__main__":
    tuner = tune.Tuner(
        train,
        param_space={
            "learning_rate": tune.loguniform(1e-4, 1e-1),
            "width": tune.choice([16, 32, 64, 128]),
            "dropout": tune.uniform(0.0, 0.5),
        },
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            num_samples=12,
            max_concurrent_trials=2,
            scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=3, reduction_factor=3),
        ),
    )
    print(tuner.fit().get_best_result().config)

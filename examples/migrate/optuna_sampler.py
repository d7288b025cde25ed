"""A small network on scikit-learn's digits."""

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn

import search

EPOCHS = 10


def objective(trial):
    """Train one configuration; return its accuracy."""
    learning_rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    width = trial.suggest_int("width", 16, 128, step=16)
    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    for epoch in range(EPOCHS):
        model.train()
        for some in torch.randperm(1200).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[some]), labels[some]).backward()
            optimizer.step()
        model.eval()
        right = model(images[1200:]).argmax(1) == labels[1200:]
        accuracy = right.float().mean().item()
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return accuracy


if __name__ == "__main__":
    earlier = optuna.load_study(study_name="digits", storage="sqlite:///study.db")
    history = search.History.from_studies({"digits": earlier})
    study = optuna.create_study(
        study_name="digits-2", storage="sqlite:///study.db", direction="maximize",
        load_if_exists=True,
        sampler=search.WarmStartSampler(history, seed=0, task="digits"),
    )  # fmt: skip
    study.optimize(objective, n_trials=12)
    print(study.best_params)

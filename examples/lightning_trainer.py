"""A script with Lightning's trainer as a training function: the callback is the one line more.

The task is a toy, so that it runs in seconds. Run it from the folder above:
`twentieth run examples/lightning_trainer.yaml`.
"""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from search.callbacks import LightningCallback


class Classifier(pl.LightningModule):
    """Two layers that tell whether the sum of eight numbers is positive."""

    def __init__(self, width, learning_rate):
        super().__init__()
        self.learning_rate = learning_rate
        self.net = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2))

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        inputs, labels = batch
        return functional.cross_entropy(self.net(inputs), labels)

    def validation_step(self, batch, index):
        """Log the accuracy on a batch."""
        inputs, labels = batch
        self.log("accuracy", (self.net(inputs).argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)


def toy(count, seed):
    """Return batches of `count` inputs with their labels."""
    inputs = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return DataLoader(TensorDataset(inputs, (inputs.sum(1) > 0).long()), batch_size=32)


def train(configuration, trial):
    """Train a classifier."""
    pl.seed_everything(trial.seed)
    model = Classifier(configuration["width"], configuration["learning_rate"])
    reporting = LightningCallback(trial)
    trainer = pl.Trainer(
        max_epochs=trial.epochs, default_root_dir=trial.folder, logger=False,
        enable_checkpointing=False, enable_progress_bar=False,
        callbacks=[reporting],
    )  # fmt: skip
    trainer.fit(model, toy(128, 0), toy(64, 1), ckpt_path=reporting.ckpt_path)

"""Training functions that tests search over instead of a network: quick, slow, broken in every way.

Most are generators of one metrics dict an epoch, as `train: python:tests.support.functions:NAME`
wants; the others report to their trial.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.training.trial_context import TrialContext


def two_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Yields two objectives that disagree about x; both rise with the epoch."""
    x = float(configuration["x"])
    for epoch in range(1, epochs + 1):
        share = epoch / epochs
        yield {"left": share * math.exp(-(x**2)), "right": share * math.exp(-((x - 1) ** 2))}


def hills_with_work(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Yields the same with the work of each epoch, which it knows itself."""
    for metrics in two_hills(configuration, epochs=epochs, seed=seed):
        yield metrics | {"work.epoch": 7e9}


def noisy_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Yields the same with a deviation of 0.05 that only the seed decides."""
    noise = random.Random(seed).gauss(0.0, 0.05)
    for metrics in two_hills(configuration, epochs=epochs, seed=seed):
        yield {name: value + noise for name, value in metrics.items()}


def slow_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Yields the same with a pause of `pause` seconds an epoch, or held at a gate.

    With a setting `gate` (see `Gate`) every trial waits at it before each of its epochs, so that a
    test can act in the middle of a search whatever the speed of the machine.
    """
    gate = Gate(Path(configuration["gate"])) if "gate" in configuration else None
    for metrics in two_hills(configuration, epochs=epochs, seed=seed):
        if gate is not None:
            gate.pass_through()
        time.sleep(float(configuration.get("pause", 0.0)))
        yield metrics


def hills_of_a_process(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Yields the same as another process says, which is started as a DataLoader may: by sockets."""
    with get_context("forkserver").Manager() as manager:
        taken = manager.list()
        for metrics in two_hills(configuration, epochs=epochs, seed=seed):
            taken.append(metrics)
            yield dict(taken[-1])


@dataclass(frozen=True)
class Gate:
    """A file that lets some epochs of a search pass and holds all others until it is deleted."""

    file: Path

    def close_after(self, epochs: int) -> None:
        """Lets `epochs` epochs pass, of whichever trials come first; called by the test."""
        new = self.file.with_name(f"{self.file.name}.new")
        new.write_text(str(epochs))
        new.replace(self.file)  # so that no trial reads a file that is half written

    def open(self) -> None:
        """Lets all epochs pass; called by the test."""
        self.file.unlink(missing_ok=True)

    def pass_through(self) -> None:
        """Waits until an epoch may begin; called by the trial."""
        while self.file.exists():
            if self._takes_a_place():
                return
            time.sleep(0.05)

    def _takes_a_place(self) -> bool:
        """Whether an epoch may pass: each that does makes a marker file."""
        try:
            allowed = int(self.file.read_text())
        except FileNotFoundError:  # opened between two looks
            return True
        for number in range(allowed):
            try:
                self.file.with_name(f"{self.file.name}.{number}").touch(exist_ok=False)
                return True
            except FileExistsError:
                continue
        return False


def sometimes_broken(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Raises, yields NaN, runs out of memory or dies, according to `fault`."""
    fault = configuration["fault"]
    for epoch, metrics in enumerate(two_hills(configuration, epochs=epochs, seed=seed), start=1):
        if epoch == 2 and fault == "raises":
            raise RuntimeError("this trial is broken <b>on purpose</b>")
        if epoch == 2 and fault == "nan":
            metrics["left"] = math.nan
        if epoch == 2 and fault == "memory":
            bytearray(1 << 60)
        if epoch == 2 and fault == "dies":
            os._exit(13)
        yield metrics


def nothing(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    """Yields epochs without any work, to measure the overhead."""
    for _ in range(epochs):
        yield {"left": float(configuration["x"]), "right": -float(configuration["x"])}


def regression(configuration: dict[str, Any], trial: TrialContext) -> None:
    """Fits a line to noise by Adam, with checkpoints of its own."""
    import torch

    generator = torch.Generator().manual_seed(trial.seed)
    x, noise = torch.randn(32, 1, generator=generator), torch.randn(32, 1, generator=generator)
    model = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)  # draws nothing
    with torch.no_grad():
        for part in model.parameters():
            part.zero_()
    optimizer = torch.optim.Adam(model.parameters(), lr=configuration["learning_rate"])
    if trial.checkpoint is not None:
        model.load_state_dict(trial.checkpoint["model"])
        optimizer.load_state_dict(trial.checkpoint["optimizer"])
    for _ in range(trial.epoch, trial.epochs):
        loss = (model(x) - 2 * x - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        trial.report({"loss": loss.detach()}, checkpoint=state)


def counted_epochs(configuration: dict[str, Any], trial: TrialContext) -> None:
    """Notes each epoch that it trains, in its log and in the file `trained`.

    Unless `how` is "", it ends so in its third epoch at first. An epoch takes `pause` seconds.
    """
    done = trial.checkpoint["done"] if trial.checkpoint else 0
    for epoch in range(done + 1, trial.epochs + 1):
        with Path(configuration["trained"]).open("a") as file:
            file.write(f"{epoch}\n")
        print(f"training epoch {epoch}", flush=True)
        time.sleep(float(configuration.get("pause", 0.0)))
        if epoch == 3 and trial.folder.joinpath("ended").exists() is False:
            trial.folder.joinpath("ended").touch()
            _end(configuration["how"])
        x = float(configuration["x"])
        share = epoch / trial.epochs
        metrics = {"left": share * math.exp(-(x**2)), "right": share * math.exp(-((x - 1) ** 2))}
        trial.report(metrics, checkpoint={"done": epoch})


def vowels(configuration: dict[str, Any], trial: TrialContext) -> None:
    """Calls a text good if the share of a letter in it is above x; fits nothing."""
    validation = trial.data.validation
    for _ in range(trial.epochs):
        found = [
            ("a" in text) == (trial.data.label_names[label] == "good")
            for (text,), label in zip(validation.texts, validation.labels, strict=True)
        ]
        trial.report({"left": sum(found) / len(found), "right": float(configuration["x"])})


def _end(how: str) -> None:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        bytearray(1 << 60)


def always_fails(configuration: dict[str, Any], trial: TrialContext) -> None:
    """Fails in every trial at the same place, as long as the file `broken` exists."""
    trial.report({"left": 0.1, "right": 0.1})
    print("about to fail")
    if Path(configuration["broken"]).exists():
        raise RuntimeError("the table of labels is empty")
    while not trial.should_stop:
        trial.report({"left": float(configuration["x"]), "right": 0.1})

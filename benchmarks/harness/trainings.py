"""Trains configurations of a spec in this process and keeps every result on disk.

A benchmark trains some hundreds of networks; one that is killed goes on where it was, because a
training is a function of its arguments and is looked up first. Not for searches: those run in Ray
(search/optimize).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import StoredResults
from benchmarks.harness.code_version import models_version
from models.catalog import Threat
from models.data.loading import ImageSplits, load_images
from search.spec import Spec

_PARTS_OF_WORK = ("work.train", "work.evaluation")


class Trainings:
    """Trains for one spec; results are cells in the folder `cache`.

    Args:
        spec: Its data, model settings, epochs and threat are those of every training.
        cache: Folder outside the repository.
    """

    def __init__(self, spec: Spec, cache: Path) -> None:
        assert isinstance(spec.robustness, Threat), "these are trainings on images"
        self.threat = spec.robustness
        self._spec, self._store = spec, StoredResults(cache, "trainings")

    def train(
        self, configuration: Mapping[str, Any], seed: int, *, tests: bool = False
    ) -> dict[str, Any]:
        """Train to the full budget; return "curve" (a metrics dict an epoch) and "test".

        "test" is empty unless `tests`. A diverged training has a shorter curve that ends in NaN.
        """
        complete = self._spec.complete(configuration)
        key = self._key(complete, seed, tests)
        return self._store.once(key, lambda: self._trained(complete, seed, tests))

    def values(self, configuration: Mapping[str, Any], seed: int) -> list[float]:
        """Return the spec's objectives after the last epoch, on the validation split."""
        last = self.train(configuration, seed)["curve"][-1]
        return [float(last[objective.metric]) for objective in self._spec.objectives]

    def work(self, configuration: Mapping[str, Any], seed: int) -> float:
        """Return the FLOP of a training and of its evaluations after every epoch."""
        curve = self.train(configuration, seed)["curve"]
        return float(sum(metrics[part] for metrics in curve for part in _PARTS_OF_WORK))

    def values_on_test(self, configuration: Mapping[str, Any], seed: int) -> list[float]:
        """Return the spec's objectives after the last epoch, on the test split."""
        test = self.train(configuration, seed, tests=True)["test"]
        return [float(test[f"test.{objective.metric}"]) for objective in self._spec.objectives]

    def _trained(self, configuration: dict[str, Any], seed: int, tests: bool) -> dict[str, Any]:
        import torch

        from models.training.network import network_training

        torch.set_num_threads(1)
        training = network_training(
            configuration, images(json.dumps(self._spec.task.data)),
            epochs=self._spec.budget.epochs, seed=seed, threat=self.threat,
        )  # fmt: skip
        curve = list(training.run())
        return {"curve": curve, "test": training.evaluate_test() if tests else {}}

    def _key(self, configuration: Mapping[str, Any], seed: int, tests: bool) -> dict[str, Any]:
        folder = Path(self._spec.task.data.get("path", "")).name
        return {
            "data": {**self._spec.task.data, "path": folder},
            "configuration": dict(configuration),
            "epochs": self._spec.budget.epochs,
            "threat": asdict(self.threat),
            "seed": seed,
            "tests": tests,
            "code": models_version(),
        }


@functools.cache
def images(settings: str) -> ImageSplits:
    """Return the data set that settings, as JSON, select; loaded once a process."""
    return load_images(json.loads(settings))

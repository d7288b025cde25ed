"""Trains configurations of a spec in this process and keeps every result on disk.

A benchmark trains some hundreds of networks; one that is killed goes on where it was, because a
training is a function of its arguments and is looked up first. Not for searches: those run in Ray
(search/optimize).

NOTE: the code of `models/` is no part of the key. After a change there, give a new `--cache`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.catalog import Threat
from models.data.loading import ImageSplits, load_images
from search.spec import Spec

CACHE = Path(tempfile.gettempdir()) / "twentieth-benchmarks"


class Trainings:
    """Trains for one spec; results lie in `cache`, one JSON line each, a file a process.

    Args:
        spec: Its data, model settings, epochs and threat are those of every training.
        cache: Folder outside the repository.
    """

    def __init__(self, spec: Spec, cache: Path) -> None:
        assert isinstance(spec.robustness, Threat), "these are trainings on images"
        self.threat = spec.robustness
        self._spec, self._cache = spec, cache
        cache.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, dict[str, Any]] = {}
        for path in sorted(cache.glob("trainings-*.jsonl")):
            for line in path.read_text().splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # cut by a kill
                self._known[record["key"]] = record

    def train(
        self, configuration: Mapping[str, Any], seed: int, *, tests: bool = False
    ) -> dict[str, Any]:
        """Trains to the full budget; returns "curve" (a metrics dict an epoch) and "test".

        "test" is empty unless `tests`. A diverged training has a shorter curve that ends in NaN.
        """
        complete = self._spec.complete(configuration)
        key = self._key(complete, seed, tests)
        if key not in self._known:
            self._known[key] = {"key": key, **self._trained(complete, seed, tests)}
            with (self._cache / f"trainings-{os.getpid()}.jsonl").open("a") as file:
                file.write(json.dumps(self._known[key]) + "\n")
        return self._known[key]

    def values(self, configuration: Mapping[str, Any], seed: int) -> list[float]:
        """The spec's objectives after the last epoch, on the validation split."""
        last = self.train(configuration, seed)["curve"][-1]
        return [float(last[objective.metric]) for objective in self._spec.objectives]

    def values_on_test(self, configuration: Mapping[str, Any], seed: int) -> list[float]:
        """The spec's objectives after the last epoch, on the test split."""
        test = self.train(configuration, seed, tests=True)["test"]
        return [float(test[f"test.{objective.metric}"]) for objective in self._spec.objectives]

    def _trained(self, configuration: dict[str, Any], seed: int, tests: bool) -> dict[str, Any]:
        import torch

        from models.training.cnn import CNNTraining

        torch.set_num_threads(1)
        training = CNNTraining(
            configuration, images(json.dumps(self._spec.task.data)),
            epochs=self._spec.budget.epochs, seed=seed, threat=self.threat,
        )  # fmt: skip
        curve = list(training.run())
        return {"curve": curve, "test": training.evaluate_test() if tests else {}}

    def _key(self, configuration: Mapping[str, Any], seed: int, tests: bool) -> str:
        content = {
            "data": {**self._spec.task.data, "parquet": _folder_name(self._spec)},
            "configuration": configuration,
            "epochs": self._spec.budget.epochs,
            "threat": asdict(self.threat),
            "seed": seed,
            "tests": tests,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


@functools.cache
def images(settings: str) -> ImageSplits:
    """The data set that settings, as JSON, select; loaded once a process."""
    return load_images(json.loads(settings))


def _folder_name(spec: Spec) -> str:
    return Path(spec.task.data.get("parquet", "")).name

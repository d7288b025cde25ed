"""Plan: everything that the optimize step needs from the steps before it.

It is pickled once, to the driver process on this machine; it is never stored.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.networks.own_code import PassedCode
from search.apply.prior_data import PriorData
from search.history.provenance import UNKNOWN, read_origin
from search.space import SearchSpace
from search.spec import Spec

LOG = "driver.log"  # in the storage of a search: the output of its driver


@dataclass(frozen=True)
class Plan:
    """One launch of one search, new or resumed.

    `prior` is the data of other searches; the driver reads this search's own trials from the store
    after it has become the owner. `hours` bounds this launch, `trials_budget` the search.
    `initial_weights` maps `SEARCH#TRIAL` to the "file" with its weights and their "lineage".
    `passed` is the user's own function, if it is not one of a module. With `share_cores` the search
    does not wait for cores of this machine that others hold. With `may_end` the budget is an upper
    limit (`search/apply/ending.py`). `tags` and `note` are what a resume changes in the search's
    own run. The driver writes them, as its owner: a resume that is refused changes nothing.
    """

    spec: Spec
    space: SearchSpace
    task: str
    search: str
    tracking_uri: str
    experiment: str
    summary_run: str
    storage: Path
    trials_budget: int
    hours: float | None = None
    address: str | None = None
    prior: PriorData = field(default_factory=PriorData)
    initial_weights: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    passed: PassedCode | None = None
    share_cores: bool = False
    may_end: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def initial_files(self) -> dict[str, Path]:
        """Returns the weights that trials may start from: `SEARCH#TRIAL` -> file."""
        folder = self.storage / "initial_weights"
        return {name: folder / str(each["file"]) for name, each in self.initial_weights.items()}

    def lineage(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the lineage of the weights that a trial starts from; empty from scratch."""
        chosen = str(configuration.get("initial_weights", self.spec.starts_from))
        return dict(self.initial_weights.get(chosen, {}).get("lineage", {}))

    def config(self, number: int, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a worker needs to train a trial, or to evaluate it afterwards."""
        return {
            "number": number,
            "configuration": self.spec.complete(configuration),
            "checkpoints": str(self.checkpoints(number)),
            "seed": trial_seed(self.spec.seed, number),
        }

    def checkpoints(self, number: int) -> Path:
        """Returns the folder of a trial's checkpoints, which never changes."""
        return self.storage / "checkpoints" / f"trial_{number:04d}"


def resolved_storage(root: Path, search: str) -> Path:
    """Returns the storage path of a search, absolute because workers run in other folders."""
    return Path(os.path.abspath(root)) / search


def require_writable(folder: Path) -> None:
    """Creates a folder, and checks that files can be written there.

    Raises:
        ValueError: None can; the message says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"x")  # an empty file has room on a full disk, too
    except OSError as error:
        raise ValueError(
            f"no file can be written in {folder} ({error.strerror}); fix: make room or give "
            "permission there; a new search takes another folder by --results"
        ) from error


def origin_text(origin: Mapping[str, Any]) -> str:
    """Returns an origin in a few words, for the console."""
    found = read_origin(origin)
    count = len(found.source_runs)
    step = "?" if found.step == UNKNOWN else found.step
    return step + (f" from {count} past run{'' if count == 1 else 's'}" if count else "")


def trial_seed(seed: int, number: int) -> int:
    """Derives a trial's seed from the search's seed and the trial's number."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] % (2**31))

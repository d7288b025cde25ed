"""Confirmation: decide on the worker whether stronger attacks confirm a robust accuracy.

Confirmed are the trials that would be among the best of the search so far, which the search reports
and follows, and a random tenth, which shows how accurate the search's attack is elsewhere. The
decision comes before the trial's report, and waiting for the driver would block a worker; so each
trial that ends writes its objective values next to the attack memory, where later ones read them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.objectives import Objective
from search.objectives.roles import best

MEMORY = "attack_memory"  # folder in a search's storage
SHARE = 0.1
# Makes this draw independent of a trial's own seed, which comes from the same two numbers.
_STREAM = 1


@dataclass(frozen=True)
class Standing:
    """The objective values of a search's trials, as its workers see them.

    Attributes:
        folder: The folder of the trials' files: `trial_0007.json` with `number` and `values`.
        seed: The search's seed.
        objectives: The objectives of the values.
    """

    folder: Path
    seed: int
    objectives: Sequence[Objective]

    def must_confirm(self, number: int, values: Sequence[float]) -> bool:
        """Whether the trial would be among the best now, or is one of the random tenth.

        False if a value is not finite: such a trial fails.
        """
        if not all(map(math.isfinite, values)):
            return False
        files = sorted(self.folder.glob("trial_*.json"))
        others = [self._read(file) for file in files if file.name != _name(number)]
        rows = [*filter(None, others), list(values)]
        return bool(best(np.array(rows), self.objectives)[-1]) or self.is_drawn(number)

    def is_drawn(self, number: int) -> bool:
        """Whether the trial is one of the random tenth; the same in every launch of a search."""
        sequence = np.random.SeedSequence([self.seed, number, _STREAM])
        return float(np.random.default_rng(sequence).random()) < SHARE

    def note(self, number: int, values: Sequence[float]) -> None:
        """Writes a trial's values for those that end after it; the file is complete or absent."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / _name(number)
        temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
        temporary.write_text(json.dumps({"number": number, "values": list(values)}))
        temporary.replace(file)

    def _read(self, file: Path) -> list[float]:
        """Returns a trial's values; [] if the file is gone, damaged, or of other objectives."""
        try:
            values = [float(value) for value in json.loads(file.read_text())["values"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        is_usable = len(values) == len(self.objectives) and all(map(math.isfinite, values))
        return values if is_usable else []


def _name(number: int) -> str:
    return f"trial_{number:04d}.json"

"""What the memory benchmark fixed before it ran: specs, data, reference points and margins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness.provenance import ROOT

SAME_SPEC = ROOT / "benchmarks" / "digits.yaml"
RELATED_SPEC = Path(__file__).with_name("related.yaml")
# Of a warm search.
TRIALS = 16
# `same`: 8 epochs instead of 15 halve the cost.
SAME_EPOCHS, FRESH_SEEDS, MARGIN = 8, 2, 0.01
# `related`: from the source to the target; the copying arm tries the source's best three.
SOURCE, TARGET, COPIED = "mnist_10k", "kmnist_t10k", 3
# Reference points of the hypervolume: clean, robust.
SAME_POINT, RELATED_POINT = (0.5, 0.0), (0.4, 0.0)


def trials_to(volumes: Sequence[float], goal: float) -> int:
    """Return the trials until a hypervolume is reached; one more than there were if it was not."""
    reached = np.flatnonzero(np.asarray(volumes) >= goal - 1e-12)
    return int(reached[0]) + 1 if len(reached) else len(volumes) + 1

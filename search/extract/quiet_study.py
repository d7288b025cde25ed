"""A study of Optuna's that is ours alone: to the user it does not exist."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.samplers import BaseSampler

from search.objectives.objective import Objective, directions_of


def quiet_study(
    objectives: Sequence[Objective], sampler: BaseSampler | None = None
) -> optuna.Study:
    """An empty study in memory that is not announced on the console."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(sampler=sampler, directions=directions_of(objectives))
    finally:
        optuna.logging.set_verbosity(level)

"""Syne Tune's transfer methods on recorded tasks; runs in an environment of its own.

syne_tune_environment.py makes that environment (Syne Tune's requirements are not ours), and calls

    python -P benchmarks/transfer/syne_tune_peers.py JOBS.json RESULTS.json

JOBS is {"grid": {name: count}, "jobs": [{"method", "seed", "trials", "table": losses of all rows
in a .npy file, "past": {task: {"configurations": [{name: position}], "losses": [...]}}}]}, and
RESULTS a list of {"configurations": [...]} or {"error": "..."}, one a job.

Methods, by Syne Tune's own classes: `BoundingBox` (Perrone et al. 2019, each source's best
configuration, searched within by BORE, which needs no extra package), the quantile-based searcher
(Salinas et al. 2020, Copula Thompson sampling), `ZeroShotTransfer` (Wistuba et al. 2015) with its
surrogates, since the sources did not try the same configurations.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import randint
from syne_tune.optimizer.baselines import BORE
from syne_tune.optimizer.schedulers.single_objective_scheduler import SingleObjectiveScheduler
from syne_tune.optimizer.schedulers.transfer_learning.bounding_box import BoundingBox
from syne_tune.optimizer.schedulers.transfer_learning.quantile_based import (
    quantile_based_searcher,
)
from syne_tune.optimizer.schedulers.transfer_learning.transfer_learning_task_evaluation import (
    TransferLearningTaskEvaluations,
)
from syne_tune.optimizer.schedulers.transfer_learning.zero_shot import ZeroShotTransfer

METRIC = "loss"


class SeededZeroShot(ZeroShotTransfer):  # type: ignore[misc]
    """`ZeroShotTransfer`, fixed: 0.16.0 draws from a generator before it makes it."""

    def __init__(self, *args: Any, random_seed: int, **options: Any) -> None:
        self.random_state = np.random.RandomState(random_seed)
        super().__init__(*args, random_seed=random_seed, **options)


def scheduler_of(job: dict[str, Any], space: dict[str, Any]) -> Any:
    """Return the scheduler that a job asks for."""
    past = {
        task: TransferLearningTaskEvaluations(
            space, pd.DataFrame(one["configurations"]), [METRIC],
            np.array(one["losses"]).reshape(-1, 1, 1, 1),
        )
        for task, one in job["past"].items()
    }  # fmt: skip
    seed = job["seed"]
    if job["method"] == "syne-bounding-box":
        return BoundingBox(
            lambda box, metric, minimize, seed: BORE(box, metric, minimize, seed),
            space, METRIC, past, do_minimize=True, random_seed=seed,
        )  # fmt: skip
    if job["method"] == "syne-quantile":
        searcher = quantile_based_searcher.QuantileBasedSurrogateSearcher(
            space, past, random_seed=seed
        )
        return SingleObjectiveScheduler(
            space, METRIC, do_minimize=True, searcher=searcher, random_seed=seed
        )
    return SeededZeroShot(
        space, METRIC, past, do_minimize=True, use_surrogates=True, random_seed=seed
    )


def run(job: dict[str, Any], grid: dict[str, int]) -> list[dict[str, int]]:
    """Run one search; return the configurations it tried."""
    space = {name: randint(0, count - 1) for name, count in grid.items()}
    losses, shape = np.load(job["table"]), tuple(grid.values())
    scheduler = scheduler_of(job, space)
    tried = []
    for number in range(job["trials"]):
        if job["method"] == "syne-zero-shot":
            proposal = scheduler.get_config()
        else:
            proposal = scheduler.suggest().config
        configuration = {name: int(proposal[name]) for name in grid}
        loss = float(losses[np.ravel_multi_index(list(configuration.values()), shape)])
        if job["method"] != "syne-zero-shot":
            trial = Trial(number, configuration, datetime.now())
            scheduler.on_trial_add(trial)
            scheduler.on_trial_complete(trial, {METRIC: loss})
        tried.append(configuration)
    return tried


def main() -> None:
    logging.disable(logging.CRITICAL)
    with open(sys.argv[1]) as file:
        given = json.load(file)
    results: list[dict[str, Any]] = []
    for job in given["jobs"]:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                results.append({"configurations": run(job, given["grid"])})
        except Exception as error:  # whatever a foreign library raises is its result
            results.append({"error": repr(error)})
    with open(sys.argv[2], "w") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()

"""Histories with known answers, for the tests of extract and transfer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import History, Rejected, Search
from search.history.table import TRIALS
from search.objectives.objective import Role, from_lists
from search.space import SearchSpace

TASK = "digits-cnn@ab12cd34"
CLEAN, ROBUST, CHEAP = "accuracy.clean", "accuracy.pgd10_linf_0.1", "accuracy.pgd3_linf_0.1"
BOTH = from_lists((CLEAN, ROBUST), ("maximize", "maximize"))
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FINGERPRINT = {
    "data": {
        "name": "digits", "kind": "images", "shape": [1, 8, 8], "classes": 10,
        "train": 1200, "validation": 300, "test": 297, "digest": "d1",
    },
    "model": "cnn",
    "settings": {},
    "robustness": {"norm": "linf", "epsilon": 0.1, "steps": 10},
}  # fmt: skip
SPACE = SearchSpace.from_distributions(
    {
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
        "width": IntDistribution(8, 64),
        "adversarial_share": FloatDistribution(0.0, 1.0),
        "sgd.learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    },
    {
        "sgd.learning_rate": {"optimizer": ("sgd",)},
        "adamw.learning_rate": {"optimizer": ("adamw",)},
    },
)


def row(number: int, values: Sequence[float] = (), **changes: Any) -> dict[str, Any]:
    """Returns a row of TRIALS: complete with these values, but for `changes`."""
    search = changes.get("search", "cold")
    filled = {
        "task": TASK, "search": search, "number": number, "run_id": f"{search}-{number}",
        "state": "complete", "configuration": {"optimizer": "sgd", "width": 16},
        "objectives": [CLEAN, ROBUST][: max(len(values), 1)], "values": list(values),
        "epoch": 5, "curves": [], "origin": {}, "seconds": 10.0,
        "started": START + timedelta(seconds=10 * number),
    } | changes  # fmt: skip
    filled.setdefault("directions", ["maximize"] * len(filled["objectives"]))
    return filled | {
        "configuration": json.dumps(filled["configuration"]),
        "origin": json.dumps(filled["origin"]),
    }


def points(metric: str, values: Mapping[int, float]) -> list[dict[str, Any]]:
    return [{"metric": metric, "epoch": each, "value": value} for each, value in values.items()]


def search(name: str = "cold", roles: Sequence[Role] = (), **changes: Any) -> Search:
    """Returns a search for two accuracies with these roles, but for `changes`."""
    filled: dict[str, Any] = {
        "id": name, "task": TASK, "fingerprint": FINGERPRINT, "space": SPACE,
        "objectives": from_lists((CLEAN, ROBUST), ("maximize", "maximize"), roles),
        "started": START, "trials_budget": 20, "epochs": 5, "seed": 1,
    } | changes  # fmt: skip
    return Search(**filled)


def history(
    rows: Sequence[dict[str, Any]],
    searches: Sequence[Search] = (),
    rejected: Sequence[Rejected] = (),
) -> History:
    table = pa.Table.from_pylist(list(rows), schema=TRIALS)
    return History(table, {each.id: each for each in searches}, tuple(rejected))


def measured(
    configurations: Sequence[Mapping[str, Any]], values: Sequence[float], search: str = "cold"
) -> ObjectiveMatrix:
    """Returns trials of these configurations with these clean accuracies."""
    rows = [
        row(number, [value], configuration=configuration, search=search)
        for number, (configuration, value) in enumerate(zip(configurations, values, strict=True))
    ]
    return objective_matrix(history(rows).prior_trials(), BOTH[:1])


def evaluate(configuration: Mapping[str, Any]) -> tuple[float, float]:
    """Returns clean and robust accuracy; the adversarial share trades one for the other."""
    is_sgd = configuration["optimizer"] == "sgd"
    rate = configuration["sgd.learning_rate" if is_sgd else "adamw.learning_rate"]
    miss = abs(math.log10(rate) - (-1.0 if is_sgd else -2.5))
    share = configuration["adversarial_share"]
    skill = 0.96 - 0.08 * miss - 0.03 * is_sgd + 0.0005 * configuration["width"]
    return skill - 0.10 * share**2, skill * (0.15 + 0.55 * math.sqrt(share))


def rows_of_random_search(
    name: str, trials: int, seed: int, **changes: Any
) -> list[dict[str, Any]]:
    """Returns random trials; every fifth is stopped after two epochs, the third fails."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(trials):
        configuration = SPACE.random_configuration(generator)
        clean, robust = (
            float(np.clip(each + generator.normal(0, 0.01), 0, 1))
            for each in evaluate(configuration)
        )
        state = "stopped" if number % 5 == 4 else "failed" if number == 3 else "complete"
        last = {"stopped": 2, "failed": 0}.get(state, 5)
        curves = [
            point
            for metric, end in ((CLEAN, clean), (CHEAP, min(1.0, robust + 0.05)))
            for point in points(
                metric,
                {each: end * (1 - math.exp(-each)) for each in range(1, last + 1)},
            )
        ]
        if state == "complete":
            curves += points("test." + CLEAN, {5: clean - 0.01})
            curves += points("test." + ROBUST, {5: robust - 0.02})
            curves += points("test.examples", {5: 297})
        rows.append(
            row(
                number,
                [clean, robust] if state == "complete" else [],
                search=name,
                objectives=[CLEAN, ROBUST],
                configuration=configuration,
                state=state,
                epoch=last,
                curves=curves,
                **{
                    "origin": {"step": "model"}
                    if number > 2
                    else {
                        "step": "portfolio",
                        "source_runs": ["cold-7"],
                        "source_tasks": {TASK: 1.0},
                    },
                    **changes,
                },
            )
        )
    return rows

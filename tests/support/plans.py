"""A small plan of a search, for tests of what is made from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from search.optimize.plan import Plan
from search.spec import spec_from_yaml
from tests.support.launches import hills


def a_plan(folder: Path, *, trials: int = 4, hours: float | None = None, **changes: Any) -> Plan:
    """A plan of 3 epochs a trial, 2 trials at once; `changes` replace keys of the spec."""
    budget = {"trials": trials, "epochs": 3}
    spec = spec_from_yaml(yaml.safe_dump(hills("two_hills", **{"budget": budget} | changes)))
    return Plan(
        spec=spec, space=spec.search_space(), task="hills@1", search="hills-1",
        tracking_uri="sqlite:////nowhere/mlflow.db", experiment="1", summary_run="r",
        storage=folder, trials_budget=spec.budget.trials, hours=hours,
    )  # fmt: skip

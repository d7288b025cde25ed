"""The learning curves that the early-stopping benchmark replays: recorded once, kept as parquet."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import provenance
from benchmarks.harness.trainings import Trainings
from models.catalog import Threat
from models.scores.metric_names import MetricName
from search.optimize.plan import trial_seed
from search.spec import Spec, load_spec

SPEC = provenance.ROOT / "benchmarks" / "digits.yaml"
CURVES = provenance.REFERENCE / "early_stopping_curves.parquet"
CONFIGURATIONS = 60


@dataclass(frozen=True)
class Curve:
    """One recorded trial: what the scheduler sees each epoch, and its metrics at the end."""

    seen: list[dict[str, float]]  # the scheduler's metrics, an epoch each
    seconds: list[float]
    values: tuple[float, float]  # clean, robust: validation, full attack
    test: tuple[float, float]


def record(spec: Spec, cache: Path, processes: int) -> pa.Table:
    """Train the random configurations; a row an epoch, the final metrics in its last epoch."""
    space, generator = spec.search_space(), np.random.default_rng(2026)
    drawn = [space.random_configuration(generator) for _ in range(CONFIGURATIONS)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [(str(SPEC), str(cache), n, drawn[n]) for n in range(CONFIGURATIONS)]
        rows = [row for rows in pool.map(_recorded, jobs) for row in rows]
    names = dict.fromkeys(name for row in rows for name in row)  # some are the last epoch's alone
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    CURVES.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(provenance.environment()), CURVES)
    return table


def _recorded(job: tuple[str, str, int, dict[str, Any]]) -> list[dict[str, Any]]:
    path, cache, number, configuration = job
    trainings = Trainings(load_spec(path), Path(cache))
    done = trainings.train(configuration, trial_seed(0, number), tests=True)
    print(f"configuration {number} is recorded", flush=True)
    rows = [{"trial": number, **metrics} for metrics in done["curve"]]
    rows[-1] |= done["test"]
    rows[0]["configuration"] = str(configuration)
    return rows


def curves(spec: Spec, table: pa.Table) -> list[Curve]:
    """Return the recorded trials; one that diverged ends early and is complete in no replay."""
    assert isinstance(spec.robustness, Threat), "these are trainings on images"
    full, seen = spec.robustness.metric(), compared(spec, table.column_names)
    trials: dict[int, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        trials.setdefault(row["trial"], []).append(row)
    return [
        Curve(
            [{name: row[name] for name in seen} for row in rows],
            [row["seconds.train"] + row["seconds.evaluation"] for row in rows],
            (rows[-1]["accuracy.clean"], rows[-1][full] or np.nan),
            (rows[-1]["test.accuracy.clean"] or np.nan, rows[-1][f"test.{full}"] or np.nan),
        )
        for rows in trials.values()
    ]


def compared(spec: Spec, recorded: Sequence[str]) -> list[str]:
    """Return the metrics that the scheduler sees each epoch, clean and robust.

    Curves recorded before the validation split was cut into parts have them under plain names.
    """
    names = [spec.epoch_metric(name) for name in spec.metrics]
    is_cut = all(name in recorded for name in names)
    return names if is_cut else [str(MetricName.parse(name).on("validation")) for name in names]

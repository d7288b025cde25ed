"""Measures how fast history is read: 10,000 runs with two curves of 50 steps.

Goal: a second reading takes less than a second, whether or not the file was written to since
(*touched*: its time is new, its content is not); after 10 new runs only these are fetched. The
first reading is bounded by the store. Readings are timed within one process, where MLflow is
imported and the store was opened once; each kind is repeated and the median reported. Two stores:
an SQLite file, and a server (loopback, one worker) on that file. For comparison, what MLflow's own
client takes for the same, `search_runs` and `get_metric_history` run by run, timed on 100 runs.

Cost on two busy CPU cores: two minutes, ten with `--server`. Nothing is kept but the result.

    python -m benchmarks.internal.reading --server
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import provenance, tables
from benchmarks.harness.command_line import command, parser
from benchmarks.harness.tables import median_and_range
from benchmarks.internal.big_store import fill
from search.tracking.read.cache import folder_for
from search.tracking.read.history import load_history
from search.tracking.store import all_runs, create_store, ensure_experiment, open_client
from search.tracking.uris import store_uri
from tests.support.servers import mlflow_server

EXPERIMENT = "big"
NEW_RUNS = 10
CLIENT_RUNS = 100
GOAL_SECONDS = 1.0
KINDS = {
    "first": "first reading",
    "second": "second reading",
    "touched": "second, file touched",
    "new": f"after {NEW_RUNS} new runs",
    "trials": "all as prior trials",
}


def main() -> None:
    arguments = parser("internal.reading", __doc__)
    arguments.add_argument("--runs", type=int, default=10_000)
    arguments.add_argument("--steps", type=int, default=50)
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--server", action="store_true", help="measure a server too")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="twentieth-reading-") as folder:
        raw = measured(Path(folder), options)
    report(raw, options.runs, options.steps, command("internal.reading"))


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    database = folder / "mlflow.db"
    uri = store_uri(database)
    client = create_store(uri)
    experiment = ensure_experiment(client, EXPERIMENT, uri)
    fill(database, experiment, first=0, runs=options.runs, steps=options.steps)
    stores = {"sqlite": of_store(uri, database, experiment, options)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    client_seconds = of_client(client, experiment, options)
    if options.server:
        with mlflow_server(uri, folder / "artifacts") as server:
            stores["server"] = of_store(server, database, experiment, options)
    return {"stores": stores, "client": client_seconds, "peak_mib": peak}


def of_store(
    uri: str, database: Path, experiment: str, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Return seconds of each reading, by kind."""
    open_client(uri)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    is_file = uri.startswith("sqlite")
    firsts = options.repetitions if is_file else 1
    for _ in range(firsts):
        shutil.rmtree(folder_for(uri), ignore_errors=True)
        seconds["first"].append(timed(lambda: load_history(uri)))
    for _ in range(options.repetitions):
        seconds["second"].append(timed(lambda: load_history(uri)))
    for _ in range(options.repetitions if is_file else 0):
        os.utime(database)
        seconds["touched"].append(timed(lambda: load_history(uri)))
    for _ in range(options.repetitions):
        known = len(load_history(uri))
        start = int(time.time() * 1000)  # a server of this size is asked for runs that began since
        fill(database, experiment, first=known, runs=NEW_RUNS, steps=options.steps, start=start)
        seconds["new"].append(timed(lambda: load_history(uri)))
    history = load_history(uri)
    assert len(history) == known + NEW_RUNS and not history.rejected
    for _ in range(options.repetitions):
        seconds["trials"].append(timed(history.prior_trials))
    if not is_file:  # that one is in the user's cache
        shutil.rmtree(folder_for(uri), ignore_errors=True)
    return seconds


def of_client(client: Any, experiment: str, options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of MLflow's client; curves are extrapolated from `CLIENT_RUNS` runs."""
    runs: list[Any] = []
    listing = timed(lambda: runs.extend(all_runs(client, [experiment], "")))

    def curves() -> None:
        for run in runs[:CLIENT_RUNS]:
            for metric in run.data.metrics:
                client.get_metric_history(run.info.run_id, metric)

    return {"listing": listing, "curves": timed(curves) * options.runs / CLIENT_RUNS}


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def report(
    raw: dict[str, Any],
    runs: int,
    steps: int,
    started_as: str,
) -> None:
    """Write results/reference/reading.*."""
    rows = [
        [store, *(median_and_range(seconds[kind], 2) if seconds[kind] else "" for kind in KINDS)]
        for store, seconds in raw["stores"].items()
    ]
    sqlite = raw["stores"]["sqlite"]
    worst = max(*sqlite["second"], *sqlite["touched"])
    verdict = "holds" if worst < GOAL_SECONDS else "**does not hold**"
    client = raw["client"]
    lines = [
        "# How fast history is read",
        "",
        f"{runs:,} runs, two metrics of {steps} steps each. Seconds: median (least to greatest).",
        "",
        *tables.table(["store", *KINDS.values()], rows),
        "",
        f"Goal, second reading of the SQLite store below {GOAL_SECONDS:.0f} s: {verdict}, the"
        f" slowest took {worst:.2f} s. Greatest memory of the process: {raw['peak_mib']:,.0f} MiB.",
        "",
        f"MLflow's client on the SQLite store: {client['listing']:.1f} s for `search_runs`, and"
        f" {client['curves']:,.0f} s for `get_metric_history` of every run and metric (from"
        f" {CLIENT_RUNS} runs).",
    ]
    provenance.write(
        "reading", lines, raw, command=started_as,
        seeds="the number of each run of the made-up store",
    )  # fmt: skip


if __name__ == "__main__":
    main()

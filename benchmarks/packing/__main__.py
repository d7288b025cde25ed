"""Measures what several small trials on one GPU are worth against one trial at a time.

The CNN search of benchmarks/digits.yaml, cold and at random, without early stopping: the same
trials each time, in a new process on a new store, with 1, 2, 4 and 8 of them on one GPU at once
(`resources: {gpus: 1/n}`), settings in turn. Counted is the time from the first trial's start to
the last one's end, so Ray's start and the report are left out, and the workers' own start is
included.

Without a GPU there is `--on cpu`: one core a trial, as many at once as are asked for, which shows
what the driver leaves of the machine, and nothing about GPUs.

`--out-of-memory` adds a search of three trials that do not fit on the GPU next to each other: one
runs out of memory and must complete when it is retried with a whole GPU. A minute.

Cost: the trials of one repetition take 1 to 2 minutes at one at a time on one core.

    python -m benchmarks.packing --on gpu --at-once 1 2 4 8
    python -m benchmarks.packing --on gpu --at-once 1 2 4 --out-of-memory   # make gpu-search
    python -m benchmarks.packing --on cpu --at-once 1 2
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.harness import provenance, tables
from benchmarks.harness.command_line import command as typed
from benchmarks.harness.command_line import parser
from benchmarks.packing.retry import Retries, in_words, measure_retries
from benchmarks.packing.run import TRIALS, measure

REPETITIONS = 3


def report(
    on: str,
    rows: Mapping[int, list[dict[str, Any]]],
    device: str,
    command: str,
    *,
    retries: Retries | None = None,
) -> None:
    """Write results/reference/packing_*: trials an hour, and the ratio to the first setting.

    Args:
        on: "gpu" or "cpu".
        rows: Trials at once -> a measurement a run.
        device: Name of what the trials share.
        command: That measured them.
        retries: What came of trials that do not fit next to each other; None: not measured.
    """
    counts = list(rows)
    rates = {n: np.array([3600 * TRIALS / row["seconds"] for row in rows[n]]) for n in counts}
    lines = [
        [
            n,
            len(rates[n]),
            tables.median_and_range(rates[n], 0),
            tables.median_and_range(rates[n] / rates[counts[0]], 2),
        ]
        for n in counts
    ]
    header = ["trials at once", "runs", "trials an hour", f"over {counts[0]} at once"]
    body = [
        f"# Several small trials on one {device}", "",
        f"{TRIALS} random trials of benchmarks/digits.yaml, settings in turn, from the first "
        "trial's start to the last one's end. Medians (least to greatest); ratios run by run.", "",
        *tables.table(header, lines),
        *(in_words(retries) if retries else ()),
    ]  # fmt: skip
    raw: dict[str, Any] = {"runs": {str(n): rows[n] for n in counts}}
    if retries:
        raw["retries"] = asdict(retries)
    seeds = f"0 to {len(rows[counts[0]]) - 1} of the searches, the same for every setting"
    provenance.write(f"packing_{on}", body, raw, command=command, seeds=seeds)


def _device(on: str) -> str:
    """Return the name of what the trials share.

    Raises:
        SystemExit: There is no GPU.
    """
    if on == "cpu":
        return f"machine with {os.cpu_count()} cores"
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; fix: use --on cpu")
    return str(torch.cuda.get_device_name(0))


def main() -> None:
    options = parser("packing", __doc__)
    options.add_argument("--on", choices=("gpu", "cpu"), default="gpu")
    options.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--repetitions", type=int, default=REPETITIONS)
    options.add_argument("--out-of-memory", action="store_true")
    given = options.parse_args()
    if given.out_of_memory and given.on == "cpu":
        raise SystemExit("--out-of-memory fills a GPU; fix: leave it out, or take --on gpu")
    device = _device(given.on)
    rows: dict[int, list[dict[str, Any]]] = {n: [] for n in given.at_once}
    for seed in range(given.repetitions):
        for n in given.at_once:
            rows[n].append(measure(given.on, n, seed))
            print(f"{n} at once, seed {seed}: {rows[n][-1]['seconds']:.0f} s", flush=True)
    report(given.on, rows, device, typed("packing"),
           retries=measure_retries() if given.out_of_memory else None)  # fmt: skip


if __name__ == "__main__":
    main()

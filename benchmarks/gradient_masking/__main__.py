"""Counts what the checks against gradient masking catch, and their false alarms, on digits.

Twenty honest networks (differently trained; none of them calibrated a threshold) may raise one
warning together. Broken defences, three seeds each, must each raise one that names the cause. All
are checked on the same 128 validation images under L-infinity 0.1 and 0.2 and L2 0.5.

Thresholds were calibrated on other networks: honest ones of seeds 100 to 124 and 201 to 221 with
randomly drawn configurations, broken ones of seeds 100 to 108. The count's seeds are 0 to 19.

With `--in-search` networks are measured as a search measures a trial: its attack, the confirmation
and its warnings, next to an adaptive attack.

Cost: about 12 minutes of one busy core, and as many with `--in-search`; a killed run goes on with
the same command.

    OMP_NUM_THREADS=1 python -m benchmarks.gradient_masking
    OMP_NUM_THREADS=1 python -m benchmarks.gradient_masking --in-search
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.gradient_masking.in_search import measure_in_search
from benchmarks.gradient_masking.in_search_report import report_in_search
from benchmarks.gradient_masking.report import report
from benchmarks.gradient_masking.run import THREATS, measure
from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import parser


def main() -> None:
    options = parser("gradient_masking", __doc__)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--threats", nargs="+", choices=list(THREATS), default=list(THREATS))
    options.add_argument("--in-search", action="store_true", help="what a search measures")
    given = options.parse_args()
    torch.set_num_threads(1)
    # Where finished work is kept changes no result.
    command = "python -m benchmarks.gradient_masking"
    if given.threats != list(THREATS):
        command += " --threats " + " ".join(f"'{threat}'" for threat in given.threats)
    store = StoredResults(given.cache, "gradient-masking")
    if given.in_search:
        report_in_search(measure_in_search(store), f"{command} --in-search")
        return
    report(measure(store, given.threats), given.threats, command)


if __name__ == "__main__":
    main()

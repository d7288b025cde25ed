"""Checks what memory is worth: a search with history against the same search without.

`same` (the same task again): on benchmarks/digits.yaml, with 8 epochs instead of its 15 to halve
the cost, 16 trials that learned from 16 earlier ones are as good as a cold search of 32. Each
repetition runs the 16 earlier trials cold, then 16 warm ones, and in addition 32 cold ones with
another seed, whose first half shows what 16 cold trials are worth. A warm trial that repeats an
earlier configuration counts for nothing. Score: the validation Pareto front of an arm is trained
again, each configuration with two new seeds, and the score is the hypervolume of the mean TEST
metrics above clean 0.5 and robust 0.0. Claim: warm 16 is at least cold 32 less 0.01.

`related` (another task): on benchmarks/memory/related.yaml, a search on KMNIST that learned from 16
trials on MNIST needs fewer trials to the hypervolume (validation, above clean 0.4 and robust 0.0)
that a cold search reaches with 16. The third arm is the simple one: the three best configurations
of the source are tried first, and a cold search continues.

All searches run in one process, one trial after the other, without Ray and without early stopping;
the sampler, the history and the training are the real ones. "Cold" is the same sampler without
history, so what differs is the history alone. The sampler was not changed on these results.

Cost on two busy CPU cores: `same` three to four minutes a repetition, `related` one and a half.
A killed run goes on where it was.

    python -m benchmarks.memory same --repetitions 8
    python -m benchmarks.memory related --repetitions 20 --data ../shared/data/images
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.harness import provenance
from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import command, parser
from benchmarks.memory.protocol import TRIALS
from benchmarks.memory.report import Origin, report_related, report_same
from benchmarks.memory.run import related_task, repeat, same_task


def main() -> None:
    options = parser("memory", __doc__)
    options.add_argument("claim", choices=("same", "related"))
    options.add_argument("--repetitions", type=int, default=8)
    options.add_argument("--trials", type=int, default=TRIALS, help="a warm search's")
    options.add_argument(
        "--data", type=Path, default=Path("../shared/data/images"), help="holds the data sets"
    )
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished trainings")
    options.add_argument("--processes", type=int, default=os.cpu_count())
    options.add_argument("--redraw", action="store_true", help="report the stored raw data again")
    given = options.parse_args()
    report = report_same if given.claim == "same" else report_related
    if given.redraw:
        stored = provenance.stored(f"memory_{given.claim}")
        origin = Origin(stored["command"], stored["environment"])
        report(stored["repetitions"], given.trials, origin)
        return
    if given.claim == "same":
        same = (given.cache, given.trials)
        done = repeat(same_task, given.repetitions, given.processes, same)
    else:
        related = (given.cache, given.data, given.trials)
        done = repeat(related_task, given.repetitions, given.processes, related)
    report(done, given.trials, Origin(command("memory"), None))


if __name__ == "__main__":
    main()

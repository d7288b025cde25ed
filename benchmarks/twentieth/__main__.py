"""Draws the project's promise: what the k-th search costs, for k = 1 to 20, and in real training.

`recorded`: sequences of 20 searches of 50 trials, each of a task drawn from the eight of
HPOBench-MLP (benchmarks/transfer/recorded_tasks.py), so tasks recur. A search's history is all
earlier ones of its sequence as the system itself ran them. Its cost is the trials, and the seconds
of their training, until its regret is what cold TPE has on that task after 50 trials (mean of ten
seeds); all and one mean trial more if it never is, which counts as a miss. Costs are divided by the
mean cost of a cold search of the same task by the same rule: cold TPE, as users run it, and our own
sampler without history. So 1 is no gain, and 1/20 is the promise. A task that was searched before
counts by two rules. As it is run, an exact repetition counts for nothing: a search has to find
something as good again, among configurations that were not tried. By the other rule the best known
configuration is trained again first: if it reaches the goal, the search costs this one trial,
otherwise this trial more. Everything is paired with the same sequences by the sampler before costs
counted (results/reference/twentieth_baseline.json).

`training`: digits, MNIST, KMNIST and Fashion-MNIST (small, benchmarks/memory/related.yaml: two
objectives, accuracy and robust accuracy) searched one after another, in a new random order in each
repetition, with what the earlier ones left as history (warm), and each without (cold, the same
seed). Cost: work (FLOP of all passes, attacks included) and trials until the hypervolume that the
cold searches of that task have in the end (median of repetitions).

Each writes its own result, results/reference/twentieth.* and twentieth_training.*, and draws both
in docs/twentieth.png.

Cost on two cores: `recorded` depends on the sampler (20,000 proposals for 20 sequences), `training`
up to eight minutes a repetition on a busy core. A killed run goes on where it was.

    python -m benchmarks.twentieth recorded --sequences 20
    python -m benchmarks.twentieth training --repetitions 10
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import parser
from benchmarks.transfer import recorded_tasks
from benchmarks.twentieth.report import report_recorded, report_training
from benchmarks.twentieth.run import (
    TRIALS,
    before_costs,
    recorded_of,
    run_recorded,
    run_training,
    trained_of,
)
from benchmarks.twentieth.training import TRIALS as TRAINING_TRIALS


def main() -> None:
    options = parser("twentieth", __doc__)
    options.add_argument("action", choices=("recorded", "training"))
    options.add_argument("--sequences", type=int, default=10)
    options.add_argument("--repetitions", type=int, default=6)
    options.add_argument("--trials", type=int, default=TRIALS, help="of a recorded search")
    options.add_argument("--training-trials", type=int, default=TRAINING_TRIALS)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--data", type=Path, default=recorded_tasks.DATA, help="recorded tasks")
    options.add_argument("--images", type=Path, default=Path("../shared/data/images"))
    options.add_argument("--cache", type=Path, default=CACHE)
    given = options.parse_args()
    store = StoredResults(given.cache, "twentieth")
    if given.action == "recorded":
        run_recorded(
            store, given.sequences, given.trials,
            data=given.data, cache=given.cache, workers=given.workers,
        )  # fmt: skip
        found = recorded_of(given.sequences, given.trials, store, given.data, given.cache)
        command = f"python -m benchmarks.twentieth recorded --sequences {given.sequences}"
        report_recorded(found, before_costs(found), command)
    else:
        run_training(
            store, given.repetitions, given.training_trials,
            images=given.images, cache=given.cache, workers=given.workers,
        )  # fmt: skip
        done = trained_of(given.repetitions, given.training_trials, store)
        command = f"python -m benchmarks.twentieth training --repetitions {given.repetitions}"
        report_training(done, command)


if __name__ == "__main__":
    main()

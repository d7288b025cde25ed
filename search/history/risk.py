"""Risk of a failure as it was when a trial was proposed, read from the trial's origin.

It is made in `search/apply/failure_risk.py`. What is read comes from a store, so a part that is
missing or malformed is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.history.plurals import counted

# Under this name a record counts the failed trials of the search itself.
THIS_SEARCH = "this search"
TASKS_NAMED = 3
# Records name fewer runs; a store may hold anything.
_RUNS_READ = 10
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Risk:
    """The risk of a proposal.

    Attributes:
        probability: Of a failure, 0 to 1; 0 if it is negligible or not recorded.
        failed: Task -> how many of its failed trials it is learned from; `THIS_SEARCH` is one.
        runs: Failed runs of earlier searches, the nearest first.
    """

    probability: float = 0.0
    failed: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[str, ...] = ()

    def in_words(self, trial_names: Mapping[str, str]) -> str:
        """Write it to read; "" if there is none.

        Args:
            trial_names: Run -> SEARCH#TRIAL.
        """
        if not self.probability:
            return ""
        own = self.failed.get(THIS_SEARCH, 0)
        tasks = {task: count for task, count in self.failed.items() if task != THIS_SEARCH}
        parts = [f"{counted(own, 'failed trial')} of this search"] * bool(own)
        if tasks:
            first = sorted(tasks.items(), key=lambda each: (-each[1], each[0]))
            named = ", ".join(f"{task} {count}" for task, count in first[:TASKS_NAMED])
            more = f", {len(tasks) - TASKS_NAMED} more" * (len(tasks) > TASKS_NAMED)
            earlier = counted(sum(tasks.values()), "failed trial")
            parts.append(f"{earlier} of {counted(len(tasks), 'earlier task')} ({named}{more})")
        text = f"Risk of failure: {self.probability:.0%}"
        text += f", learned from {' and '.join(parts)}" if parts else ""
        nearest = ", ".join(trial_names.get(run, run) for run in self.runs)
        return f"{text}; nearest: {nearest}" if nearest else text


def read_risk(origin: Mapping[str, object]) -> Risk:
    """Read the risk of an origin; what is not known of it has its default."""
    record = origin.get("risk")
    if not isinstance(record, Mapping):
        return Risk()
    probability, failed, runs = (record.get(name) for name in ("probability", "failed", "runs"))
    if isinstance(probability, bool) or not isinstance(probability, int | float):
        return Risk()
    if not 0 <= probability <= 1:  # NaN, too
        return Risk()
    counts = {
        _printable(task): count
        for task, count in (failed.items() if isinstance(failed, Mapping) else ())
        if isinstance(count, int) and not isinstance(count, bool) and 0 < count < LARGEST_COUNT
    }
    named = runs[:_RUNS_READ] if isinstance(runs, list | tuple) else ()
    return Risk(float(probability), counts, tuple(_printable(run) for run in named))


def _printable(name: object) -> str:
    return "".join(each if each.isprintable() else "?" for each in str(name)[:_LONGEST_NAME])

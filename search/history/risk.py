"""Risk of a failure as it was when a trial was proposed, read from the trial's origin.

It is made in `search/apply/failure_risk.py`. What is read comes from a store, so a part that is
missing or malformed is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.history.plurals import counted
from search.history.records import count_of, line_of, mapping_of, number_of

# Under this name a record counts the failed trials of the search itself.
THIS_SEARCH = "this search"
TASKS_NAMED = 3
# Records name fewer runs; a store may hold anything.
_RUNS_READ = 10


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
    record = mapping_of(origin.get("risk"))
    probability, runs = number_of(record.get("probability")), record.get("runs")
    if not 0 <= probability <= 1:  # NaN, too
        return Risk()
    counts = {
        line_of(task): number
        for task, failed in mapping_of(record.get("failed")).items()
        if (number := count_of(failed))
    }
    named = runs[:_RUNS_READ] if isinstance(runs, list | tuple) else ()
    return Risk(probability, counts, tuple(line_of(run) for run in named))

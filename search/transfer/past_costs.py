"""What earlier searches cost, trial by trial, on one device: what a cost forecast is based on.

Searches of the same task are compared by one level, the hypervolume against the reference point of
the task (`progress.py`), so that "the cost to a level" means the same for all of them. Trials of
another device count with their work at the speed of the device that is asked about. Not for the
forecast itself (`cost_estimate.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from search.extract.device_speed import DeviceSpeed, device_speeds
from search.extract.noise import FEWEST_REPEATS, noises_of
from search.extract.task_similarity import RELEVANT
from search.history import History, Search, Trial
from search.objectives.roles import judging_indices
from search.review.doubtful import judged
from search.transfer.progress import (
    Progress,
    Row,
    alike_searches,
    counted_losses,
    given,
    levels_of,
    progress_of,
    reference_point,
)

# A store may hold any number: shorter is no training, and longer is 30,000 years.
LEAST_SECONDS, MOST_SECONDS = 1e-6, 1e12
# An interrupted trial was paid for in part, and goes on in a resumed search.
_PAID = ("complete", "stopped", "failed")


@dataclass(frozen=True, eq=False)
class PastSearch:
    """An earlier search and what it cost.

    Attributes:
        search: The search.
        trials: Its trials that have ended, by number, with their seconds on the device asked about.
        progress: Its level and seconds after each of them.
        reference: The reference point of its task, one loss for each objective that counts.
        repeatable: The least loss in each of these objectives, made worse by the noise of a
            training as far as that is known; empty if no trial counts.
        repeatable_level: The level it ended with, if all of its values were so much worse.
        earlier: The searches of its task before it, oldest first.
    """

    search: Search
    trials: tuple[Trial, ...]
    progress: Progress
    reference: tuple[float, ...]
    repeatable: tuple[float, ...] = ()
    repeatable_level: float = 0.0
    earlier: tuple[PastSearch, ...] = ()

    @property
    def seconds(self) -> float:
        """Seconds of all of its trials; parallel ones are added up."""
        return self.progress.seconds[-1]

    @property
    def seconds_per_trial(self) -> float:
        """The mean cost of its trials."""
        return self.seconds / len(self.trials)


@dataclass(frozen=True, eq=False)
class PastCosts:
    """What is known of costs before a search.

    Attributes:
        searches: The searches of its task and of similar ones, oldest first.
        device: The device whose seconds are counted, that of the newest trial; "" if unknown.
        speed: The speed of that device; None if unknown.
    """

    searches: tuple[PastSearch, ...] = ()
    device: str = ""
    speed: DeviceSpeed | None = None

    def of_task(self, task: str) -> tuple[PastSearch, ...]:
        """The searches of one task."""
        return tuple(each for each in self.searches if each.search.task == task)


def mean_seconds_per_trial(searches: Sequence[PastSearch]) -> float:
    """The mean cost of the trials of at least one search, failed ones included."""
    return fmean(trial.seconds for each in searches for trial in each.trials)


def past_costs(
    history: History,
    this: Search,
    similarities: Mapping[str, float],
    units: Mapping[str, str],
    unit: str,
    excludes_doubtful: bool,
) -> PastCosts:
    """What the searches of this task and of similar ones cost.

    They have the objectives of `this`, their costs are known, and something was proposed in them: a
    search that only trains again what it was given, as `twentieth repeat` does, has no progress.

    Args:
        history: The earlier trials.
        this: The search that is forecast; it need not be in the history.
        similarities: Search -> similarity of its task, 0 to 1.
        units: Search -> what its trials occupy, "GPU" or "core", where it is known.
        unit: What those of `this` occupy. Seconds of the other unit are no basis.
        excludes_doubtful: Whether its trials fail whose robust accuracy is in doubt; earlier ones
            end as they would there, see `review/doubtful.py`.
    """
    near = [
        each
        for each in history.searches.values()
        if each.id != this.id
        and (each.task == this.task or similarities.get(each.id, 0.0) >= RELEVANT)
    ]
    same = {each.id for each in near if units.get(each.id, unit) == unit}
    ended = ended_trials(history)
    trials = {
        each.id: [
            judged(trial, excludes_doubtful=excludes_doubtful) for trial in ended.get(each.id, [])
        ]
        for each in near
    }
    device = _newest_device([trial for search in same for trial in trials[search]])
    speeds = device_speeds(history)
    restated = {
        search: [_on(device, trial, speeds) for trial in found]
        for search, found in trials.items()
        if search in same or (device in speeds and all(each.work and each.device for each in found))
    }
    found = [
        each
        for task in dict.fromkeys(each.task for each in near)
        for each in _of_task(history, replace(this, task=task), restated)
    ]
    found.sort(key=lambda each: (each.search.started, each.search.id))
    return PastCosts(tuple(found), device, speeds.get(device))


def ended_trials(history: History) -> dict[str, list[Trial]]:
    """The trials of each search whose cost is final, by number; read at once, which is fast."""
    found: dict[str, list[Trial]] = {}
    for trial in history.prior_trials(state=None):
        if trial.state in _PAID:
            found.setdefault(trial.search, []).append(trial)
    return {name: sorted(each, key=lambda t: (t.number, t.run_id)) for name, each in found.items()}


def _newest_device(trials: Sequence[Trial]) -> str:
    stated = [(each.started, each.run_id, each.device) for each in trials if each.device]
    return max((each for each in stated if each[0] is not None), default=(None, "", ""))[2]


def _of_task(
    history: History, this: Search, trials: Mapping[str, list[Trial]]
) -> list[PastSearch]:  # fmt: skip
    alike = [
        each
        for each in alike_searches(history, this)
        if each.id != this.id and each.state != "running" and _is_usable(trials.get(each.id, []))
    ]
    point = reference_point(history, this)
    if point is None or not alike:
        return []
    rows = counted_losses([trials[each.id] for each in alike], this)
    noise = _noise([trial for each in alike for trial in trials[each.id]], this)
    found: list[PastSearch] = []
    for search, losses in zip(alike, rows, strict=True):
        own = trials[search.id]
        worse = [row + noise for row in losses if row is not None]
        found.append(PastSearch(
            search, tuple(own), progress_of(own, losses, point), (*point.tolist(),),
            (*np.min(worse, axis=0).tolist(),) if worse else (),
            levels_of(worse, point)[-1] if worse else 0.0, (*found,),
        ))  # fmt: skip
    return found


def _noise(trials: Sequence[Trial], this: Search) -> Row:
    """How much two trainings of one configuration differ in each objective that counts; or 0."""
    judged = [this.objectives[index] for index in judging_indices(this.objectives)]
    known = {
        each.objective: each.difference
        for each in noises_of(trials, judged, this.task)
        if each.repeats >= FEWEST_REPEATS
    }
    return np.array([known.get(each.metric, 0.0) for each in judged])


def _is_usable(trials: Sequence[Trial]) -> bool:
    complete = [trial for trial in trials if trial.state == "complete"]
    is_proposed = given(trials) < len(trials)
    is_known = all(trial.seconds >= LEAST_SECONDS for trial in complete)
    is_possible = all(0 <= trial.seconds <= MOST_SECONDS for trial in trials)
    return bool(complete) and is_proposed and is_known and is_possible


def _on(device: str, trial: Trial, speeds: Mapping[str, DeviceSpeed]) -> Trial:
    """A trial with its seconds on a device, as far as work and speed are known."""
    if trial.device in ("", device) or device not in speeds or not trial.work:
        return trial
    return replace(trial, seconds=speeds[device].seconds(trial.work))

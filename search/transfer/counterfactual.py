"""What a cold search would have needed, by simulation: on a surrogate of this search's own trials.

For a search that has neither cold searches nor a control arm to compare with. Functions are drawn
from a Gaussian process over its complete trials; on each the cold sampler searches, with noise, for
as many trials as this search had, and is compared with this search's own configurations as two arms
are: trials to the level that the lower end reached, judged without noise.

This is no measurement. A process is smoother than training, and simulated trials are never stopped
and never fail, which flatters the cold side; where this search never looked the process may expect
too little, which flatters history. Cold searches that are judged in this way, which should save
nothing, save nothing at the median; three simpler designs do not pass that test (results/LOG.md).

Source: Eggensperger et al. 2015, "Efficient benchmarking of hyperparameter optimizers via
surrogates".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import kendalltau

from search.apply import WarmStartSampler
from search.apply.steering import steering_of
from search.extract.measurements import FEWEST_TRIALS, measure
from search.history import PriorTrial, Search
from search.objectives.objective import Objective, directions_of
from search.objectives.roles import aims, as_losses, searched
from search.transfer.costs import Cost, saved_in_words
from search.transfer.progress import Progress, levels_of, reference_point
from search.transfer.surrogate import DrawnFunction, Surrogate, fit_surrogate

Floats = NDArray[np.float64]

SEEDS = 20
SECONDS = 10.0
BIASES = (
    "A surrogate is smoother than training and knows only what this search tried, so trust it less "
    "than one cold search."
)


@dataclass(frozen=True)
class Counterfactual:
    """Simulated cold searches against this one, at equal numbers of trials.

    Attributes:
        simulations: How many.
        fitted: Complete trials that the surrogate was fitted to.
        tau: Kendall's tau of each trial's values with what the others predict; mean of objectives.
        trials: The first trials of this search, and of each simulation, that are compared.
        is_cut: Whether time ended the simulations before they had as many as this search.
        higher: Share of simulations that ended lower than this search; ties count half.
        trials_saved: Median of the trials that a simulation took more to the level both reached.
        middle: 80 % range of them over the simulations.
        wide: 95 % range.
        hours_saved: The median in GPU-hours or CPU-hours at this search's seconds a trial.
    """

    simulations: int
    fitted: int
    tau: float
    trials: int
    is_cut: bool
    higher: float
    trials_saved: float
    middle: tuple[float, float]
    wide: tuple[float, float]
    hours_saved: float | None


@dataclass
class _Simulation:
    """One cold search on a drawn function.

    Attributes:
        theirs: Losses of its trials without their noise.
        mine: Losses of this search's trials on the same function; None if not complete.
    """

    study: optuna.Study
    generator: np.random.Generator
    function: DrawnFunction
    theirs: list[Floats] = field(default_factory=list)
    mine: list[Floats | None] = field(default_factory=list)


def simulate(
    trials: Sequence[PriorTrial],
    this: Search,
    cost: Cost | None = None,
    *,
    seeds: int = SEEDS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Counterfactual | None:
    """Simulates cold searches against the trials of this one, in order.

    Returns:
        None if the space is not known, fewer than `FEWEST_TRIALS` trials are complete, or the
        surrogate does not even predict their order: then a simulation would say nothing. None too
        if time ends it before this search's first complete trial.
    """
    measured = measure(trials, this.objectives)
    if this.space is None or len(measured) < FEWEST_TRIALS:
        return None
    configurations = [trial.configuration for trial in measured.trials]
    surrogate = fit_surrogate(this.space, configurations, measured.losses)
    if not (tau := _tau(surrogate, measured.losses)) > 0:
        return None
    until = clock() + seconds
    runs = [_simulation(this, surrogate, seed) for seed in range(seeds)]
    own = {id(trial): trial.configuration for trial in measured.trials}
    mine = [own.get(id(trial)) for trial in trials]
    watched = _run(runs, mine, this, surrogate.noise, lambda: clock() < until)
    if all(each is None for each in mine[:watched]):
        return None
    objectives = as_losses(this.objectives)
    pairs = [_compared(run.theirs, run.mine, objectives) for run in runs]
    median, middle, wide = _ranges([saved for saved, _ in pairs])
    a_trial = float(np.median([trial.seconds for trial in trials]))
    return Counterfactual(
        simulations=seeds,
        fitted=len(measured),
        tau=tau,
        trials=watched,
        is_cut=watched < len(trials),
        higher=float(np.mean([share for _, share in pairs])),
        trials_saved=median,
        middle=middle,
        wide=wide,
        hours_saved=None if cost is None else cost.hours(median * a_trial),
    )


def counterfactual_sentence(found: Counterfactual, cost: Cost | None) -> str:
    """What the simulations say, and that they are simulations."""
    (low, high), (lowest, highest) = found.middle, found.wide
    text = (
        f"A simulation, not a measurement: on a surrogate of this search's {found.fitted} complete "
        f"trials, which tells {(1 + found.tau) / 2:.0%} of their pairs in order, over "
        f"{found.trials} trials history would have "
        f"{saved_in_words(found.trials_saved, found.hours_saved, cost)}, at the median of "
        f"{found.simulations} cold searches (80 % {low:+g} to {high:+g}, 95 % "
        f"{lowest:+g} to {highest:+g}, by the cold sampler's luck and the surrogate's doubt)."
    )
    if found.is_cut:
        text += f" Time allowed for the first {found.trials} trials only."
    if lowest <= 0 <= highest:
        text += " The range holds zero, so this shows neither gain nor loss."
    return f"{text} {BIASES}"


def _tau(surrogate: Surrogate, losses: Floats) -> float:
    """How well each trial is predicted from the others; below 0 if it cannot be told."""
    taus = [
        float(kendalltau(process.left_out(), seen).statistic)
        for process, seen in zip(surrogate.processes, losses[surrogate.used].T, strict=True)
    ]
    return float(np.mean(np.nan_to_num(taus, nan=-1.0)))


def _simulation(this: Search, surrogate: Surrogate, seed: int) -> _Simulation:
    sampler = WarmStartSampler(
        None, this.space, seed,
        objectives=this.objectives,
    )  # fmt: skip
    directions = directions_of(searched(this.objectives))
    study = optuna.create_study(sampler=sampler, directions=directions)
    generator = np.random.default_rng([0, seed])
    return _Simulation(study, generator, DrawnFunction(surrogate, generator))


def _run(
    runs: Sequence[_Simulation],
    configurations: Sequence[Mapping[str, Any] | None],
    this: Search,
    noise: Floats,
    has_time: Callable[[], bool],
) -> int:
    """Gives all simulations a trial each in turn, so time cuts all alike; returns how many.

    Args:
        runs: The simulations.
        configurations: What this search tried, in order; None for what was not measured.
        this: The search.
        noise: Standard deviation of each objective.
        has_time: Asked before each turn.
    """
    assert this.space is not None
    signs = [-1.0 if each.is_maximized else 1.0 for each in this.objectives]
    steering = steering_of(this.objectives)
    for watched, configuration in enumerate(configurations):
        if not has_time():
            return watched
        for run in runs:
            trial = run.study.ask()
            losses = run.function.at(this.space.suggest(trial))
            seen = losses + noise * run.generator.standard_normal(len(losses))
            run.study.tell(trial, steering.told(trial, [float(each) for each in seen * signs]))
            run.theirs.append(losses)
            run.mine.append(None if configuration is None else run.function.at(configuration))
    return len(configurations)


def _compared(
    theirs: Sequence[Floats | None], mine: Sequence[Floats | None], objectives: Sequence[Objective]
) -> tuple[int, float]:
    """Trials saved to the lower of both ends, and 1, 0.5 or 0 for this search's end being higher.

    Antisymmetric: exchanging the two changes the sign, so without a difference the median is 0.
    """
    rows = _judged([*theirs, *mine], objectives)
    counted = [row for row in rows if row is not None]
    if not counted:
        return 0, 0.5
    point = reference_point(np.vstack(counted))
    split = len(theirs)
    cold, own = (Progress((), levels_of(each, point)) for each in (rows[:split], rows[split:]))
    level = min(cold.levels[-1], own.levels[-1])
    higher = 0.5 + 0.5 * float(np.sign(own.levels[-1] - cold.levels[-1]))
    first, second = cold.trials_to(level), own.trials_to(level)
    if first is None or second is None:  # no trial of one side counts: that level takes none
        return 0, higher
    return first - second, higher


def _judged(
    losses: Sequence[Floats | None], objectives: Sequence[Objective]
) -> list[Floats | None]:
    """What the losses of all objectives are judged by; None for what does not count."""
    known = np.vstack([row for row in losses if row is not None])
    found = aims(known, objectives)
    each = zip(found.losses, found.is_counted, strict=True)
    judged = iter([row if counts else None for row, counts in each])
    return [None if row is None else next(judged) for row in losses]


def _ranges(saved: Sequence[int]) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """Median, 80 % and 95 % range."""
    shares = (0.5, 0.1, 0.9, 0.025, 0.975)
    ends = [float(end) for end in np.quantile(saved, shares, method="inverted_cdf")]
    return ends[0], (ends[1], ends[2]), (ends[3], ends[4])

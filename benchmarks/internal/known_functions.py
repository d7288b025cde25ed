"""Compares a search without history with Optuna's TPE and GP on functions whose optimum is known.

Recorded tables answer with their nearest entry, so they do not show a search that stays next to its
best trial for ever; continuous functions do. Each is minimised over a unit cube, once as it is and
once with normal noise of a quarter of the deviation that the function has over the cube. Reported
is the regret: the best true value of the first trials less the optimum, in those deviations.

How much ranks count in the scores (`search/apply/scores.py`) was chosen on Branin, Hartmann 6 and
Ackley; the other three were run afterwards.

Sources: Surjanovic and Bingham, "Virtual library of simulation experiments" (the functions).

Cost: about 15 minutes of two cores.

    python -m benchmarks.internal.known_functions
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution

from benchmarks.harness import provenance, tables
from benchmarks.harness.cells import in_parallel
from benchmarks.harness.command_line import command, parser
from benchmarks.harness.statistics import mean_interval
from search.apply import WarmStartSampler
from search.space import SearchSpace

Floats = NDArray[np.float64]

TRIALS = 60
# Regret is reported after so many trials.
SHOWN = (20, 40, TRIALS)
METHODS = ("twentieth", "tpe", "gp")
# Noise as a share of the function's deviation.
NOISE = (0.0, 0.25)
# Points that tell a function's deviation to about 2 %.
_SAMPLED = 2000

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_3 = (
    np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    1e-4
    * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
)
_HARTMANN_6 = (
    np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
              [17, 8, 0.05, 10, 0.1, 14]]),
    1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]),
)  # fmt: skip


def hartmann(x: Floats) -> float:
    """Return Hartmann's function of three or six dimensions; optima -3.86278 and -3.32237."""
    steep, places = _HARTMANN_3 if len(x) == 3 else _HARTMANN_6
    return -float((_ALPHA * np.exp(-(steep * (x - places) ** 2).sum(axis=1))).sum())


def branin(x: Floats) -> float:
    """Return Branin's function, (0, 1)^2 to (-5, 10) x (0, 15); three optima of 0.397887."""
    a, b = 15 * x[0] - 5, 15 * x[1]
    bowl = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


def ackley(x: Floats) -> float:
    """Return Ackley's function with its optimum, 0, at 0.37, off the middle that is tried first."""
    z = 6 * (x - 0.37)
    waves = np.exp(np.cos(2 * np.pi * z).mean())
    return float(-20 * np.exp(-0.2 * np.sqrt((z**2).mean())) - waves + 20 + np.e)


def styblinski_tang(x: Floats) -> float:
    """Return Styblinski and Tang's function over (-5, 5); optimum -39.16617 a dimension."""
    z = 10 * x - 5
    return float((z**4 - 16 * z**2 + 5 * z).sum() / 2)


def levy(x: Floats) -> float:
    """Return Levy's function over (-10, 10) with its optimum, 0, moved to 0.38."""
    w = 1 + 5 * (x - 0.38)
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)).sum()
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(np.sin(np.pi * w[0]) ** 2 + middle + last)


@dataclass(frozen=True)
class Function:
    """A function on a unit cube.

    Attributes:
        of: The function.
        dimensions: Of the cube.
        optimum: Its least value.
        is_chosen_on: Whether a setting of the sampler was chosen on it.
    """

    of: Callable[[Floats], float]
    dimensions: int
    optimum: float
    is_chosen_on: bool = False

    def deviation(self) -> float:
        """Return the standard deviation of its values at uniform points."""
        points = np.random.default_rng(0).random((_SAMPLED, self.dimensions))
        return float(np.std([self.of(point) for point in points]))


FUNCTIONS = {
    "Branin": Function(branin, 2, 0.397887, True),
    "Ackley 5": Function(ackley, 5, 0.0, True),
    "Hartmann 6": Function(hartmann, 6, -3.32237, True),
    "Hartmann 3": Function(hartmann, 3, -3.86278),
    "Styblinski-Tang 5": Function(styblinski_tang, 5, -39.16617 * 5),
    "Levy 6": Function(levy, 6, 0.0),
}


def run_search(name: str, noise: float, method: str, seed: int) -> list[float]:
    """Return the regret after each trial, in deviations of the function."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    function = FUNCTIONS[name]
    deviation = function.deviation()
    kinds = {f"x{index}": FloatDistribution(0.0, 1.0) for index in range(function.dimensions)}
    study = optuna.create_study(sampler=_sampler(method, kinds, seed))
    generator = np.random.default_rng(seed)
    best, regrets = np.inf, []
    for _ in range(TRIALS):
        trial = study.ask()
        value = function.of(np.array([trial.suggest_float(each, 0.0, 1.0) for each in kinds]))
        study.tell(trial, value + noise * deviation * generator.standard_normal())
        best = min(best, value)
        regrets.append((best - function.optimum) / deviation)
    return regrets


def _sampler(method: str, kinds: dict[str, Any], seed: int) -> optuna.samplers.BaseSampler:
    if method == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if method == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return WarmStartSampler(None, SearchSpace.from_distributions(kinds), seed)


def measure(seeds: int, workers: int) -> dict[str, Any]:
    """Return "FUNCTION/NOISE/METHOD" -> regrets, `(seeds, TRIALS)`."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker imports numpy
    jobs = list(itertools.product(FUNCTIONS, NOISE, METHODS, range(seeds)))
    found: dict[str, dict[int, list[float]]] = {}
    for (name, noise, method, seed), regrets in in_parallel(run_search, jobs, workers):
        found.setdefault(f"{name}/{noise:g}/{method}", {})[seed] = regrets
    return {key: [each[seed] for seed in sorted(each)] for key, each in sorted(found.items())}


def report(regrets: dict[str, Any], seeds: int, started_as: str) -> None:
    """Write results/reference/known_functions.*."""
    rows, ahead = [], 0
    for (name, function), noise in itertools.product(FUNCTIONS.items(), NOISE):
        shown = {each: np.array(regrets[f"{name}/{noise:g}/{each}"]) for each in METHODS}
        ends = {each: curves[:, -1].mean() for each, curves in shown.items()}
        ahead += ends["twentieth"] <= ends["tpe"]
        rows.append([
            name + (" *" if function.is_chosen_on else ""), f"{noise:g}",
            *(", ".join(f"{curves[:, trials - 1].mean():.3f}" for trials in SHOWN)
              for curves in shown.values()),
            tables.with_interval(mean_interval(shown["twentieth"][:, -1] - shown["tpe"][:, -1])),
        ])  # fmt: skip
    body = [
        "# Known functions, without history", "",
        f"After {TRIALS} trials a search without history has a mean regret of at most TPE's in "
        f"{ahead} of {len(rows)} cases.", "",
        f"Mean regret after {', '.join(map(str, SHOWN))} trials, {seeds} seeds: the best true "
        "value less the optimum, in standard deviations of the function over its cube; noise in "
        f"the same unit. The last column: twentieth less TPE after {TRIALS} trials, paired, with "
        "its 95 % interval. *: a setting was chosen on this function.", "",
        *tables.table(["function", "noise", *METHODS, "less TPE"], rows),
    ]  # fmt: skip
    provenance.write(
        "known_functions", body, {"regrets": _rounded(regrets)}, command=started_as,
        seeds=f"0 to {seeds - 1}, of samplers and noise",
    )  # fmt: skip


def _rounded(regrets: dict[str, Any]) -> dict[str, Any]:
    """Return the curves with five digits, at the trials that are shown."""
    places = [trials - 1 for trials in SHOWN]
    return {
        key: [[float(f"{curve[place]:.5g}") for place in places] for curve in curves]
        for key, curves in regrets.items()
    }


def main() -> None:
    options = parser("internal.known_functions", __doc__)
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    report(measure(given.seeds, given.workers), given.seeds, command("internal.known_functions"))


if __name__ == "__main__":
    main()

"""Checks that proposals stay fast, and memory small, however much history there is.

The history is made up: searches of 100 trials on 20 tasks, whose objectives are quadratic in the
hyperparameters around an optimum of the task's own and whose costs are known, in a space of ten
hyperparameters of every kind (four of them conditional, three categorical). A sixth of the past
trials ran out of memory, so proposals weigh values, costs and the risk of a failure. The search is
of a new task, or of one of the 20, whose past trials then count as they are. Timed is what a search
waits for: `ask` and all `suggest` calls. The first proposal, which reads the history, is reported
apart from the later ones.

Every case runs in a process of its own, one after the other, so that its peak memory is its own;
that includes Python and the libraries, which are reported too. Goal: 100 ms with 100 past searches
(10,000 trials) and 1 s with 1000 (100,000), at the 95th percentile of later proposals; 1 GB.

Cost: four minutes, most of it to make the histories up.

    python -m benchmarks.internal.scale
"""

from __future__ import annotations

import functools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from threadpoolctl import threadpool_limits

from benchmarks.harness import provenance, tables
from benchmarks.harness.command_line import command, parser
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.history.studies import REASON
from search.space import SearchSpace, Value

TASKS = 20
TRIALS_A_SEARCH = 100
# Past searches -> seconds that the 95th percentile of later proposals may take.
GOAL_SECONDS = {100: 0.1, 1000: 1.0}
GOAL_MEGABYTES = 1000
# Width times depth from which on a trial runs out of memory: a sixth of random configurations.
MEMORY = 576
OUT_OF_MEMORY = "out of memory"
DIRECTIONS: list[Literal["minimize", "maximize"]] = ["maximize", "minimize"]
OBJECTIVES = ["accuracy", "cost"]
SPACE = SearchSpace.from_distributions(
    {
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "sgd.learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 0.1, log=True),
        "width": IntDistribution(8, 128, step=8),
        "depth": IntDistribution(1, 8),
        "normalisation": CategoricalDistribution(["none", "batch", "layer"]),
        "dropout": FloatDistribution(0.0, 0.5),
        "adversarial_training": CategoricalDistribution(["none", "fgsm", "pgd"]),
        "pgd.epsilon": FloatDistribution(0.01, 0.2),
        "pgd.steps": IntDistribution(2, 10),
    },
    {
        "sgd.learning_rate": {"optimizer": ("sgd",)},
        "adamw.learning_rate": {"optimizer": ("adamw",)},
        "pgd.epsilon": {"adversarial_training": ("pgd",)},
        "pgd.steps": {"adversarial_training": ("pgd",)},
    },
)


@dataclass(frozen=True)
class Case:
    """One measurement: so many past searches, a known task or a new one, one objective or two."""

    searches: int
    is_known: bool
    objectives: int


CASES = tuple(
    Case(searches, is_known, objectives)
    for searches in GOAL_SECONDS
    for is_known, objectives in ((False, 1), (True, 1), (False, 2))
)


def values_of(task: str, configuration: dict[str, Value], count: int) -> list[float]:
    """Return made-up objectives: best at a place of the task's own, which differs little."""
    losses = [0.0, 0.0]
    for name, value in configuration.items():
        distribution = SPACE.distributions[name]
        for index in range(2):
            drawn = _drawn(index, task, name)
            if isinstance(distribution, CategoricalDistribution):
                place, best = float(distribution.choices.index(value)), drawn > 0.2
                losses[index] += 0.05 * abs(place - best)
            elif isinstance(distribution, FloatDistribution | IntDistribution):
                low, high = float(distribution.low), float(distribution.high)
                number, is_log = float(value), getattr(distribution, "log", False)
                ends = np.log([low, high, number]) if is_log else np.array([low, high, number])
                place = (ends[2] - ends[0]) / (ends[1] - ends[0])
                losses[index] += (place - (0.4 + 0.4 * drawn - 0.2 * index)) ** 2
    return [1.0 - losses[0], losses[1]][:count]


def work_of(configuration: dict[str, Value]) -> float:
    """Return the made-up cost of a trial in FLOP, the same on every task."""
    return 1e9 * float(np.exp(values_of("cost", configuration, 1)[0]))


def is_too_large(configuration: dict[str, Value]) -> bool:
    """Return whether a trial runs out of memory, on every task."""
    return float(configuration["width"]) * float(configuration["depth"]) >= MEMORY


@functools.cache
def _drawn(index: int, task: str, name: str) -> float:
    return float(np.random.default_rng(seed_of(index, task, name)).random())


def made_up(case: Case) -> History:
    """Return the history of a case."""
    generator = np.random.default_rng(0)
    studies: dict[str, list[FrozenTrial]] = {}
    for number in range(case.searches):
        task = f"task-{number % TASKS}"
        trials = []
        for _ in range(TRIALS_A_SEARCH):
            configuration = SPACE.random_configuration(generator)
            kinds = {name: SPACE.distributions[name] for name in configuration}
            if is_too_large(configuration):
                failed = create_trial(
                    params=configuration, distributions=kinds, state=TrialState.FAIL,
                    user_attrs={REASON: OUT_OF_MEMORY},
                )  # fmt: skip
                trials.append(failed)
                continue
            values = values_of(task, configuration, case.objectives)
            trials.append(
                create_trial(
                    params=configuration, distributions=kinds, values=values,
                    user_attrs={"work": work_of(configuration)},
                )
            )  # fmt: skip
        studies[f"{task}/{number}"] = trials
    history = History.from_studies(
        studies, DIRECTIONS[: case.objectives], objectives=OBJECTIVES[: case.objectives]
    )
    # Several searches of one task: the task is what comes before the slash.
    tasks = [name.split("/")[0] for name in history.trials.column("task").to_pylist()]
    place = history.trials.schema.get_field_index("task")
    table = history.trials.set_column(place, history.trials.schema.field(place), [tasks])
    searches = {
        name: replace(search, task=name.split("/")[0], space=SPACE)
        for name, search in history.searches.items()
    }
    return History(table, searches)


def measure(case: Case, path: str, trials: int) -> dict[str, Any]:
    """Run a search with the history at `path`; return seconds of every proposal, megabytes."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    threadpool_limits(1, user_api="blas")  # as in the driver of a search
    before = _peak_megabytes()
    started = time.perf_counter()
    history = History.from_parquet(path)
    task = "task-0" if case.is_known else None
    sampler = WarmStartSampler(
        history, SPACE, 0, task=task, objectives=OBJECTIVES[: case.objectives]
    )
    study = optuna.create_study(sampler=sampler, directions=DIRECTIONS[: case.objectives])
    reading = time.perf_counter() - started
    seconds = []
    for _ in range(trials):
        started = time.perf_counter()
        trial = study.ask()
        configuration = SPACE.suggest(trial)
        seconds.append(time.perf_counter() - started)
        if is_too_large(configuration):
            trial.set_user_attr(REASON, OUT_OF_MEMORY)
            study.tell(trial, state=TrialState.FAIL)
            continue
        trial.set_user_attr("work", work_of(configuration))
        study.tell(trial, values_of(task or "new", configuration, case.objectives))
    return {
        **asdict(case), "reading": reading, "seconds": [round(each, 5) for each in seconds],
        "megabytes_before": before, "megabytes": _peak_megabytes(),
    }  # fmt: skip


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)


def measure_all(trials: int) -> Iterator[dict[str, Any]]:
    """Measure every case, its history made in one process and used in another."""
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = str(Path(folder) / "history.parquet")
            _alone(_make, case, path)
            result: dict[str, Any] = _alone(measure, case, path, trials)
            print(case, f"p95 {np.quantile(result['seconds'][1:], 0.95):.3f} s", flush=True)
            yield result


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _make(case: Case, path: str) -> None:
    made_up(case).to_parquet(path)


def report(results: list[dict[str, Any]], started_as: str) -> None:
    """Write results/reference/scale.*."""
    rows, holds = [], []
    for result in results:
        first, later = result["seconds"][0], np.array(result["seconds"][1:])
        goal = GOAL_SECONDS[result["searches"]]
        slow = float(np.quantile(later, 0.95))
        holds.append(slow <= goal and result["megabytes"] <= GOAL_MEGABYTES)
        rows.append([
            f"{result['searches']} x {TRIALS_A_SEARCH}", "known" if result["is_known"] else "new",
            result["objectives"], f"{result['reading'] + first:.2f}", f"{np.median(later):.3f}",
            f"{slow:.3f}", f"{later.max():.3f}", f"{goal:g}",
            f"{result['megabytes']:.0f} ({result['megabytes_before']:.0f})",
            "holds" if holds[-1] else "**does not hold**",
        ])  # fmt: skip
    body = [
        "# Proposals and memory with much history", "",
        f"{sum(holds)} of {len(holds)} cases hold: 95th percentile of later proposals within the "
        f"goal, and at most {GOAL_MEGABYTES} MB. Seconds a proposal, one search of "
        f"{len(results[0]['seconds'])} trials a case; the first reads the history (from a parquet "
        "file) and prepares it. MB: peak of the process, in brackets what Python and the "
        "libraries had taken before.", "",
        *tables.table(
            ["past trials", "task", "objectives", "first", "median", "95 %", "longest", "goal",
             "MB", ""], rows,
        ),
    ]  # fmt: skip
    provenance.write(
        "scale", body, {"cases": results}, command=started_as,
        seeds="0 of the made-up histories and of the sampler",
    )  # fmt: skip


def main() -> None:
    options = parser("internal.scale", __doc__)
    options.add_argument("--trials", type=int, default=100, help="proposals that are timed, a case")
    given = options.parse_args()
    report(list(measure_all(given.trials)), command("internal.scale"))


if __name__ == "__main__":
    main()

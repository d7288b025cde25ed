"""A cell of the inheritance benchmark: one search of one arm, kept on disk trial by trial.

A search is a function of its cell, the data and the scratch cells before it, so one that was killed
asks the sampler again for the trials that are on disk and goes on with the next.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from benchmarks.harness.code_version import models_version, sampler_version
from benchmarks.harness.provenance import environment
from benchmarks.inheritance.data import Domain, load_domains, shuffled, source_of
from benchmarks.inheritance.training import (
    OBJECTIVE,
    Settings,
    Start,
    evaluate_test,
    load_state,
    save_state,
    train,
    weights_of,
)
from models.weights.head_rows import rows_by_name
from models.weights.initial import InitialWeights
from models.weights.overlap import overlap_of
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.optimize.plan import trial_seed
from search.space import SearchSpace

SCRATCH, SHUFFLED, HISTORY, BOTH, CONTROL = (
    "scratch", "shuffled", "history", "history_and_weights", "control",
)  # fmt: skip
# Fixed before any result was seen: each method's ranges are those of its paper.
SPACE = SearchSpace.from_distributions(
    {
        "adaptation": CategoricalDistribution(["full", "lora"]),
        "full.learning_rate": FloatDistribution(1e-5, 5e-4, log=True),
        "lora.learning_rate": FloatDistribution(1e-4, 5e-3, log=True),
        "batch_size": CategoricalDistribution([8, 16]),
        "warmup_share": FloatDistribution(0.0, 0.3),
        "dropout": FloatDistribution(0.0, 0.3),
    },
    {
        "full.learning_rate": {"adaptation": ("full",)},
        "lora.learning_rate": {"adaptation": ("lora",)},
    },
)


@dataclass(frozen=True)
class Cell:
    """One search, or (arm "shuffled") the one training of a control's source."""

    target: str
    seed: int
    arm: str

    @property
    def name(self) -> str:
        """Return the name of its files."""
        return f"{self.target}-{self.seed}-{self.arm}"

    def search_seed(self) -> int:
        """Return a seed: equal in every arm, another in every domain, so that histories differ."""
        return seed_of(self.seed, "benchmarks.inheritance", self.target) % 2**31


@dataclass(frozen=True)
class Place:
    """Where data and finished cells are, and what all cells share."""

    data: Path
    cells: Path
    settings: Settings

    def read(self, cell: Cell) -> dict[str, Any]:
        """Return what is on disk of a cell: {} if nothing, or if it has other settings."""
        path = self.cells / f"{cell.name}.json"
        record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return record if record.get("settings") == asdict(self.settings) else {}

    def write(self, cell: Cell, record: Mapping[str, Any]) -> None:
        """Keep a cell, whole or not at all."""
        self.cells.mkdir(parents=True, exist_ok=True)
        path = self.cells / f"{cell.name}.json"
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True))
        temporary.replace(path)

    def state(self, cell: Cell) -> Path:
        """Return the file of the state of a cell's best trial so far."""
        return self.cells / "states" / f"{cell.name}.pt"


def code_version() -> str:
    """Return the hash of the code that a cell depends on: the sampler's and the models'."""
    return f"{sampler_version()}-{models_version()}"


def is_done(place: Place, cell: Cell) -> bool:
    """Return whether nothing of a cell is left to do."""
    record = place.read(cell)
    return "test" in record or (cell.arm == SHUFFLED and bool(record.get("trials")))


def run_cell(place: Place, cell: Cell) -> None:
    """Do what is left of a cell; the cells it builds on must be done."""
    if is_done(place, cell):
        return
    if cell.arm == SHUFFLED:
        _train_shuffled(place, cell)
        return
    domains = _domains(place.data)
    target = domains[cell.target].splits
    record: dict[str, Any] = place.read(cell) or {**asdict(cell), "trials": []}
    record["settings"] = asdict(place.settings)
    initial, received = initial_of(place, cell)
    record |= received
    sampler = WarmStartSampler(
        history_of(place, cell), SPACE, cell.search_seed(), objectives=[OBJECTIVE]
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, directions=["maximize"])
    for number in range(place.settings.trials):
        asked = study.ask()
        start = Start(SPACE.suggest(asked), trial_seed(cell.search_seed(), number), initial)
        if number == len(record["trials"]):
            trial = train(start, target, place.settings)
            record["trials"].append({
                "configuration": dict(start.configuration), "seed": start.seed,
                "step": sampler.origin(asked.number)["step"], "validation": trial.validation,
                "seconds": trial.seconds, "cpu_seconds": trial.cpu_seconds,
            })  # fmt: skip
            if best_of(record) == number:
                save_state(place.state(cell), trial.state)
            place.write(cell, record)
        elif record["trials"][number]["configuration"] != start.configuration:
            raise ValueError(f"{cell.name}: trial {number} on disk belongs to another search; "
                             f"fix: remove {place.cells} or give another --cache")  # fmt: skip
        _tell(study, asked, record["trials"][number]["validation"][OBJECTIVE])
    best = record["trials"][best_of(record)]
    record["test"] = evaluate_test(
        Start(best["configuration"], best["seed"], initial), target, place.settings,
        load_state(place.state(cell)),
    )  # fmt: skip
    record["environment"] = environment()
    place.write(cell, record)
    if cell.arm != SCRATCH:  # no cell starts from the others
        place.state(cell).unlink()


def best_of(record: Mapping[str, Any]) -> int:
    """Return the number of the best trial by validation, the first of equals; diverged last."""
    values = [trial["validation"][OBJECTIVE] for trial in record["trials"]]
    return max(range(len(values)), key=lambda n: -math.inf if math.isnan(values[n]) else values[n])


@functools.lru_cache(maxsize=1)
def _domains(data: Path) -> dict[str, Domain]:
    return load_domains(data)


def sources(domains: Mapping[str, Domain]) -> dict[str, str]:
    """Return target -> the domain it starts from."""
    names = {name: domain.splits.label_names for name, domain in domains.items()}
    return {target: source_of(target, names) for target in domains}


def history_of(place: Place, cell: Cell) -> History | None:
    """Return the scratch searches of the other domains, same seed, as searches of other tasks."""
    if cell.arm == SCRATCH:
        return None
    studies = {}
    for domain in _domains(place.data):
        if domain != cell.target:
            past = _finished(place, Cell(domain, cell.seed, SCRATCH))
            studies[f"crossner_{domain}"] = [_frozen(trial) for trial in past["trials"]]
    return History.from_studies(studies, ["maximize"], objectives=[OBJECTIVE])


def _finished(place: Place, cell: Cell) -> dict[str, Any]:
    if not is_done(place, cell):
        raise ValueError(f"{cell.name} is not done, but others build on it; fix: run it first")
    return place.read(cell)


def _frozen(trial: Mapping[str, Any]) -> optuna.trial.FrozenTrial:
    configuration, value = trial["configuration"], trial["validation"][OBJECTIVE]
    is_usable = math.isfinite(value)
    return create_trial(
        params=configuration,
        distributions={name: SPACE.distributions[name] for name in configuration},
        values=[value] if is_usable else None,
        state=TrialState.COMPLETE if is_usable else TrialState.FAIL,
    )


def _tell(study: optuna.Study, trial: optuna.Trial, value: float) -> None:
    if math.isfinite(value):
        study.tell(trial, value)
    else:
        study.tell(trial, state=TrialState.FAIL)


def initial_of(place: Place, cell: Cell) -> tuple[InitialWeights | None, dict[str, Any]]:
    """Return the weights that every trial of a cell starts from, and their description."""
    if cell.arm not in (BOTH, CONTROL):
        return None, {}
    domains = _domains(place.data)
    name = sources(domains)[cell.target]
    origin = Cell(name, cell.seed, SCRATCH if cell.arm == BOTH else SHUFFLED)
    record = _finished(place, origin)
    best = record["trials"][best_of(record)]
    source, target = domains[name].splits, domains[cell.target].splits
    initial = weights_of(
        Start(best["configuration"], best["seed"]), source, place.settings,
        load_state(place.state(origin)),
    )  # fmt: skip
    rows = rows_by_name(source.label_names, target.label_names)
    return initial, {
        "source": name, "rows_carried": list(rows.carried), "rows_initialized": list(rows.fresh),
        "overlap": overlap_of([source], target).count,
    }  # fmt: skip


def _train_shuffled(place: Place, cell: Cell) -> None:
    """Train the source's best scratch configuration, same seed, on shuffled labels."""
    scratch = _finished(place, Cell(cell.target, cell.seed, SCRATCH))
    best = scratch["trials"][best_of(scratch)]
    data = shuffled(_domains(place.data)[cell.target].splits, cell.seed)
    trial = train(Start(best["configuration"], best["seed"]), data, place.settings)
    save_state(place.state(cell), trial.state)
    trained = {
        "configuration": best["configuration"], "seed": best["seed"], "step": "given",
        "validation": trial.validation, "seconds": trial.seconds,
        "cpu_seconds": trial.cpu_seconds,
    }  # fmt: skip
    place.write(cell, {
        **asdict(cell), "settings": asdict(place.settings), "trials": [trained],
        "environment": environment(),
    })  # fmt: skip

"""Translates a W&B sweep file into a spec, and says what has no counterpart.

Source: https://docs.wandb.ai/models/sweeps/sweep-config-keys. Every mistake of the file is noted
with its line before any is reported. Not for one parameter (`sweep_parameters.py`) nor for the runs
of a sweep (`search/tracking/imports/`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.space.values import brief, count
from search.spec.errors import Document, KeyPath, SpecError
from search.spec.sections import HyperparameterSpec
from search.spec.sweep_parameters import Translated, translate
from search.spec.yaml_document import read_document, read_file

METHODS = ("grid", "random", "bayes")
GOALS = ("minimize", "maximize")
# Of W&B's own page and machinery.
_LEFT_OUT = {
    "command": "trials call your function, and what ${args} passed is in its configuration",
    "entity": "a place at W&B; here it is the store, --tracking-uri",
    "project": "a place at W&B; here it is the store, --tracking-uri",
    "description": "of W&B's page; `twentieth note` adds one to a search",
    "controller": "of W&B's machinery",
}  # fmt: skip
_TRANSLATED = ("program", "method", "metric", "parameters", "early_terminate", "run_cap", "name")
_HYPERBAND = ("type", "min_iter", "max_iter", "s", "eta", "strict")
_ETA = 3  # W&B's default, and ours
# Where the sweep says nothing: half an hour of small trials, and an epoch that a reader replaces.
_TRIALS, _EPOCHS = 32, 10
_EPOCH_NAMES = ("epochs", "num_epochs", "max_epochs", "n_epochs")


@dataclass(frozen=True)
class Sweep:
    """A sweep in a spec's terms.

    Attributes:
        record: The spec as plain data.
        notes: Pairs of a label and a sentence: what became of each key, in the order of the spec.
    """

    record: Mapping[str, Any]
    notes: tuple[tuple[str, str], ...]


@dataclass
class _Draft:
    """A spec in the making: what `Sweep` will hold, and names that were changed."""

    document: Document
    settings: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    epochs: int = 0

    def note(self, label: str, text: str) -> None:
        self.notes.append((label, text))


def spec_name(name: str) -> str:
    """Return a name of W&B's as a spec can hold it: `val/loss` is `val_loss`."""
    plain = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    return plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"


def read_sweep(path: Path, train: str = "") -> Sweep:
    """Read and translate a sweep file.

    Args:
        path: The YAML file of the sweep.
        train: `module:function` of the training function; by default the function `train` of the
            file's program.

    Raises:
        SpecError: The file has mistakes; holds all of them.
    """
    document = read_document(read_file(path), str(path))
    draft = _Draft(document)
    name = _name(draft, path)
    reference = _reference(draft, train)
    objective = _objective(draft)
    raw = document.data.get("parameters")
    if not isinstance(raw, dict) or not raw:
        near = [key for key in document.data if key not in (*_TRANSLATED, *_LEFT_OUT)]
        document.add(("parameters",), "must map at least one parameter to its values", raw, near)
    else:
        _parameters(draft, ("parameters",), raw, "")
    if not draft.space and not document.problems:
        document.add(("parameters",), "have one value each: there is nothing to search")
    scheduler = _scheduler(draft)
    budget = {"trials": _trials(draft), "epochs": _epochs(draft)}
    _left_out(draft)
    if document.problems:
        raise SpecError(document.problems)
    if scheduler and scheduler["grace_epochs"] > budget["epochs"]:
        scheduler = {}
        draft.note("left out", "early_terminate: its first bracket lies after the last epoch")
    task = {"train": f"python:{reference}"} | (
        {"settings": draft.settings} if draft.settings else {}
    )
    record = {
        "name": name, "task": task, "objectives": [objective], "space": draft.space,
        "budget": budget, **({"scheduler": scheduler} if scheduler else {}),
    }  # fmt: skip
    return Sweep(record, tuple(draft.notes))


def _name(draft: _Draft, path: Path) -> str:
    stated = draft.document.data.get("name")
    if stated is not None and not isinstance(stated, str):
        draft.document.add(("name",), "must be text", stated)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(stated or path.stem)).strip("-._")
    return plain or "sweep"


def _reference(draft: _Draft, train: str) -> str:
    """Return module:function of what is trained."""
    program = draft.document.data.get("program")
    if train:
        return train
    if not isinstance(program, str) or not program.endswith(".py"):
        message = "must name a Python file; write program: train.py, or give --program"
        draft.document.add(("program",), f"{message} MODULE:FUNCTION", program)
        return ""
    parts = Path(program).with_suffix("").parts
    if not all(part.isidentifier() for part in parts):
        message = "is no module in this folder, as train.py or jobs/train.py; give --program"
        draft.document.add(("program",), f"{message} MODULE:FUNCTION", program)
        return ""
    module = ".".join(parts)
    return f"{module}:train"


def _objective(draft: _Draft) -> dict[str, str]:
    document, raw = draft.document, draft.document.data.get("metric")
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        message = "must say what is optimized; write metric: {name: val_loss, goal: minimize}"
        document.add(("metric",), message, raw)
        return {}
    for key in raw:
        if key not in ("name", "goal", "target"):
            document.add(("metric", key), "unknown key", allowed=("name", "goal", "target"))
    goal = raw.get("goal", "minimize")
    if goal not in GOALS:
        document.add(("metric", "goal"), "is neither", goal, GOALS)
    metric = spec_name(raw["name"])
    draft.note("objective", f"{metric}, {goal}d" + ("" if "goal" in raw else " (W&B's default)"))
    if metric != raw["name"]:
        draft.note("differs", f"metric: report {raw['name']} as {metric}, a name that a spec takes")
    if "target" in raw:
        draft.note("left out", f"metric.target {brief(raw['target'])}: no search ends at a value; "
                   "`twentieth stop` ends one, `budget.hours` limits it")  # fmt: skip
    return {"metric": metric, "direction": goal}


def _parameters(draft: _Draft, path: KeyPath, raw: Mapping[str, Any], prefix: str) -> None:
    """Translate parameters, nested ones under their dotted names."""
    for key, entry in raw.items():
        place, name = (*path, key), f"{prefix}{key}"
        if not isinstance(entry, dict):
            message = "must be a mapping such as {value: 16}, {values: [16, 32]}, {min: 0, max: 1}"
            draft.document.add(place, message, "null" if entry is None else entry)
        elif "parameters" in entry:
            inner = entry["parameters"]
            if not isinstance(inner, dict) or not inner or len(entry) > 1:
                draft.document.add(place, "must hold `parameters` alone, with at least one in it")
            else:
                _parameters(draft, (*place, "parameters"), inner, f"{name}.")
        elif found := translate(draft.document, place, entry):
            _take(draft, place, name, found)


def _take(draft: _Draft, path: KeyPath, name: str, found: Translated) -> None:
    """Put a parameter into the spec, under a name that a spec takes."""
    plain = spec_name(name)
    if plain in draft.space or plain in draft.settings:
        draft.document.add(path, f"would be called {plain}, as another parameter is; rename one")
        return
    entry = found.entry or {"choices": [found.value]}
    values = list(entry.get("choices", (entry.get("low"), entry.get("high"))))
    if name in _EPOCH_NAMES and values and all(type(each) is int and each > 0 for each in values):
        draft.epochs = max(values)
        if found.entry is None:
            draft.note("budget", f"{name}: {found.was} -> budget.epochs {draft.epochs}; your "
                       "function loops over range(trial.epoch, trial.epochs)")  # fmt: skip
            return
    if found.entry is None:
        draft.settings[plain] = found.value
        draft.note("settings", f"{plain}: {found.was} -> {found.value}")
    else:
        draft.space[plain] = dict(found.entry)
        draft.note("space", f"{plain}: {found.was} -> {_in_words(found.entry)}")
    if plain != name or "." in name:
        draft.note("differs", f'{name}: read it as configuration["{plain}"]')
    for text in found.differs:
        draft.note("differs", f"{plain}: {text}")


def _in_words(entry: Mapping[str, Any]) -> str:
    if "choices" in entry:
        return f"choices {', '.join(map(str, entry['choices']))}"
    step = f" in steps of {entry['step']}" if "step" in entry else ""
    log = ", logarithmic" if entry.get("log") else ""
    return f"{entry['type']} {entry['low']} to {entry['high']}{step}{log}"


def _scheduler(draft: _Draft) -> dict[str, Any]:
    """Return the scheduler that stands for `early_terminate`; empty for none."""
    document, raw = draft.document, draft.document.data.get("early_terminate")
    if raw is None:
        return {}
    path: KeyPath = ("early_terminate",)
    if not isinstance(raw, dict) or raw.get("type") != "hyperband":
        message = "must be a mapping with type: hyperband, W&B's only one"
        document.add(path, message, raw.get("type") if isinstance(raw, dict) else raw)
        return {}
    for key in raw:
        if key not in _HYPERBAND:
            document.add((*path, key), "unknown key", allowed=_HYPERBAND)
    numbers = {key: raw[key] for key in ("min_iter", "max_iter", "s", "eta") if key in raw}
    for key, number in numbers.items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not 1 <= number < LARGEST_COUNT:
            message = f"must be a number from 1 to {LARGEST_COUNT - 1:,}"
            document.add((*path, key), message, number)
            return {}
    eta = max(2, round(numbers.get("eta", _ETA)))
    if eta != numbers.get("eta", eta):
        draft.note("differs", f"early_terminate.eta {numbers['eta']}: {eta}, the nearest here")
    first = numbers.get("min_iter")
    if first is None and {"max_iter", "s"} <= numbers.keys():
        # The lowest of W&B's s brackets; the 31st is before the first epoch of any search.
        first = numbers["max_iter"] / eta ** min(numbers["s"], 31)
    if first is None:
        document.add(path, "needs min_iter, or max_iter with s")
        return {}
    grace = max(1, math.floor(first))
    draft.note("scheduler", f"hyperband -> asha from epoch {grace}, the best 1 in {eta} go on; W&B "
               "counts logged values, here a report is an epoch")  # fmt: skip
    if raw.get("strict"):
        draft.note("left out", "early_terminate.strict: the scheduler has no such mode")
    return {"name": "asha", "grace_epochs": grace, "reduction_factor": eta}


def _trials(draft: _Draft) -> int:
    document = draft.document
    method, cap = document.data.get("method"), document.data.get("run_cap")
    if method not in METHODS:
        document.add(("method",), "is no method of W&B's", method, METHODS)
        return _TRIALS
    sampler = "the warm sampler, which learns from history"
    if method == "grid":
        draft.note("differs", f"method grid: {sampler}, tries what promises most, not every cell")
    else:
        keep = "; for random search write sampler: {name: random}" if method == "random" else ""
        draft.note("sampler", f"method {method} -> {sampler}{keep}")
    if cap is not None:
        if type(cap) is not int or cap < 1:
            document.add(("run_cap",), "must be a whole number of 1 or more", cap)
            return _TRIALS
        draft.note("budget", f"run_cap {cap} -> budget.trials {cap}")
        return cap
    kinds = [HyperparameterSpec(**entry).distribution() for entry in draft.space.values()]
    trials = min(_TRIALS, math.prod(count(kind) or _TRIALS for kind in kinds))
    draft.note("differs", f"no run_cap: a search ends, so budget.trials is {trials}; set it to the "
               "number that you can afford")  # fmt: skip
    return trials


def _epochs(draft: _Draft) -> int:
    raw = draft.document.data.get("early_terminate")
    most = raw.get("max_iter") if isinstance(raw, dict) else None
    if draft.epochs:
        return draft.epochs
    if type(most) is int and most > 0:
        draft.note("budget", f"early_terminate.max_iter {most} -> budget.epochs {most}")
        return most
    draft.note("differs", f"W&B does not say how long a run is: budget.epochs is {_EPOCHS}; set it "
               "to the reports that your function makes")  # fmt: skip
    return _EPOCHS


def _left_out(draft: _Draft) -> None:
    for key in draft.document.data:
        if key not in _TRANSLATED:
            why = _LEFT_OUT.get(key, "no key of a sweep that has a counterpart")
            draft.note("left out", f"{key}: {why}")

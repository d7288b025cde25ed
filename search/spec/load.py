"""Reads and checks a spec's YAML file; reports all mistakes at once.

Not for the checked spec itself (`spec.py`) nor for what each section allows (the other files of
this folder). An example with every key is in `search/specs/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.catalog import Value
from search.spec import checks
from search.spec.base_model import check_adaptation
from search.spec.errors import Document, SpecError
from search.spec.first import FIRST, check_first
from search.spec.initial_weights import check_initial_weights
from search.spec.metrics import check_history, check_objectives
from search.spec.overrides import override, set_value
from search.spec.robustness import check_robustness
from search.spec.sections import Budget, FolderName, HistorySettings
from search.spec.space import check_settings, check_space, space_of
from search.spec.spec import Seed, Spec
from search.spec.task import TRAINED, check_task
from search.spec.yaml_document import read_document, read_file, read_list


def load_spec(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    first: str | Path | None = None,
    must_exist: bool = True,
) -> Spec:
    r"""Read and check a spec file.

    Args:
        path: The YAML file; relative paths in it are relative to its folder.
        overrides: `key=value` each, value in YAML: `budget.trials=4`, `space.width.high=64`,
            `space.sgd.learning_rate.low=0.01` (or `sgd\.learning_rate`).
        first: A YAML file with the list of first configurations, in place of the spec's own.
        must_exist: Whether data, base model and tables must be on this machine.

    Raises:
        SpecError: The file has mistakes; holds all of them.
    """
    path = Path(path)
    document = read_document(read_file(path), str(path))
    if first is not None:
        read_list(read_file(Path(first)), str(first), document, FIRST)
    for text in overrides:
        override(document, text)
    return _build(document, path.parent.resolve(), must_exist)


def load_changed(
    spec: str | Path | Mapping[str, Any] | Spec, changes: Mapping[str, Any], trained: str = ""
) -> Spec:
    """Check a spec that Python names, after changing it.

    Args:
        spec: A file, the data of one (relative paths are relative to the working folder), or a
            checked spec.
        changes: Dotted keys and their new values; a mapping changes the keys that it names alone.
        trained: `network` or `train`, and the reference of the user's own function, as
            `train=python:my_module:function`: what the task trains instead.

    Raises:
        SpecError: The result has mistakes; holds all of them.
        TypeError: `spec` is none of these.
    """
    folder = Path.cwd()
    if isinstance(spec, str | Path):
        folder = Path(spec).parent.resolve()
        document = read_document(read_file(Path(spec)), str(spec))
    elif isinstance(spec, Spec | Mapping):
        data = spec.to_record() if isinstance(spec, Spec) else plain_data(spec)
        document = Document(dict(data), "the spec")
    else:
        raise TypeError(
            f"a spec is a file, a dict or search.Spec, not {type(spec).__name__}; fix: pass one"
        )
    if trained and isinstance(document.data.get("task", {}), dict):
        key, _, reference = trained.partition("=")
        task = document.data.setdefault("task", {})
        for each in TRAINED:
            task.pop(each, None)
        task[key] = reference
    for key, value in changes.items():
        set_value(document, key, plain_data(value), "a keyword", merges=True)
    return _build(document, folder, must_exist=True)


def plain_data(value: Any) -> Any:
    """Return a copy of a value of Python as YAML reads it: tuples as lists, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def spec_from_yaml(text: str, source: str = "spec.yaml") -> Spec:
    """Check a spec's text, such as that of `to_yaml`, but not whether its data exist.

    Args:
        text: YAML.
        source: File name, for messages; relative paths are relative to its folder.

    Raises:
        SpecError: The text has mistakes; holds all of them.
    """
    return _build(read_document(text, source), Path(source).parent.resolve(), must_exist=False)


def checked_again(spec: Spec, source: str) -> Spec:
    """Check a spec that was changed after it was read; messages name `source` as the file.

    Raises:
        SpecError: The spec has mistakes; holds all of them.
    """
    return _build(Document(spec.to_record(), source), Path.cwd(), must_exist=False)


def with_first(spec: Spec, configurations: Sequence[Mapping[str, Any]], source: str) -> Spec:
    """Return a spec with these first configurations; messages name `source` as the file.

    Raises:
        SpecError: A configuration is not one of the space, or there are more than trials.
    """
    record = spec.to_record() | {FIRST: plain_data(configurations)}
    return _build(Document(record, source), Path.cwd(), must_exist=False)


def _build(document: Document, folder: Path, must_exist: bool) -> Spec:
    """Check every section, then raise or return."""
    data = document.data
    for key in data:
        if key not in Spec.model_fields:
            document.add((key,), "unknown key", allowed=Spec.model_fields)
    name = checks.read_value(document, ("name",), FolderName, data.get("name"))
    seed = checks.read_value(document, ("seed",), Seed, data.get("seed", 0))
    task = check_task(document, folder, must_exist)
    settings = check_settings(document)
    threat = check_robustness(document, folder, must_exist)
    objectives = check_objectives(document, threat)
    space = check_space(document, settings)
    check_adaptation(document, task, settings, space, must_exist)
    budget = checks.read_part(document, ("budget",), Budget, data.get("budget"))
    resources = checks.check_resources(document)
    sampler = checks.check_sampler(document, budget)
    scheduler = checks.check_scheduler(document, budget)
    history = check_history(document, objectives, threat)
    initial_weights = check_initial_weights(document, space)
    first: tuple[dict[str, Value], ...] = ()
    if not document.problems:
        assert budget and sampler
        first = check_first(document, space_of(space), budget, sampler)
    if document.problems:
        raise SpecError(document.problems)
    assert task and threat and budget and resources and sampler and scheduler and history
    return Spec(
        name=name,
        task=task.model_copy(update={"settings": settings}),
        objectives=objectives,
        space=space,
        budget=budget,
        resources=resources,
        sampler=sampler,
        scheduler=scheduler,
        robustness=threat,
        history=history,
        initial_weights=initial_weights,
        first=first,
        seed=seed,
    )


def stored_document(spec_yaml: str) -> dict[str, Any]:
    """Return the sections of a stored spec as they stand there, unchecked; {} if it is no mapping.

    A report must not fail because a training function or a data set has moved since, or because
    somebody has damaged what the store holds.
    """
    try:
        document = yaml.safe_load(spec_yaml)
    # A date such as 2024-99-99; thousands of brackets.
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def history_settings(spec_yaml: str) -> HistorySettings:
    """Return the section `history` of a stored spec; the defaults if it has no readable one."""
    try:
        return HistorySettings.model_validate(stored_document(spec_yaml).get("history") or {})
    except (ValueError, RecursionError):  # an anchor may contain itself
        return HistorySettings()


def is_of_a_function(spec_yaml: str) -> bool:
    """Whether a stored spec is of the user's own training function; the rest is not read."""
    task = stored_document(spec_yaml).get("task")
    return isinstance(task, dict) and "train" in task

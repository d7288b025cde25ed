"""A spec's YAML file, read and checked: every mistake in it is reported at once.

Not for what a checked spec is (`checked.py`) nor for what each of its parts allows (the files
beside this one). An example with every key is in `search/specs/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from search.spec import checks
from search.spec.base_model import check_adaptation
from search.spec.checked import SearchName, Seed, Spec
from search.spec.errors import Document, SpecError
from search.spec.initial_weights import check_initial_weights
from search.spec.metrics import check_history, check_objectives
from search.spec.overrides import override
from search.spec.parts import Budget, HistorySettings
from search.spec.reading import read_document, read_file
from search.spec.robustness import check_robustness
from search.spec.space import check_settings, check_space
from search.spec.task import check_task


def load_spec(path: str | Path, overrides: Sequence[str] = (), *, must_exist: bool = True) -> Spec:
    r"""Read and check a spec file.

    Args:
        path: The YAML file; relative folders and files in it are relative to its own folder.
        overrides: `key=value` each, value in YAML: `budget.trials=4`, `space.width.high=64`,
            `space.sgd.learning_rate.low=0.01` (or `sgd\.learning_rate`).
        must_exist: Whether data, base model and tables are looked up on this machine.

    Raises:
        SpecError: Everything that is wrong.
    """
    path = Path(path)
    document = read_document(read_file(path), str(path))
    for text in overrides:
        override(document, text)
    return _build(document, path.parent.resolve(), must_exist)


def spec_from_yaml(text: str, source: str = "spec.yaml") -> Spec:
    """Check a spec's text, such as `to_yaml` wrote it; whether its data exist is not looked up.

    Args:
        text: YAML.
        source: Where it is from: leads the messages, and its folder is that of relative paths.

    Raises:
        SpecError: Everything that is wrong.
    """
    return _build(read_document(text, source), Path(source).parent.resolve(), must_exist=False)


def checked_again(spec: Spec, source: str) -> Spec:
    """Check a spec that was changed since it was read; `source` leads the messages.

    Raises:
        SpecError: Everything that is wrong.
    """
    return _build(Document(spec.to_record(), source), Path.cwd(), must_exist=False)


def _build(document: Document, folder: Path, must_exist: bool) -> Spec:
    """Check every part, then raise or return."""
    data = document.data
    for key in data:
        if key not in Spec.model_fields:
            document.add((key,), "unknown key", allowed=Spec.model_fields)
    known = checks.known_hyperparameters(document)
    name = checks.read_value(document, ("name",), SearchName, data.get("name"))
    seed = checks.read_value(document, ("seed",), Seed, data.get("seed", 0))
    task = check_task(document, folder, must_exist)
    settings = check_settings(document, known)
    threat = check_robustness(document, folder, must_exist)
    objectives = check_objectives(document, threat)
    space = check_space(document, known, settings)
    check_adaptation(document, task, settings, space, must_exist)
    budget = checks.read_part(document, ("budget",), Budget, data.get("budget"))
    resources = checks.check_resources(document)
    sampler = checks.check_sampler(document, budget)
    scheduler = checks.check_scheduler(document, budget)
    history = check_history(document, known, objectives, threat)
    initial_weights = check_initial_weights(document, space)
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
        seed=seed,
    )


def history_settings(spec_yaml: str) -> HistorySettings:
    """The part of a stored spec that says what to learn from; the defaults if there is none.

    The rest of the spec is not looked at: a report must not fail because a training function or a
    data set has moved since.
    """
    try:
        document = yaml.safe_load(spec_yaml)
        return HistorySettings.model_validate(document.get("history") or {})
    except (yaml.YAMLError, ValueError, AttributeError):
        return HistorySettings()

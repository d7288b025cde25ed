"""Pins the initial weights of a spec to earlier trials, before anything is run.

Names become `SEARCH#TRIAL`, so that a search starts from the same weights however often it is
resumed, and the hyperparameters that the checkpoints fix leave the space. Not for copying the
weights (`inherited_weights.py`), nor for the form of the spec (`search/spec/initial_weights.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.adversarial.checks.search_warnings import doubts
from models.catalog import MODELS, Value
from models.networks.base_model import locate_base
from search.spec import Spec, checked_again
from search.spec.initial_weights import INITIAL_WEIGHTS, SCRATCH, InitialWeightsKeys, choices
from search.spec.sections import HyperparameterSpec
from search.transfer.sources import (
    WeightSource,
    best_trial,
    check_checkpoint,
    find_trial,
    front_trials,
)


def pin(spec: Spec, tracking_uri: str) -> tuple[Spec, list[str]]:
    """Pins the initial weights of a spec; returns it and lines about its sources for the user.

    A spec without initial weights, or pinned before, is returned as it is.

    A single source fixes the hyperparameters of its architecture: they move to `task.settings` and
    are no longer searched. Where each trial chooses its source, only trials from scratch search
    them.

    Raises:
        LookupError: there is no such search or trial, or its checkpoint is gone.
        ValueError: a trial is of another model or base, or fixes what the spec sets otherwise.
    """
    part = spec.initial_weights
    if spec.task.is_function or (part is not None and part.fixed):
        return spec, []
    if part is not None and part.source is not None:
        sources = _found(tracking_uri, part.source, part.pick)
        chosen = [source.name for source in sources]
    elif choices(spec.space):
        found = {each: _found(tracking_uri, each)[0] for each in choices(spec.space)}
        sources = list({source.name: source for source in found.values()}.values())
        spec = _renamed(spec, {each: source.name for each, source in found.items()})
        chosen = [str(each) for each in spec.space[INITIAL_WEIGHTS].choices or ()]
    else:
        return spec, []
    for source in sources:
        check_fit(source, spec)
    if len(chosen) == 1 and chosen != [SCRATCH]:
        pinned, dropped = _fixed(spec, sources[0])
    else:
        pinned, dropped = _choosing(spec, sources, chosen)
    lines = [line for source in sources for line in _about(source)]
    if dropped:
        lines.append(f"no longer searched, because the checkpoint fixes it: {', '.join(dropped)}")
    return checked_again(pinned, "the spec with its weights"), lines


def _found(tracking_uri: str, reference: str, pick: str = "best") -> list[WeightSource]:
    if "#" in reference:
        return [find_trial(tracking_uri, reference)]
    if pick == "pareto":
        return front_trials(tracking_uri, reference)
    return [best_trial(tracking_uri, reference)]


def check_fit(source: WeightSource, spec: Spec) -> None:
    """Checks that the weights of a trial fit this task's model.

    Raises:
        LookupError: its checkpoint is gone.
        ValueError: it is of another model, or adapted another base.
    """
    theirs, ours = source.spec.task.trains, spec.task.trains
    if theirs != ours:
        raise ValueError(
            f"initial_weights: the model of {source.name} is {theirs}, this task's is {ours}; "
            "fix: name a trial of the same model"
        )
    check_checkpoint(source, "initial_weights: ")
    if spec.task.base is None:
        return
    known, base = source.fingerprint.get("base") or {}, locate_base(spec.task.base)
    if known.get("digest") != base.digest:
        raise ValueError(
            f"initial_weights: {source.name} adapted {known.get('name')}@{known.get('digest')}, "
            f"this task's base is {base.name}@{base.digest}; fix: name a trial on the same base"
        )


def _renamed(spec: Spec, new: Mapping[str, str]) -> Spec:
    """Pins the choices of initial weights to trials, in conditions too."""

    def pinned(values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(new.get(str(each), each) for each in values))

    space = dict(spec.space)
    for name, part in spec.space.items():
        if INITIAL_WEIGHTS in part.when:
            when = {**part.when, INITIAL_WEIGHTS: pinned(part.when[INITIAL_WEIGHTS])}
            space[name] = part.model_copy(update={"when": when})
    chosen = space[INITIAL_WEIGHTS]
    space[INITIAL_WEIGHTS] = chosen.model_copy(update={"choices": pinned(chosen.choices or ())})
    first = tuple(
        {n: new.get(str(v), v) if n == INITIAL_WEIGHTS else v for n, v in each.items()}
        for each in spec.first
    )
    return spec.model_copy(update={"space": space, "first": first})


def _fixed(spec: Spec, source: WeightSource) -> tuple[Spec, list[str]]:
    """A spec whose trials all start from one source; and what is no longer searched."""
    fixes = _agreeing(spec, source)
    settings = {**spec.task.settings, **fixes}
    space, dropped = _without(spec, settings)
    part = InitialWeightsKeys.model_validate({"from": source.name, "fixed": {source.name: fixes}})
    task = spec.task.model_copy(update={"settings": settings})
    pinned = spec.model_copy(update={"task": task, "space": space, INITIAL_WEIGHTS: part})
    return pinned, dropped


def _choosing(spec: Spec, sources: list[WeightSource], chosen: list[str]) -> tuple[Spec, list[str]]:
    """A spec whose trials choose a source each; and what is no longer searched."""
    fixed = {source.name: _agreeing(spec, source) for source in sources}
    names = {name for fixes in fixed.values() for name in fixes}
    # An architecture fixes what has no effect in it, too: `blocks` under `block: residual`.
    names |= {name for name in spec.space if names & _conditions(spec, name).keys()}
    if "adaptation" in names:
        raise ValueError(
            "initial_weights: prefixes and adapters fit one adaptation only; fix: where trials "
            "choose, set task.settings.adaptation and its size to those of the sources"
        )
    space, dropped = {}, []
    for name, part in spec.space.items():
        if name not in names:
            space[name] = part
        elif SCRATCH in chosen:
            when = {**part.when, INITIAL_WEIGHTS: (SCRATCH,)}
            space[name] = part.model_copy(update={"when": when})
        else:
            dropped.append(name)
    space[INITIAL_WEIGHTS] = HyperparameterSpec(type="categorical", choices=tuple(chosen))
    pinned = InitialWeightsKeys.model_validate({"fixed": fixed})
    return spec.model_copy(update={"space": space, INITIAL_WEIGHTS: pinned}), dropped


def _agreeing(spec: Spec, source: WeightSource) -> dict[str, Value]:
    """What a source fixes beyond `task.settings`, which must not contradict it."""
    fixes = source.fixes()
    for name, value in fixes.items():
        if spec.task.settings.get(name, value) != value:
            raise ValueError(
                f"initial_weights: {source.name} has {name} {value}, task.settings has "
                f"{spec.task.settings[name]}; fix: remove that setting, or name another trial"
            )
    return {name: value for name, value in fixes.items() if name not in spec.task.settings}


def _conditions(spec: Spec, name: str) -> Mapping[str, tuple[Value, ...]]:
    """The catalog's conditions of a hyperparameter, which a spec need not state."""
    known = MODELS[spec.task.catalog_name].get(name)  # initial weights are not in the catalog
    return known.when if known else {}


def _without(
    spec: Spec, settings: Mapping[str, Value]
) -> tuple[dict[str, HyperparameterSpec], list[str]]:
    """The space without what is fixed and what can no longer be active; and the removed names."""
    # Initial weights are fixed too: all choices are the same trial.
    searched = {name for name in spec.space if name not in settings and name != INITIAL_WEIGHTS}

    def conditions(name: str) -> dict[str, tuple[Value, ...]]:
        known = _conditions(spec, name)
        return {p: known[p] for p in known if p in settings} | spec.space[name].when

    def can_be_active(name: str) -> bool:
        return all(
            can_be_active(parent) if parent in searched else settings.get(parent) in values
            for parent, values in conditions(name).items()
        )

    space = {}
    for name, part in spec.space.items():
        if name in searched and can_be_active(name):
            when = {parent: values for parent, values in part.when.items() if parent in searched}
            space[name] = part.model_copy(update={"when": when})
    dropped = [name for name in spec.space if name not in space and name != INITIAL_WEIGHTS]
    if not space:
        raise ValueError(
            f"initial_weights: the space has only {', '.join(dropped)}, which the checkpoint "
            f"fixes; fix: add a hyperparameter of training"
        )
    return space, dropped


def _about(source: WeightSource) -> list[str]:
    """Lines on a source: its first objective, what it fixes, and whether its accuracy can be false.

    Such weights are a start like others: every trial from them is checked for itself. But what
    masks a network's gradients may be in its weights (logits too large for a softmax), and stay.
    """
    metric, fixes = source.trial.metrics[0], source.fixes()
    fixed = ", ".join(f"{name} {value}" for name, value in fixes.items())
    said = f"weights of {source.name} ({metric} {source.trial.value_of(metric):.4f})"
    lines = [said + (f" fix {fixed}" if fixed else "")]
    found = doubts(source.trial.last_values)
    if found:
        signs = "; ".join(f"{each.name} ({each.measured})" for each in found)
        lines.append(
            f"the robust accuracy of {source.name} is in doubt: {signs}; trials that start from it "
            "may mask their gradients, too, and not count; fix: name another trial if many do not"
        )
    return lines

"""Likely renames: a hyperparameter that history lacks, and one that only history has.

Judged by their names and by whether history's values fit the target. Only proposed, never applied:
two names may look alike and mean two things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from search.space import SearchSpace
from search.space.values import read

# Short forms in common use, each to the term of the field.
_SYNONYMS = {
    "lr": "learning rate", "eta": "learning rate", "step size": "learning rate",
    "bs": "batch size", "batchsize": "batch size", "minibatch size": "batch size",
    "wd": "weight decay", "l2": "weight decay", "weightdecay": "weight decay",
    "dropout rate": "dropout", "drop rate": "dropout", "p dropout": "dropout",
    "mom": "momentum", "eps": "epsilon", "opt": "optimizer", "optim": "optimizer",
    "act": "activation", "hidden size": "width", "hidden units": "width", "channels": "width",
    "num layers": "depth", "layers": "depth", "blocks": "depth",
    "num estimators": "trees", "num trees": "trees",
}  # fmt: skip
_COUNTS = frozenset({"n", "nr", "no", "number", "count"})
_IDLE = frozenset({"init", "initial", "base", "value", "of", "the"})
# "learning rate init" is as alike as that to "learning rate"; "width" and "depth" reach 0.6.
_ALIKE = 0.8
# Of the values seen; a name that looks right but whose values lie elsewhere is something else.
_FITTING_SHARE = 0.5


def proposed_renames(space: SearchSpace, values: Mapping[str, Sequence[object]]) -> dict[str, str]:
    """History's name -> the target's, for likely renames; one to one.

    Args:
        space: The target's.
        values: Each name that one earlier search used -> the values its trials had.
    """
    missing = [name for name in space.distributions if name not in values]
    foreign = [name for name in values if name not in space.distributions]
    scores = {
        (old, new): score
        for new in missing
        for old in foreign
        if (score := likeness(old, new)) >= _ALIKE and _fit(space, new, values[old])
    }
    return {
        old: new
        for (old, new), score in scores.items()
        if score > _best_other(scores, old, new)  # of two equally likely ones neither is
    }


def likeness(first: str, second: str) -> float:
    """How alike two names are, 0 to 1; 1 if they are two words for one thing.

    `sgd.lr` is not `adamw.lr`: what stands before the last dot must agree where both have it.
    Numbers in names must agree too: `beta1` is not `beta2`.
    """
    (parent, own), (other_parent, other_own) = _parts(first), _parts(second)
    if parent and other_parent and parent != other_parent:
        return 0.0
    if re.findall(r"\d+", own) != re.findall(r"\d+", other_own):
        return 0.0
    # A parent that one of them has and the other lacks leaves a doubt.
    certainty = 1.0 if bool(parent) == bool(other_parent) else 0.9
    return certainty * SequenceMatcher(None, own, other_own).ratio()


def _best_other(scores: Mapping[tuple[str, str], float], old: str, new: str) -> float:
    rivals = [
        score
        for (other_old, other_new), score in scores.items()
        if (other_old == old) != (other_new == new)
    ]
    return max(rivals, default=0.0)


def _parts(name: str) -> tuple[str, str]:
    """What stands before the last dot or slash, and the rest in the field's words."""
    parent, _, own = name.replace("/", ".").rpartition(".")
    parent = "" if parent in ("config", "params", "hparams", "args") else parent
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", own)  # batchSize
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    words = ["num" if word in _COUNTS else word for word in words]
    words = [word for word in words if word not in _IDLE] or words
    text = " ".join(words)
    return parent, _SYNONYMS.get(text, text)


def _fit(space: SearchSpace, name: str, values: Sequence[object]) -> bool:
    reads = [read(space.distributions[name], value) for value in values]
    fitting = sum(found.problem in ("", "between") for found in reads)
    return bool(reads) and fitting >= _FITTING_SHARE * len(reads)

"""Propose renames: pairs of a hyperparameter that history lacks and one that only history has.

The same for metrics. Pairs are scored by their names and by whether history's values fit the
target. Renames are proposed, never applied: similar names may mean different things.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher

from search.history.other_code import own_name
from search.space import SearchSpace
from search.space.values import read

# Common short forms -> the standard term.
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
_METRICS = {"acc": "accuracy", "err": "error", "auroc": "auc", "prec": "precision"}
# The split that objectives are measured on, and what they are measured on without an attack.
_VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev", "clean", "score"})
_COUNTS = frozenset({"n", "nr", "no", "number", "count"})
_IDLE = frozenset({"init", "initial", "base", "value", "of", "the"})
# "learning rate init" and "learning rate" reach about this much; "width" and "depth" reach 0.6.
_ALIKE = 0.8
# Share of the values seen; a similar name whose values lie outside is something else.
_FITTING_SHARE = 0.5


def proposed_renames(space: SearchSpace, values: Mapping[str, Sequence[object]]) -> dict[str, str]:
    """Returns history's name -> the target's name, for likely renames; one to one.

    Args:
        space: The target's space.
        values: Each name that one earlier search used -> the values of its trials.
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
        if score > _best_other(scores, old, new)  # of two equally likely names none is proposed
    }


def proposed_metric_renames(missing: Sequence[str], logged: Collection[str]) -> dict[str, str]:
    """Returns history's name -> the objective's name, for likely renames of metrics; one to one.

    Names are alike if they have the same words but for those of the validation split: `val_acc` is
    `accuracy`. An error is not an accuracy, and a metric of the training or test split is another.

    Args:
        missing: The target's objectives that an earlier search did not measure.
        logged: The metrics that it did measure.
    """
    found: dict[str, str] = {}
    for new in missing:
        alike = [old for old in logged if _metric_words(old) == _metric_words(new)]
        if len(alike) == 1 and alike[0] not in (*missing, *found):
            found[alike[0]] = new
    return found


def _metric_words(name: str) -> frozenset[str]:
    words = {_METRICS.get(word, word) for word in _words(name)}
    return frozenset(words - _VALIDATION or words)


def _words(name: str) -> list[str]:
    """Returns the words of `batch_size`, `batch-size` or `batchSize` in small letters."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def likeness(first: str, second: str) -> float:
    """Returns the similarity of two names, 0 to 1; 1 if they are synonyms.

    `sgd.lr` is not `adamw.lr`: the part before the last dot must agree if both have one. Numbers in
    names must agree too: `beta1` is not `beta2`. The first may be of other code.
    """
    if own_name(first) == second:
        return 1.0
    (parent, own), (other_parent, other_own) = _parts(first), _parts(second)
    if parent and other_parent and parent != other_parent:
        return 0.0
    if re.findall(r"\d+", own) != re.findall(r"\d+", other_own):
        return 0.0
    # Less certain if only one of them has a parent.
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
    """Returns the part before the last dot or slash, and the rest in standard terms."""
    parent, _, own = name.replace("/", ".").rpartition(".")
    parent = "" if parent in ("config", "params", "hparams", "args") else parent
    words = ["num" if word in _COUNTS else word for word in _words(own)]
    words = [word for word in words if word not in _IDLE] or words
    text = " ".join(words)
    return parent, _SYNONYMS.get(text, text)


def _fit(space: SearchSpace, name: str, values: Sequence[object]) -> bool:
    reads = [read(space.distributions[name], value) for value in values]
    fitting = sum(found.problem in ("", "between") for found in reads)
    return bool(reads) and fitting >= _FITTING_SHARE * len(reads)

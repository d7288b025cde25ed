"""Tells hyperparameters of different code apart that have the same name.

What a network builder or a training function of a user's makes of `model.depth` or of `x` only its
source says, so an earlier search with other code had another hyperparameter. It gets a name of its
own, which a user who knows better can rename (`history.rename`). Code is known by its address: the
same address with an edited source is the same code here.
"""

from __future__ import annotations

from dataclasses import replace

from models.catalog import OWN_PREFIX
from models.networks.own_code import PREFIX
from search.history.history import History
from search.history.renaming import renamed_configurations, renamed_search
from search.history.search import Search

_OF = " (of "


def apart(history: History, trained: str, *, is_function: bool) -> History:
    """Return a history in which the hyperparameters of other code have other names.

    Args:
        history: Earlier searches. Those whose fingerprint names no model stay as they are.
        trained: What the new search trains: a model of the catalog, or the address of the user's
            own code.
        is_function: Whether that is a training function, whose hyperparameters are all its own; of
            a network only those that begin with `model.` are.
    """
    names = {
        search: found
        for search, known in history.searches.items()
        if (found := _names(known, history, trained, is_function))
    }
    if not names:
        return history
    trials = renamed_configurations(history.trials, lambda search, _: names.get(search, {}))
    searches = {
        id: renamed_search(each, names.get(id, {}), {}) for id, each in history.searches.items()
    }
    return replace(history, trials=trials, searches=searches)


def own_name(name: str) -> str:
    """Return the name that a hyperparameter of other code has there; any other name as it is."""
    return name.partition(_OF)[0]


def is_of_other_code(name: str, known: Search, trained: str, is_function: bool) -> bool:
    """Whether a hyperparameter of a search is another one in what is trained, see `apart`."""
    is_own = is_function or name.startswith(OWN_PREFIX)
    return is_own and _has_other_code(known, trained, is_function)


def _has_other_code(known: Search, trained: str, is_function: bool) -> bool:
    theirs = known.fingerprint.get("model")
    if not isinstance(theirs, str) or theirs == trained:
        return False
    # Only our own fingerprints have objectives: what another tool logged may be the same script.
    return theirs.startswith(PREFIX) or (is_function and "objectives" in known.fingerprint)


def _names(known: Search, history: History, trained: str, is_function: bool) -> dict[str, str]:
    """Return old name -> new name of one search; empty if its hyperparameters mean the same."""
    if not _has_other_code(known, trained, is_function):
        return {}
    used = {
        name
        for trial in history.prior_trials(state=None, search=known.id)
        for name in trial.configuration
    } | set(known.space.distributions if known.space else ())
    return {
        name: f"{name}{_OF}{known.fingerprint['model']})"
        for name in sorted(used)
        if is_of_other_code(name, known, trained, is_function)
    }

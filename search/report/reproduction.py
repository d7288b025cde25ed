"""The section on reproducing a search: the commands, what they pin, and what nothing pins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.experience import Experience
from search.history import Search
from search.history.plurals import counted
from search.history.provenance import names_in_words
from search.report.tables import escape, fenced, table
from search.spec.load import history_settings, stored_document
from search.spec.sections import HistorySettings

_SEARCHES_NAMED = 5
_CHANGED = "-dirty"  # as git describes a commit with changed files
_UNREADABLE = (
    "The spec that the store has of this search is no YAML mapping (spec.yaml, as it is there), so "
    "the search cannot be run again from it. What a trial occupied, and what the search pinned, is "
    "not known."
)


def learned_from(experience: Experience | None, *, is_warm: bool) -> str:
    """The earlier searches that a search was warm-started from, in words."""
    if not is_warm:
        return "nothing (cold)"
    if experience is None or not experience.used:
        return "earlier searches (warm)"
    count = counted(len(experience.used), "earlier search", "earlier searches")
    return f"{count} (warm): {names_in_words(list(experience.used), _SEARCHES_NAMED)}"


def reproduction(search: Search, spec_yaml: str, environment: Mapping[str, str]) -> str:
    """Markdown: how to run a search again with the same history.

    Args:
        search: The search.
        spec_yaml: The spec as it was run, with its history pinned.
        environment: Part -> version.
    """
    document = stored_document(spec_yaml)
    pinned = _pinned(search, spec_yaml, document, environment) if document else [_UNREADABLE]
    versions = [[escape(name), escape(value)] for name, value in sorted(environment.items())]
    return "\n\n".join([*pinned, *([table(["part", "version"], versions)] if versions else [])])


def _pinned(
    search: Search, spec_yaml: str, document: Mapping[str, Any], environment: Mapping[str, str]
) -> list[str]:
    """Paragraphs: the commands, what the spec pins, and what nothing pins."""
    code = environment.get("code", "unknown")
    commit = code.removesuffix(_CHANGED)
    has_commit = commit != "unknown" and commit.isalnum()
    own = _own_code(document.get("task"))
    place = f"In the folder of `{escape(own)}`" if own else "In the folder that has this one"
    rows = [
        ["spec", f"spec.yaml: space, budget, settings and the seed {search.seed}"],
        ["data and model", f"the task's id, {escape(search.task)}; other data give another id"],
        *([["your code", f"`{escape(own)}`; changed code gives another id"]] if own else []),
        ["history", _history(history_settings(spec_yaml))],
        ["initial weights", _weights(document)],
    ]
    changed = " Files of the code differed from its commit; how is not recorded."
    free = [
        "The code and the libraries: `twentieth run` does not compare the versions below."
        + (f" Twentieth's own: `git checkout {commit}` in its folder." if has_commit else "")
        + (changed if code.endswith(_CHANGED) else ""),
        "The order in which trials at the same time end: a proposal depends on the results before "
        "it, and replayed adversarial examples on the trials before. With `resources.parallelism` "
        "1 a search has one order.",
        "Rounding: another processor, number of threads or GPU gives slightly different weights.",
    ]
    return [
        f"{place}, with the store of this search (`--tracking-uri`):",
        fenced(f"twentieth run {search.id}/spec.yaml", "sh"),
        table(["pinned", "by"], rows),
        "Not pinned:",
        "\n".join(f"- {text}" for text in free),
    ]


def _own_code(task: object) -> str:
    """The network or training function of the user's that a stored task names; "" for none."""
    names = task if isinstance(task, Mapping) else {}
    return str(names.get("network") or names.get("train") or "")


def _history(settings: HistorySettings) -> str:
    if not settings.enabled:
        return "switched off in spec.yaml"
    if settings.searches is None:
        return "not pinned: the spec names no searches"
    if not settings.searches:
        return "`history.searches: []` in spec.yaml: none, whatever the store has by now"
    searches = counted(len(settings.searches), "earlier search", "earlier searches")
    return (
        f"`history.searches` in spec.yaml, {searches}, and the digest of their trials, "
        f"`{settings.digest}`: the search does not start if they have changed"
    )


def _weights(document: Mapping[str, Any]) -> str:
    if "initial_weights" in document:
        return "`initial_weights` in spec.yaml, which names trials of the store"
    return "the seed: all trials start from scratch, or from the model of the task"

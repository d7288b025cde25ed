"""The commands that run trials, `run`, `resume` and `repeat`, and `review`, which runs none.

The former do all five steps (review, extract, apply, optimize, transfer), `review` the first three.
Imports are inside the commands, so that `twentieth --help` is fast.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import (
    DEFAULT_URI,
    AllowCode,
    AsJson,
    ChangedCode,
    First,
    Results,
    SearchId,
    Settings,
    Uri,
    changed_keys,
)
from search.session.screen import RESULTS, say, say_raw
from search.spec import load_spec

if TYPE_CHECKING:
    from search.pipeline import Prepared

SpecFile = Annotated[Path, typer.Argument(help="A spec; examples are in search/specs/.")]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster ('auto', host:port).")]
ShareCores = Annotated[
    bool,
    typer.Option(
        "--share-cores", help="Do not wait for cores that other searches on this machine hold."
    ),
]
Trials = Annotated[int | None, typer.Option(min=1, help="Run exactly so many trials.")]


def run(
    spec: SpecFile,
    settings: Settings = None,
    trials: Trials = None,
    cold: Annotated[bool, typer.Option("--cold", help="Ignore history.")] = False,
    first: First = None,
    tracking_uri: Uri = DEFAULT_URI,
    address: Address = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the sampler and the trials.")
    ] = None,
    results: Results = RESULTS,
    share_cores: ShareCores = False,
) -> None:
    """Start a search: review, extract, apply, optimize, transfer."""
    changes = changed_keys(settings, trials, seed) + ["history.enabled=false"] * cold
    checked = load_spec(spec, changes, first=first)
    _announce(tracking_uri, "" if cold else "the history of ")
    from search import pipeline
    from search.cli.follow import follow
    from search.session.watch import admit_to

    admit_to(address)
    prepared = pipeline.prepare(checked, tracking_uri, say=say)
    plan = pipeline.new_plan(prepared, tracking_uri, results / "storage", address, say)
    follow(replace(plan, share_cores=share_cores), [], results)


def resume(
    search: SearchId,
    trials: Annotated[int, typer.Option(min=0, help="Number of trials to add to its budget.")] = 0,
    hours: Annotated[
        float | None, typer.Option(min=0, help="Time limit of this run, in hours.")
    ] = None,
    tracking_uri: Uri = DEFAULT_URI,
    address: Address = None,
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    results: Results = RESULTS,
    share_cores: ShareCores = False,
) -> None:
    """Continue an interrupted search, or extend a finished one."""
    _announce(tracking_uri)
    from search import pipeline
    from search.cli.follow import follow
    from search.session.watch import admit_to
    from search.spec.own_code import Allowed
    from search.tracking.read.history import load_history

    admit_to(address)
    plan = pipeline.resumed_plan(
        search, tracking_uri, more_trials=trials, hours=hours, address=address,
        allowed=Allowed(allow_code, changed_code), say=say,
    )  # fmt: skip
    own = load_history(tracking_uri, searches=[plan.search]).prior_trials(state=None)
    follow(replace(plan, share_cores=share_cores), own, results)


def repeat(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="A trial that has ended.")],
    seeds: Annotated[int, typer.Option(min=2, help="Number of seeds, each a trial.")] = 5,
    tracking_uri: Uri = DEFAULT_URI,
    address: Address = None,
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    results: Results = RESULTS,
    share_cores: ShareCores = False,
) -> None:
    """Train one configuration again with other seeds, as a small search of its own.

    Prints mean and standard deviation of each objective. Later searches of the
    task take the noise of its objectives from them.
    """
    from search.history.trial import search_and_number

    search, number = search_and_number(trial)
    if number is None:
        raise ValueError(f"{trial!r} is a search; fix: add the number of a trial: {trial}#7")
    _announce(tracking_uri)
    from search.cli.follow import follow
    from search.cli.repeat import repeating_plan
    from search.session.watch import admit_to
    from search.spec.own_code import Allowed

    admit_to(address)
    plan = repeating_plan(
        search, number, tracking_uri, seeds=seeds, storage_root=results / "storage",
        address=address, allowed=Allowed(allow_code, changed_code), say=say,
    )  # fmt: skip
    follow(replace(plan, share_cores=share_cores), [], results)


def review(
    spec: SpecFile,
    settings: Settings = None,
    first: First = None,
    as_json: AsJson = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="List every run left out.")] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Dry run: show what history says about a spec and what would be tried first."""
    checked = load_spec(spec, settings or [], first=first)
    if not as_json:
        _announce(tracking_uri)
    from search import pipeline

    speak = (lambda text: None) if as_json else say
    prepared = pipeline.prepare(checked, tracking_uri, say=speak, lines_shown=None)
    if as_json:
        print(_review_as_json(prepared))
        return
    _say_first_proposals(prepared)
    for row in prepared.history.rejected if rejected else ():
        say(f"left out  {row.run_id} {row.name}: {row.reason}")


def _say_first_proposals(prepared: Prepared) -> None:
    """Says what is tried first and why, and in one table what is expected of it."""
    from search.apply.first_proposals import configuration_in_words
    from search.cli.expectations import expectation_lines
    from search.history.forecast import Forecast
    from search.history.provenance import provenance_text, read_origin

    names = prepared.history.trial_names()
    origins = [read_origin(each.origin) for each in prepared.proposals]
    for proposal, origin in zip(prepared.proposals, origins, strict=True):
        say(f"try       {configuration_in_words(proposal.configuration)}")
        say(f"          {provenance_text(replace(origin, forecast=Forecast()), names)}")
    for line in expectation_lines(origins):
        say_raw(line)


def _review_as_json(prepared: Prepared) -> str:
    from search.cli.documents import ProposalDocument, ReviewDocument, origin_keys, to_json
    from search.experience import LeftOut

    history, reconciled, names = (
        prepared.history,
        prepared.reconciled,
        prepared.history.trial_names(),
    )
    document = ReviewDocument(
        task=prepared.task, experience=prepared.experience, cost_forecast=prepared.cost,
        decisions=tuple(reconciled.decisions), trials_left_out=reconciled.left_out,
        first_configurations=tuple(
            ProposalDocument(dict(proposal.configuration), **origin_keys(proposal.origin, names))
            for proposal in prepared.proposals
        ),
        rejected=tuple(LeftOut(row.run_id, row.name, row.reason) for row in history.rejected),
    )  # fmt: skip
    return to_json(document)


def _announce(tracking_uri: str, what: str = "the history of ") -> None:
    """Says what is done first, before the imports, which take seconds."""
    say(f"review    reading {what}{tracking_uri}")

"""The command `doctor`: checks machines, storage and store before GPU hours are spent.

It checks this machine, the nodes of a Ray cluster that this machine belongs to (`--address`), or a
remote cluster by its file (`--cluster`), where the same command runs on the head as a job.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from search.cli.cluster import use_token_of_the_cluster
from search.cli.options import Settings
from search.cluster.all_checks import examine
from search.cluster.check import Check, failed, in_a_line, passed
from search.cluster.nodes import ThisMachine, join_cluster
from search.cluster.preflight import LaunchArguments
from search.cluster.remote import LAST_LINE, as_line, check_remotely
from search.history.plurals import counted
from search.session.screen import PROJECT, PROJECT_STORE, RESULTS, say
from search.spec import Spec, SpecError, load_spec

_SIGNS = {"pass": "pass", "warning": "WARN", "fail": "FAIL"}


def doctor(
    spec: Annotated[
        Path | None, typer.Argument(help="A spec: also check what its trials need.")
    ] = None,
    settings: Settings = None,
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow store or server.")
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(help="Cluster config, as for `launch`: check that cluster remotely."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A running Ray cluster ('auto', host:port): checks every node."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            envvar="TWENTIETH_RESULTS", help="Results folder, on storage that all nodes share."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    lines: Annotated[bool, typer.Option("--lines", hidden=True)] = False,
) -> None:
    """Check for problems that would spoil a search; each one is shown with its fix."""
    checks: list[Check] = []

    def take(check: Check) -> None:
        checks.append(check)
        if lines:
            print(as_line(check), flush=True)
        elif not as_json:
            say("\n".join(as_lines(check)))

    if cluster is not None:
        if address is not None:
            raise ValueError(
                "--cluster checks a remote cluster, --address one that this machine belongs to; "
                "fix: give one of them"
            )
        use_token_of_the_cluster()
        place = None if results is None else Path(os.path.expanduser(results))
        changes = tuple(settings or ())
        given = LaunchArguments(cluster, PROJECT, spec, changes, tracking_uri, place)
        check_remotely(given, take)
    else:
        # On the head, for `--cluster`, what was not named is not checked.
        uri = tracking_uri or (None if lines else PROJECT_STORE)
        place = results or (None if lines else RESULTS)
        place = place and Path(os.path.abspath(os.path.expanduser(place)))
        for check in _checks(spec, list(settings or []), uri, place, address, os.environ):
            take(check)
    counts = Counter(check.status for check in checks)
    if lines:
        print(LAST_LINE, flush=True)
    elif as_json:
        document = {"ok": not counts["fail"], "checks": [asdict(check) for check in checks]}
        print(json.dumps(document, indent=2))
    else:
        warnings = counted(counts["warning"], "warning")
        say(f"{counted(len(checks), 'check')}, {counts['fail']} failed, {warnings}")
    raise SystemExit(1 if counts["fail"] else 0)


def as_lines(check: Check) -> list[str]:
    """A check, in a line if what was found has one, and its fix in another."""
    first, *others = check.found.splitlines() or [""]
    others += [f"fix: {check.fix}"] * bool(check.fix)
    return [f"{_SIGNS[check.status]}  {check.name:24}{first}",
            *(f"      {'':24}{line}" for line in others)]  # fmt: skip


def _checks(
    file: Path | None,
    settings: list[str],
    uri: str | None,
    results: Path | None,
    address: str | None,
    environment: MutableMapping[str, str],
) -> Iterator[Check]:
    spec: Spec | None = None
    if file is not None:
        try:
            spec = load_spec(file, settings)
            yield passed("spec", f"{file} is a spec")
        except (SpecError, OSError) as error:
            yield failed("spec", str(error), "correct the spec; what it needs was not checked")
    if address is None:
        yield from examine(ThisMachine(), spec, uri, results)
        return
    try:
        with join_cluster(address, environment) as cluster:
            yield passed("cluster", f"{counted(len(cluster.ids), 'node')}, head {cluster.gcs}")
            yield from examine(cluster, spec, uri, results)
    except (ConnectionError, RuntimeError) as error:
        fix = (
            "ray start, or ray up; the address is 'auto' on a node, else host:6379; copy "
            "~/.ray/auth_token from the head, chmod 600"
        )
        yield failed("cluster", f"{address}: {in_a_line(error)}", fix)

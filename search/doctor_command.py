"""The command `doctor`: looks at machines, storage and store before GPU hours are spent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from search.diagnose.check import Check, failed, in_a_line, passed
from search.diagnose.doctor import Asked, examine
from search.diagnose.nodes import ThisMachine
from search.diagnose.ray_nodes import joined
from search.spec import Spec, SpecError, load_spec

_ROOT = Path(__file__).resolve().parents[1]
_RESULTS = (_ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
_SIGNS = {"pass": "pass", "warning": "WARN", "fail": "FAIL"}


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(epilog="Example: twentieth doctor search/specs/digits.yaml")(doctor)


def doctor(
    spec: Annotated[Path | None, typer.Argument(help="A spec: also what its trials need.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow store or server.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster ('auto', host:port): every node.")
    ] = None,
    results: Annotated[
        Path, typer.Option(envvar="TWENTIETH_RESULTS", help="Its storage/ is shared by all nodes.")
    ] = _RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what would spoil a search; each finding says how to mend it."""
    uri = tracking_uri or f"sqlite:///{_RESULTS / 'mlflow.db'}"
    place = Path(os.path.abspath(results.expanduser()))
    checks = []
    for check in _checks(spec, list(settings or []), uri, place, address):
        checks.append(check)
        if not as_json:
            print("\n".join(as_lines(check)), flush=True)
    failures = sum(check.status == "fail" for check in checks)
    warnings = sum(check.status == "warning" for check in checks)
    if as_json:
        document = {"ok": not failures, "checks": [asdict(check) for check in checks]}
        print(json.dumps(document, indent=2))
    else:
        print(f"{len(checks)} checks, {failures} failed, {warnings} warnings")
    raise SystemExit(1 if failures else 0)


def as_lines(check: Check) -> list[str]:
    """A check in a line, and its mend in another."""
    lines = [f"{_SIGNS[check.status]}  {check.name:24}{check.found}"]
    return lines + [f"      {'':24}mend: {check.mend}"] * bool(check.mend)


def _checks(
    file: Path | None, settings: list[str], uri: str, results: Path, address: str | None
) -> Iterator[Check]:
    spec: Spec | None = None
    if file is not None:
        try:
            spec = load_spec(file, settings)
            yield passed("spec", f"{file} is a spec")
        except (SpecError, OSError) as error:
            yield failed("spec", str(error), "correct the spec; what it needs was not looked at")
    asked = Asked(spec, uri, results)
    if address is None:
        yield from examine(asked, ThisMachine())
        return
    try:
        with joined(address) as cluster:
            yield passed("cluster", f"{len(cluster.ids)} nodes, head {cluster.gcs}")
            yield from examine(asked, cluster, cluster)
    except (ConnectionError, RuntimeError) as error:
        mend = "ray start, or ray up; the address is 'auto' on the head, else host:6379; the token "
        mend += "must be in ~/.ray/auth_token here too, and RAY_AUTH_MODE=token set"
        yield failed("cluster", f"{address}: {in_a_line(error)}", mend)

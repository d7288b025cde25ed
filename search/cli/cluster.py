"""The commands for several machines: `launch` a search on a Ray cluster, `attach` to it again.

They check, bring up, wait, submit and follow; the search itself is `run` on the cluster's head.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import fail, say
from search.cluster.cluster_file import ClusterFile, mistakes_in, read_cluster_file, why_no_ssh
from search.cluster.jobs import (
    ENDED,
    TOKEN,
    Connect,
    Service,
    entrypoint,
    follow_job,
    new_name,
    newest,
    other_version,
    wait_until_joined,
)
from search.cluster.launcher import HeadUnreachable, bring_up, connection, copy_credentials, log_of
from search.cluster.preflight import check_results, check_secret, check_spec, check_store

_ROOT = Path(__file__).resolve().parents[2]
PROJECT = _ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()
CREDENTIALS = Path("~/.mlflow/credentials")
STOPPED_FOLLOWING = 130

Cluster = Annotated[Path, typer.Option("--cluster", help="File of Ray's cluster launcher.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(
        epilog="Example: twentieth launch search/specs/digits.yaml --cluster cluster.yaml "
        "--tracking-uri https://mlflow.example.org --results /shared/results"
    )(launch)
    app.command(epilog="Example: twentieth attach --cluster cluster.yaml")(attach)


def launch(
    spec: Annotated[
        Path | None, typer.Argument(help="A spec inside the project; none with --resume.")
    ] = None,
    cluster: Cluster = Path("cluster.yaml"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="A server all nodes reach.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(envvar="TWENTIETH_RESULTS", help="On all nodes' shared storage.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many trials; with --resume, how many more.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of sampler and trials.")] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Ignore history.")] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="SEARCH", help="Go on with a search, on any cluster.")
    ] = None,
    allow_function: Annotated[
        str | None, typer.Option(help="With --resume: trust this module:function.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Nodes to wait for, the head among them.")
    ] = None,
    wait_minutes: Annotated[float, typer.Option(min=0, help="How long to wait for them.")] = 20.0,
    down_when_done: Annotated[
        bool, typer.Option("--down-when-done", help="End the cluster a minute after the search.")
    ] = False,
) -> None:
    """Bring a cluster up if needed, run a search there as a job, and follow its log."""
    asked = read_cluster_file(cluster)
    if resume is None:
        name, what = _new_search(spec, settings or [], trials, seed, cold)
    elif spec is not None or settings or cold or seed is not None:
        raise ValueError("--resume goes on as the search began: no spec, --set, --seed or --cold")
    else:
        name, what = resume, ["resume", resume]
        what += ["--trials", str(trials)] if trials else []
        what += ["--allow-function", allow_function] if allow_function else []
    what += ["--address", "auto", "--tracking-uri", check_store(tracking_uri)]
    what += ["--results", str(check_results(results))]
    _check_secrets()
    if wrong := mistakes_in(asked, PROJECT):
        raise ValueError("\n".join(wrong))
    command = entrypoint(what, asked, leaves=down_when_done)
    job = new_name(name)
    _submit(asked, job, command, nodes or asked.nodes, wait_minutes)
    say(f"launched {job}; it goes on when this machine sleeps")
    _follow(asked, job)


def attach(
    job: Annotated[
        str | None, typer.Argument(help="As `launch` said; the newest if left out.")
    ] = None,
    cluster: Cluster = Path("cluster.yaml"),
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the search; it can be resumed.")
    ] = False,
) -> None:
    """Follow a launched search again, from its first line; or stop it."""
    asked = read_cluster_file(cluster)
    _check_secrets()
    try:
        with _connection(asked) as service:
            job = job or newest(service.jobs())
            if stop and service.status(job) not in ENDED:
                service.stop(job)
                say(f"stopping {job}: its trials are settled first")
    except (ConnectionError, RuntimeError) as error:
        fail(f"{error}. Is the cluster up? `ray up {asked.path}`", 1)
    _follow(asked, job, wanted="STOPPED" if stop else "SUCCEEDED")


def _new_search(
    spec: Path | None, settings: list[str], trials: int | None, seed: int | None, cold: bool
) -> tuple[str, list[str]]:
    """The name of a checked spec, and what to run there."""
    if spec is None:
        raise ValueError("name a spec inside the project, or a search to go on with: --resume")
    changes = [*settings]
    changes += [f"budget.trials={trials}"] * (trials is not None)
    changes += [f"seed={seed}"] * (seed is not None)
    name = check_spec(spec, PROJECT, changes).name
    what = ["run", str(spec.resolve().relative_to(PROJECT))]
    what += [part for change in changes for part in ("--set", change)] + ["--cold"] * cold
    return name, what


def _submit(cluster: ClusterFile, job: str, command: str, nodes: int, minutes: float) -> None:
    try:
        _bring_up_if_needed(cluster)
        with _connection(cluster) as service:
            wait_until_joined(service, cluster, nodes, minutes, say)
            if CREDENTIALS.expanduser().exists():
                copy_credentials(cluster, CREDENTIALS.expanduser(), _log_of(cluster))
            service.submit(job, command, PROJECT)
    except (ChildProcessError, TimeoutError, ConnectionError, RuntimeError) as error:
        fail(str(error), 1)


def _bring_up_if_needed(cluster: ClusterFile) -> None:
    """Unless its head answers: `ray up` on a cluster at work would restart Ray there."""
    try:
        with _connection(cluster) as service:
            if wrong := other_version(service.version()):
                raise RuntimeError(wrong)
            say(f"cluster {cluster.name} is up")
    except ConnectionError as error:
        # `ray up` would try for a quarter of an hour to log in to a machine that is there anyway.
        if cluster.is_on_premise and isinstance(error, HeadUnreachable):
            raise ConnectionError(f"{cluster.path}: {why_no_ssh(cluster) or error}") from None
        log = _log_of(cluster)
        say(f"bringing cluster {cluster.name} up; log in {log}")
        bring_up(cluster, PROJECT, log)


def _follow(cluster: ClusterFile, job: str, wanted: str = "SUCCEEDED") -> None:
    """Shows the log to the end; exits with 1 unless it ended as wanted or succeeded."""
    connect: Connect = lambda: _connection(cluster)  # noqa: E731
    again = f"twentieth attach {job} --cluster {cluster.path}"
    pay = f"stop paying:     ray down {cluster.path}"
    try:
        status = follow_job(connect, job, _write)
    except KeyboardInterrupt:
        say(f"\nthe search goes on\nfollow again:    {again}\nstop the search: {again} --stop")
        say(pay)
        raise SystemExit(STOPPED_FOLLOWING) from None
    except ConnectionError as error:
        fail(f"{error}\nfollow again:    {again}\n{pay}", 1)
    say(f"{job}: {status.lower()}\n{pay}")
    if status not in (wanted, "SUCCEEDED"):
        raise SystemExit(1)


def _connection(cluster: ClusterFile) -> AbstractContextManager[Service]:
    return connection(cluster, PROJECT)


def _log_of(cluster: ClusterFile) -> Path:
    return log_of(cluster, PROJECT)


def _check_secrets() -> None:
    token, credentials = TOKEN.expanduser(), CREDENTIALS.expanduser()
    check_secret(token, f"make one: ray get-auth-token --generate; chmod 600 {token}")
    if credentials.exists():
        check_secret(credentials, "")
    use_token_of_the_cluster()


def use_token_of_the_cluster() -> None:
    """For Ray in this process and in those that it starts, whatever was set before."""
    os.environ["RAY_AUTH_MODE"] = "token"


def _write(text: str) -> None:
    print(text, end="", flush=True)

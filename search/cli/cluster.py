"""The commands for several machines: `launch` a search on a Ray cluster, `attach` to it again.

They check, bring the cluster up, wait, submit a job and follow it; the job is `run` on the head.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import STOPPED, AllowCode, ChangedCode, First, Settings, changed_keys, fail
from search.cluster.cluster_file import ClusterFile, mistakes_in, read_cluster_file, why_no_ssh
from search.cluster.jobs import (
    ENDED,
    TOKEN,
    entrypoint,
    follow_job,
    new_name,
    newest,
    other_version,
    wait_until_joined,
)
from search.cluster.launch_plan import Launch, plan_lines
from search.cluster.launcher import HeadUnreachable, bring_up, connection, copy_credentials, log_of
from search.cluster.preflight import check_results, check_secret, check_spec, check_store
from search.session.screen import PROJECT, say
from search.spec import Spec

CREDENTIALS = Path("~/.mlflow/credentials")

Cluster = Annotated[
    Path, typer.Option("--cluster", help="Config of Ray's cluster launcher (YAML).")
]


def launch(
    spec: Annotated[
        Path | None, typer.Argument(help="A spec inside the project; not with --resume.")
    ] = None,
    cluster: Cluster = Path("cluster.yaml"),
    tracking_uri: Annotated[
        str | None,
        typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server that all nodes can reach."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(envvar="TWENTIETH_RESULTS", help="Folder on storage that all nodes share."),
    ] = None,
    settings: Settings = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Number of trials (with --resume: number to add)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the sampler and the trials.")
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Ignore history.")] = False,
    first: First = None,
    resume: Annotated[
        str | None, typer.Option(metavar="SEARCH", help="Continue a search, on any cluster.")
    ] = None,
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Nodes to wait for, including the head.")
    ] = None,
    wait_minutes: Annotated[float, typer.Option(min=0, help="How long to wait for nodes.")] = 20.0,
    down_when_done: Annotated[
        bool,
        typer.Option("--down-when-done", help="Shut the cluster down a minute after the search."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would happen; connect to and write nothing."),
    ] = False,
) -> None:
    """Bring a cluster up if needed, run a search there as a job, and follow its log."""
    asked = read_cluster_file(cluster)
    checked: Spec | None = None
    if resume is None:
        if spec is None:
            raise ValueError("no spec; fix: name one inside the project, or continue with --resume")
        changes = changed_keys(settings, trials, seed)
        checked = check_spec(spec, PROJECT, changes, first)
        name = checked.name
        what = ["run", str(spec.resolve().relative_to(PROJECT))]
        what += ["--first", str(first.resolve().relative_to(PROJECT))] if first else []
        what += [part for change in changes for part in ("--set", change)] + ["--cold"] * cold
    elif spec is not None or settings or cold or first or seed is not None:
        raise ValueError("--resume takes no spec, --set, --seed, --first or --cold; fix: leave "
                         "them out")  # fmt: skip
    else:
        name, what = resume, ["resume", resume]
        what += ["--trials", str(trials)] if trials else []
        what += ["--allow-code", allow_code] if allow_code else []
        what += ["--changed-code"] * changed_code
    store, shared = check_store(tracking_uri), check_results(results)
    what += ["--address", "auto", "--tracking-uri", store, "--results", str(shared)]
    _check_secrets()
    if wrong := mistakes_in(asked, PROJECT):
        raise ValueError("\n".join(wrong))
    command = entrypoint(what, asked, leaves=down_when_done)
    job = new_name(name)
    if dry_run:
        credentials = CREDENTIALS.expanduser()
        plan = Launch(
            asked, job, command, nodes or asked.nodes, PROJECT, checked, spec, first, store, shared,
            credentials if credentials.exists() else None,
        )  # fmt: skip
        print("\n".join(plan_lines(plan)))
        return
    _submit(asked, job, command, nodes or asked.nodes, wait_minutes)
    say(f"launched {job}; it continues if this machine disconnects")
    _follow(asked, job)


def attach(
    job: Annotated[
        str | None, typer.Argument(help="A name that `launch` printed; default: the newest job.")
    ] = None,
    cluster: Cluster = Path("cluster.yaml"),
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the search; it can be resumed.")
    ] = False,
) -> None:
    """Follow the log of a launched search again, from its beginning, or stop the search."""
    asked = read_cluster_file(cluster)
    _check_secrets()
    try:
        with connection(asked, PROJECT) as service:
            job = job or newest(service.jobs())
            if stop and service.status(job) not in ENDED:
                service.stop(job)
                say(f"stopping {job}: its trials are settled first")
    except (ConnectionError, RuntimeError) as error:
        fail(f"{error}; fix: if the cluster is down, `ray up {asked.path}`", 1)
    _follow(asked, job, wanted="STOPPED" if stop else "SUCCEEDED")


def _submit(cluster: ClusterFile, job: str, command: str, nodes: int, minutes: float) -> None:
    try:
        _bring_up_if_needed(cluster)
        with connection(cluster, PROJECT) as service:
            wait_until_joined(service, cluster, nodes, minutes, say)
            if CREDENTIALS.expanduser().exists():
                copy_credentials(cluster, CREDENTIALS.expanduser(), log_of(cluster, PROJECT))
            service.submit(job, command, PROJECT)
    except (ChildProcessError, TimeoutError, ConnectionError, RuntimeError) as error:
        fail(str(error), 1)


def _bring_up_if_needed(cluster: ClusterFile) -> None:
    """Brings a cluster up unless its head answers: `ray up` would restart Ray on a running one."""
    try:
        with connection(cluster, PROJECT) as service:
            if wrong := other_version(service.version()):
                raise RuntimeError(wrong)
            say(f"cluster {cluster.name} is up")
    except ConnectionError as error:
        # `ray up` would try for a quarter of an hour to log in.
        if cluster.is_on_premise and isinstance(error, HeadUnreachable):
            raise ConnectionError(f"{cluster.path}: {why_no_ssh(cluster) or error}") from None
        log = log_of(cluster, PROJECT)
        say(f"bringing cluster {cluster.name} up; log in {log}")
        bring_up(cluster, PROJECT, log)


def _follow(cluster: ClusterFile, job: str, wanted: str = "SUCCEEDED") -> None:
    """Shows a job's log to its end; exits with 1 unless the job ended as wanted or succeeded."""
    show = partial(print, end="", flush=True)
    again = f"twentieth attach {job} --cluster {cluster.path}"
    down = f"shut down:       ray down {cluster.path}"
    try:
        status = follow_job(partial(connection, cluster, PROJECT), job, show)
    except KeyboardInterrupt:
        say(f"\nthe search continues\nfollow again:    {again}\nstop the search: {again} --stop")
        say(down)
        raise SystemExit(STOPPED) from None
    except ConnectionError as error:
        fail(f"{error}\nfollow again:    {again}\n{down}", 1)
    say(f"{job}: {status.lower()}\n{down}")
    if status not in (wanted, "SUCCEEDED"):
        raise SystemExit(1)


def _check_secrets() -> None:
    token, credentials = TOKEN.expanduser(), CREDENTIALS.expanduser()
    check_secret(token, f"make one: ray get-auth-token --generate; chmod 600 {token}")
    if credentials.exists():
        check_secret(credentials, "")
    use_token_of_the_cluster()


def use_token_of_the_cluster() -> None:
    """Makes Ray use the token, in this process and in those it starts, whatever was set before."""
    os.environ["RAY_AUTH_MODE"] = "token"

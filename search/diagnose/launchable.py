"""What `launch` would refuse, and what else of a cluster can be seen from the machine before it.

For a cluster that may be down: nothing here starts one, or asks a node of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from search.deploy.checking import check_results, check_secret, check_spec, check_store
from search.deploy.cluster_file import ClusterFile
from search.deploy.cluster_mistakes import mistakes, why_no_ssh
from search.diagnose.check import Check, failed, passed
from search.spec import SpecError

FILE, TOKEN, SSH, SPEC, STORE, RESULTS = (
    "cluster file", "token here", "ssh", "spec", "tracking store", "results"
)  # fmt: skip


def check_launch(
    cluster: ClusterFile,
    project: Path,
    token: Path,
    spec: Path | None,
    settings: Sequence[str],
    tracking_uri: str | None,
    results: Path | None,
) -> Iterator[Check]:
    """The cluster file, the token, the way in, and what the search is given."""
    wrong = mistakes(cluster, project)
    for line in wrong:
        yield failed(
            FILE, line, "correct the file; `ray up` would fail, or start what you do not want"
        )
    if not wrong:
        yield passed(FILE, f"{cluster.path} keeps Ray's schema, and what it names is there")
    make = f"ray get-auth-token --generate; chmod 600 {token}"
    yield _tried(TOKEN, lambda: check_secret(token, make), f"{token} is for you alone", make)
    if why := why_no_ssh(cluster):
        yield failed(
            SSH,
            f"{cluster.path}: {why}",
            "without ssh there is no way to start or to reach the cluster",
        )
    elif cluster.is_on_premise:
        yield passed(SSH, f"{cluster.hosts[0]} answers")
    if spec is not None:
        yield _tried(
            SPEC, lambda: check_spec(spec, project, settings),
            f"{spec} is a spec, and what it needs travels", "correct the spec",
        )  # fmt: skip
    yield _tried(
        STORE, lambda: check_store(tracking_uri), f"{tracking_uri} may be reached from every node",
        "name a server with --tracking-uri",
    )  # fmt: skip
    yield _tried(
        RESULTS, lambda: check_results(results), f"{results} is an absolute path",
        "name shared storage with --results",
    )  # fmt: skip


def _tried(name: str, check: Callable[[], object], well: str, mend: str) -> Check:
    try:
        check()
    except (SpecError, ValueError, OSError) as error:
        return failed(name, str(error), mend)
    return passed(name, well)

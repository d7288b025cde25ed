"""Preflight: what must be right before anything is brought up, for GPU hours are paid from then on.

For the places that a submitted search reads and writes: it runs in a temporary copy of the project
on another machine. `doctor` asks the same for a cluster that may be down. Not for what only the
cluster itself can tell: nothing here starts one, or asks a node of it.
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from search.cluster.check import Check, failed, passed
from search.cluster.cluster_file import ClusterFile, mistakes_in, why_no_ssh
from search.optimize.bundle import LEFT_BEHIND, what_stays
from search.spec import Spec, SpecError, load_spec
from search.spec.overrides import override
from search.spec.reading import read_document, read_file

STORES = ("http", "https", "postgresql")


def check_spec(path: Path, project: Path, overrides: Sequence[str]) -> Spec:
    """The spec, if all that it needs is in the project that travels, or named by absolute paths.

    Args:
        path: The spec.
        project: The folder that becomes the working directory on the cluster.
        overrides: As `load_spec` takes them.

    Raises:
        SpecError: The spec is wrong.
        ValueError: It, a path in it, or its training function would not arrive.
    """
    path = path.resolve()
    if path.is_file():
        _must_travel(path, project, "the spec")
    # An absolute path is one on the nodes; it need not exist here.
    spec = load_spec(path, overrides, must_exist=False)
    document = read_document(read_file(path), str(path))
    for text in overrides:
        override(document, text)
    absolute = {str(each.resolve()) for each in _absolute_paths(document.data)}
    for key, place in _places(spec):
        if place not in absolute:
            _must_travel(Path(place), project, f"{path}: {key}")
            if not Path(place).exists():
                raise ValueError(f"{path}: {key}: there is no {place}")
    module = spec.task.model.removeprefix("python:").partition(".")[0].partition(":")[0]
    if spec.task.is_function and module in LEFT_BEHIND:
        raise ValueError(
            f"{path}: task.model: {module}/ stays behind on the cluster; move the function of "
            f"{spec.task.model} to a module elsewhere in {project}"
        )
    for source in (project / f"{module}.py", project / module / "__init__.py"):
        if spec.task.is_function and source.exists():
            _must_travel(source, project, f"{path}: task.model")
    return spec


def check_store(uri: str | None) -> str:
    """The tracking URI, if every node of a cluster means the same store by it.

    Raises:
        ValueError: It is embedded, on this machine alone, or holds a password.
    """
    way_out = "run an MLflow server that the cluster reaches: --tracking-uri https://HOST"
    if not uri:
        raise ValueError(f"--tracking-uri is missing: {way_out}")
    parts = urlsplit(uri)
    if parts.password or "password" in parse_qs(parts.query):
        shown = f"{parts.scheme}://{parts.hostname}"
        raise ValueError(
            f"--tracking-uri {shown}: its password would stand in the process lists of the head. "
            "Leave it out; for a server write ~/.mlflow/credentials (mode 600), for PostgreSQL "
            "~/.pgpass on the head"
        )
    if parts.scheme not in STORES:
        raise ValueError(
            f"--tracking-uri {uri}: a search on a cluster runs in a temporary copy of the project, "
            f"a store in files would be lost with it; {way_out}"
        )
    if not parts.hostname or is_loopback(parts.hostname) or _is_unspecified(parts.hostname):
        raise ValueError(f"--tracking-uri {uri}: on the cluster that is the head itself; {way_out}")
    return uri


def check_results(results: Path | None) -> PurePath:
    """Where reports and checkpoints go: the same absolute folder on every node.

    Raises:
        ValueError: It is missing or relative.
    """
    if results is None or not results.is_absolute():
        raise ValueError(
            f"--results {results or 'is missing'}: give the absolute path of storage that all "
            "nodes share, such as /shared/results (or set TWENTIETH_RESULTS)"
        )
    return results


def check_secret(file: Path, how_to_make: str) -> None:
    """A file with a secret is there, and nobody else can read it.

    Raises:
        FileNotFoundError: It is not there; says how to make it.
        PermissionError: Its mode lets others read it.
    """
    if not file.is_file() or not file.stat().st_size:
        raise FileNotFoundError(f"{file} is missing: {how_to_make}")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise PermissionError(f"{file} has mode {mode:03o}; others may read it: chmod 600 {file}")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address says that it is this machine alone.

    "0.0.0.0" does not: what listens there is reached from others.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def _must_travel(place: Path, project: Path, what: str) -> None:
    if not place.is_relative_to(project):
        raise ValueError(
            f"{what}: {place} is outside {project}, the folder that travels to the cluster; move "
            "it there, or name an absolute path that exists on every node (of data)"
        )
    if why := what_stays(place, project):
        raise ValueError(
            f"{what}: {why}, so it would not reach the cluster; put {place} on the shared storage "
            "and name its absolute path, or where it travels (see .gitignore, .rayignore)"
        )


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _places(spec: Spec) -> Iterator[tuple[str, str]]:
    """Every folder and file that a spec names, and where; made absolute by `load_spec`."""
    data: Mapping[str, Any] = spec.task.data
    if data.get("parquet"):
        yield "task.data.parquet", data["parquet"]
    for name, folder in (data.get("targets") or {}).items():
        yield f"task.data.targets.{name}", folder
    for index, folder in enumerate(data.get("without") or ()):
        yield f"task.data.without[{index}]", folder
    base = spec.task.base
    if base and not base.startswith(("hub:", "package:")):
        yield "task.base", base
    synonyms = getattr(spec.robustness, "synonyms", None)
    if synonyms:
        yield "robustness.synonyms", synonyms


def _absolute_paths(value: Any) -> Iterator[Path]:
    """Of all texts in a document, those that are absolute paths, as after `parquet:`."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _absolute_paths(item)
    elif isinstance(value, str):
        for text in (value, value.partition(":")[2]):
            if text.startswith(("/", "~")):
                yield Path(text).expanduser()


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
    wrong = mistakes_in(cluster, project)
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


def _tried(name: str, check: Callable[[], object], well: str, fix: str) -> Check:
    try:
        check()
    except (SpecError, ValueError, OSError) as error:
        return failed(name, str(error), fix)
    return passed(name, well)

"""The job service of a cluster: who has joined, submit a search, follow it, stop it.

Both ends of a job's life as seen from a laptop that may close or lose its connection. Not for what
runs in the job.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shlex
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from search.cluster.cluster_file import ClusterFile
from search.optimize.bundle import excludes

TOKEN = Path("~/.ray/auth_token")
PREFIX = "twentieth-"
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
POLL_SECONDS = 2.0
ANSWER_SECONDS = 10.0
# A laptop that wakes needs its network back; a head that does not answer this long counts as lost.
LOST_SECONDS = 600.0
# Ctrl-C's signal, by which `run` stops and settles its trials; Ray's own 3 s before SIGKILL are
# too few for a store that is slow to take them.
STOPS_BY = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": "90"}
# Time for whoever follows to see the end before the head goes.
LEAVE_AFTER_SECONDS = 60


class Service:
    """The job service at a dashboard's address, with the token of ~/.ray/auth_token.

    Raises:
        ConnectionError: It does not answer.
        RuntimeError: It refuses our token.
    """

    def __init__(self, address: str) -> None:
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        logging.getLogger("ray").setLevel(logging.ERROR)  # it names each file that stays behind
        _go_past_proxies(urlsplit(address).hostname or "")
        self._address = address
        try:
            self._client = JobSubmissionClient(address)
        except AuthenticationError as error:
            raise RuntimeError(
                f"the head refuses the token in {TOKEN}, which is another cluster's; fix: copy the "
                "file from the machine that started this one"
            ) from error
        except ConnectionError as error:
            raise ConnectionError(
                "the head is reached, but no job service of Ray answers there"
            ) from error

    def version(self) -> str:
        """Return the head's version of Ray."""
        token = TOKEN.expanduser().read_text().strip()
        request = urllib.request.Request(
            f"{self._address}/api/version", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            return str(json.load(response)["ray_version"])

    def joined(self) -> set[str]:
        """Return the addresses of the nodes that are alive."""
        from ray.util.state import list_nodes

        # Not by a filter of Ray's: it takes the dead nodes that it leaves out for lost output.
        nodes = list_nodes(address=self._address, limit=10_000)
        return {str(node["node_ip"]) for node in nodes if node["state"] == "ALIVE"}

    def submit(self, name: str, entrypoint: str, project: Path) -> None:
        """Submit a shell command as a job with the project as its working directory."""
        self._client.submit_job(
            entrypoint=entrypoint,
            submission_id=name,
            runtime_env={
                "working_dir": str(project), "excludes": excludes(), "env_vars": dict(STOPS_BY),
            },
            entrypoint_num_cpus=0,
        )  # fmt: skip

    def jobs(self) -> dict[str, int]:
        """Return each submitted job's name -> when it began, in milliseconds of the epoch."""
        return {
            each.submission_id: each.start_time or 0
            for each in self._client.list_jobs()
            if each.submission_id
        }

    def status(self, name: str) -> str:
        """Return a job's status, one of Ray's words."""
        return str(self._client.get_job_status(name).value)

    def log(self, name: str) -> str:
        """Return all that a job has printed so far."""
        return str(self._client.get_job_logs(name))

    def stop(self, name: str) -> None:
        """Have Ray stop a job."""
        self._client.stop_job(name)


def _go_past_proxies(host: str) -> None:
    """Lets no proxy of this machine's come between here and a tunnel, which is on loopback.

    Ray's client takes proxies from the environment, and from nowhere else.
    """
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in known.split(","):
        # In both ways of writing it: one library looks for this first, another for that.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{known},{host}".strip(",")


Connect = Callable[[], AbstractContextManager[Service]]


def other_version(there: str) -> str:
    """Return why a head with another version of Ray than this machine's is refused; else empty."""
    here = version("ray")
    if there == here:
        return ""
    return (
        f"the head runs ray {there}, this machine {here}; fix: install the same on both "
        "(pip install -c constraints.txt; on the cluster `ray up` does, after `ray down`)"
    )


def entrypoint(arguments: Sequence[str], cluster: ClusterFile, *, leaves: bool) -> str:
    """Return the shell command of the job.

    Args:
        arguments: Of `python -m search`.
        cluster: Where it will run.
        leaves: End the cluster a minute after the search, however it ended.
    """
    command = shlex.join(["python", "-m", "search", *arguments])
    if not leaves:
        return command
    # On premise the autoscaler starts at once what `ray down` ends, for ever; without their head
    # the workers' Ray ends by itself. In a cloud nothing may keep the head from going.
    end = "ray stop"
    if not cluster.is_on_premise:
        end = "timeout 300 ray down ~/ray_bootstrap_config.yaml --yes --workers-only; "
        end += "sudo shutdown -h now"
    # A session of its own: Ray ends the job's processes with the job.
    later = f"setsid sh -c {shlex.quote(f'sleep {LEAVE_AFTER_SECONDS}; {end}')}"
    return f"{command}; code=$?; {later} </dev/null >~/twentieth-down.log 2>&1 & exit $code"


def new_name(spec_name: str) -> str:
    """Return a name for a job that no other job has."""
    return f"{PREFIX}{spec_name}-{secrets.token_hex(3)}"


def newest(jobs: Mapping[str, int]) -> str:
    """Return the search that began last; `jobs` is each job's name -> when it began.

    Raises:
        LookupError: There is none.
    """
    searches = [name for name in jobs if name.startswith(PREFIX)]
    if not searches:
        raise LookupError(
            "no search was launched on this cluster; fix: launch one: twentieth launch SPEC"
        )
    return max(searches, key=lambda name: jobs[name])


def wait_until_joined(
    service: Service, cluster: ClusterFile, nodes: int, minutes: float, say: Callable[[str], None]
) -> None:
    """Return when `nodes` nodes are in the cluster, the head among them.

    Raises:
        TimeoutError: They are not; names the missing where the cluster file names hosts.
    """
    deadline, seen = time.monotonic() + minutes * 60, -1
    while True:
        joined = service.joined()
        if len(joined) != seen:
            seen = len(joined)
            say(f"{seen} of {nodes} nodes have joined")
        if seen >= nodes:
            return
        if time.monotonic() >= deadline:
            missing = cluster.missing(joined)
            named = f" ({', '.join(missing)})" if missing else ""
            raise TimeoutError(
                f"{nodes - seen} of {nodes} nodes have not joined within {minutes:g} minutes"
                f"{named}; nothing was submitted. See `ray monitor {cluster.path}`; fix: end it by "
                f"`ray down {cluster.path}`, or continue with fewer: --nodes {seen}"
            )
        time.sleep(POLL_SECONDS)


def follow_job(connect: Connect, job: str, write: Callable[[str], None]) -> str:
    """Write the job's log as it grows, through lost connections, until the job ends.

    Returns:
        SUCCEEDED, FAILED or STOPPED.

    Raises:
        ConnectionError: The head did not answer for ten minutes.
        LookupError: There is no such job.
    """
    shown, last_heard = 0, time.monotonic()
    while True:
        try:
            with connect() as service:
                if job not in service.jobs():
                    raise LookupError(f"there is no job {job} on this cluster")
                while True:
                    status = service.status(job)  # before the log: what it ended with is in it
                    log = service.log(job)
                    write(log[shown:])
                    shown, last_heard = len(log), time.monotonic()
                    if status in ENDED:
                        return status
                    time.sleep(POLL_SECONDS)
        except (OSError, RuntimeError) as error:  # Ray's client raises RuntimeError for HTTP errors
            if time.monotonic() - last_heard > LOST_SECONDS:
                raise ConnectionError(
                    f"the head has not answered for {LOST_SECONDS / 60:g} minutes: {error}"
                ) from error
            time.sleep(POLL_SECONDS)

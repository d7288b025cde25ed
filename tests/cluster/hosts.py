"""Hosts made of namespaces (lab.sh), with a project to launch from and an MLflow server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(__file__).with_name("lab.sh")
ADDRESS = {"op": "10.77.0.10", "head": "10.77.0.11", "w1": "10.77.0.12", "w2": "10.77.0.13"}
MLFLOW = f"http://{ADDRESS['op']}:5000"
PROJECT = "/root/project"
# Program -> the Debian package that has it.
NEEDED = {"ip": "iproute2", "/usr/sbin/sshd": "openssh-server", "ssh": "openssh-client",
          "rsync": "rsync", "unshare": "util-linux", "pgrep": "procps"}  # fmt: skip

# As Ray names processes. Its agents and idle workers have such names too, but belong to no trial.
ACTOR_OF_A_TRIAL = r"^ray::\w*Trainable"
# Not its log monitor, which outlives a lost head until the next `ray stop`. That ends every process
# with monitor.py in its arguments, so the one that looks for it writes the name otherwise.
ANY_OF_RAY = "/raylet/raylet |/gcs_server |/autoscaler/_private/monitor[.]py|^ray::"

NODES = """
import json, urllib.request
token = open('/root/.ray/auth_token').read().strip()
request = urllib.request.Request('http://127.0.0.1:8265/api/v0/nodes?limit=100',
                                 headers={'Authorization': 'Bearer ' + token})
rows = json.load(urllib.request.urlopen(request, timeout=10))['data']['result']['result']
print(json.dumps({row['node_ip']: row['node_id'] for row in rows if row['state'] == 'ALIVE'}))
"""


def why_not() -> str:
    """Return why no hosts can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    missing = [package for name, package in NEEDED.items() if shutil.which(name) is None]
    if missing:
        return f"not installed: apt-get install {' '.join(missing)}"
    probe = (
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && "
        "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"
    )
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "bash", "-c", probe], capture_output=True
    )
    return (
        "" if tried.returncode == 0 else "this kernel or container allows no namespaces or overlay"
    )


@dataclass
class Hosts:
    """The hosts op (launches, and runs MLflow), head, w1, w2; all have `shared` at /shared."""

    base: Path

    @property
    def shared(self) -> Path:
        return self.base / "shared"

    @property
    def store(self) -> str:
        """MLflow's database, as seen from outside the hosts."""
        return f"sqlite:///{self.shared / 'mlflow.db'}"

    def lab(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        # The lab's own processes continue: they must not hold a pipe of this one open.
        return subprocess.run(
            [LAB, *arguments], env=self._environment(), check=True, text=True, **options
        )

    def on(self, host: str, command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a shell command on a host and returns its output."""
        return self.lab("sh", host, "bash", "-c", command, capture_output=True, **options)

    def start(self, host: str, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Starts a shell command on a host; its output goes to `log`."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [LAB, "sh", host, "bash", "-c", command], env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def processes(self, host: str, pattern: str) -> dict[int, str]:
        """Returns id (on the host) and command line of the processes that match pgrep's pattern."""
        # The command line of the shell that runs pgrep contains the pattern too.
        found = self.on(host, f"pgrep -fa '{pattern}' || true").stdout.splitlines()
        lines = [line.partition(" ") for line in found if "pgrep" not in line]
        return {int(number): command for number, _, command in lines}

    def kill_9(self, host: str, pattern: str) -> None:
        """Kills processes of a host, all at once, by SIGKILL."""
        found = " ".join(map(str, self.processes(host, pattern)))
        assert found, f"no {pattern} runs on {host}"
        self.on(host, f"kill -9 {found}")

    def trains(self, host: str) -> int:
        """Returns how many trials are training on a host at this moment."""
        return len(self.processes(host, rf"{ACTOR_OF_A_TRIAL}\.train"))

    def nodes(self) -> dict[str, str]:
        """Returns address -> id of the nodes that are alive to Ray."""
        output = self.on("head", f'python -c "{NODES}"').stdout.splitlines()[-1]
        return {str(address): str(node) for address, node in json.loads(output).items()}

    def drain(self, host: str, seconds: int) -> None:
        """Drains a node as the autoscaler does at a cloud's notice: it ends in `seconds`."""
        self.on("head", "RAY_AUTH_MODE=token ray drain-node --address 127.0.0.1:6379 --node-id "
                f"{self.nodes()[ADDRESS[host]]} --reason DRAIN_NODE_REASON_PREEMPTION "
                f"--reason-message spot --deadline-remaining-seconds {seconds}")  # fmt: skip

    def wait_for_nodes(self, wanted: set[str], seconds: float) -> float:
        """Returns the seconds until exactly these hosts are alive to Ray."""
        began = time.monotonic()
        while set(self.nodes()) != {ADDRESS[host] for host in wanted}:
            assert time.monotonic() - began < seconds, (
                f"{set(self.nodes())} are alive, not {wanted}"
            )
            time.sleep(1.0)
        return time.monotonic() - began

    def prepare(self, spec: dict[str, Any], clocks: Mapping[str, int]) -> None:
        """Makes on op the project with its own training function, a cluster file and a token."""
        if clocks:
            library = self.shared / "wrong_clock.so"
            command = [
                "gcc",
                "-O2",
                "-shared",
                "-fPIC",
                "-o",
                library,
                LAB.parent / "wrong_clock.c",
            ]
            subprocess.run(command, check=True)
        for name in ("search", "models", "pyproject.toml", "constraints.txt"):
            self.on("op", f"mkdir -p {PROJECT} && cp -r {ROOT / name} {PROJECT}/")
        self.on("op", f"cp {ROOT / 'tests/support/functions.py'} {PROJECT}/hills.py")
        self.write_spec(spec, "spec.yaml")
        self._write(f"{PROJECT}/cluster.yaml", yaml.safe_dump(cluster_file(clocks)))
        self.on("op", "umask 077 && mkdir ~/.ray && openssl rand -hex 32 > ~/.ray/auth_token")

    def write_spec(self, spec: dict[str, Any], name: str) -> None:
        """Puts a spec into the project."""
        self._write(f"{PROJECT}/{name}", yaml.safe_dump(spec))

    def serve_mlflow(self) -> None:
        """Starts an MLflow server on op that the other hosts reach, by that name only."""
        server = (
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false setsid python -m mlflow server "
            "--backend-store-uri sqlite:////shared/mlflow.db --artifacts-destination "
            f"/shared/artifacts --host {ADDRESS['op']} --port 5000 --workers 1 "
            f"--allowed-hosts {ADDRESS['op']}:5000 >~/mlflow.log 2>&1 </dev/null &"
        )
        answers = f"import urllib.request as u; u.urlopen('{MLFLOW}/health', timeout=5)"
        self.on("op", f'{server} for i in $(seq 60); do python -c "{answers}" && exit; sleep 1; '
                      "done; cat ~/mlflow.log; exit 1")  # fmt: skip

    def twentieth(self, arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Starts a `twentieth` command on op, in the project."""
        return self.start("op", f"cd {PROJECT} && exec python -m search {arguments}", log)

    def _write(self, place: str, text: str) -> None:
        self.on("op", f"cat > {place}", input=text)

    def _environment(self) -> dict[str, str]:
        seen = {sys.prefix, sys.base_prefix}
        return os.environ | {
            "LAB_BASE": str(self.base), "LAB_PATH": str(Path(sys.prefix) / "bin"),
            "LAB_READ_ONLY": " ".join(sorted(each for each in seen if not each.startswith("/usr"))),
        }  # fmt: skip


def cluster_file(clocks: Mapping[str, int]) -> dict[str, Any]:
    """Returns the project's on-premise file with the hosts' addresses and environment.

    Args:
        clocks: Host on which Ray and its workers see a clock that is ahead -> seconds.
    """
    text = (ROOT / "deploy" / "on_premise.yaml").read_text().replace("10.0.0.", "10.77.0.")
    config: dict[str, Any] = yaml.safe_load(text)
    config["auth"]["ssh_user"] = "root"
    # The environment is there already, and read-only.
    steps = config["setup_commands"]
    config["setup_commands"] = [step for step in steps if "environment" not in step]
    # Ray would count the machine's cores and memory once for every host.
    workers = config["worker_start_ray_commands"]
    for host, seconds in clocks.items():
        told = f'[ "$(hostname)" != {host} ] || export {wrong_clock(seconds)}'
        workers[-1] = f"{told}; {workers[-1]}"
    workers[-1] += " --num-cpus=2 --num-gpus=0 --object-store-memory=200000000"
    config["head_start_ray_commands"][-1] += " --object-store-memory=200000000"
    return config


def wrong_clock(seconds: int) -> str:
    """Returns settings of an environment whose programs see a clock that is `seconds` ahead."""
    return f"LD_PRELOAD=/shared/wrong_clock.so CLOCK_AHEAD_SECONDS={seconds}"


@contextlib.contextmanager
def running_hosts(base: Path) -> Iterator[Hosts]:
    """Yields three hosts and op, and removes them afterwards whatever happens."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    hosts = Hosts(base)
    # Names and addresses of the hosts are the machine's: one lab at a time.
    with FileLock(Path(tempfile.gettempdir()) / "twentieth-lab.lock"):
        try:
            hosts.lab("up", "2")
            yield hosts
        finally:
            hosts.lab("down")

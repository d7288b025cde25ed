"""Rules for the Ray cluster files of this project, as predicates on the parsed YAML.

Ray's schema says what a key may hold; these rules say what is safe and what costs money. They are
for files of the providers `aws` and `local`, and search text where Ray itself has only text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]

TOKEN = "~/.ray/auth_token"
# Every port that a raylet and its agents would choose at random: a firewall cannot name those.
PORTS_OF_A_NODE = (
    "node-manager-port", "object-manager-port", "runtime-env-agent-port", "metrics-export-port",
    "dashboard-agent-grpc-port", "dashboard-agent-listen-port",
    "min-worker-port", "max-worker-port",
)  # fmt: skip
# Over an hour, every idle worker costs too much; under a minute, nodes end between two trials.
IDLE_MINUTES = (1, 60)


def broken_rules(config: Config) -> list[str]:
    """Returns the names of the rules that a cluster file breaks; empty if it keeps all."""
    rules = RULES | (AWS_RULES if config["provider"]["type"] == "aws" else LOCAL_RULES)
    return [name for name, keeps in rules.items() if not keeps(config)]


def ray_starts(config: Config, kind: str = "") -> list[str]:
    """Returns the lines that start Ray: on the head ("head_"), on workers ("worker_") or both."""
    groups = [f"{each}start_ray_commands" for each in ("head_", "worker_") if each.startswith(kind)]
    return [line for group in groups for line in config[group] if "ray start" in line]


def _flag(line: str, name: str) -> str | None:
    found = re.search(rf"--{name}[= ](\S+)", line)
    return found.group(1) if found else None


def _has_dashboard_on_loopback(config: Config) -> bool:
    return all(_flag(line, "dashboard-host") == "127.0.0.1" for line in ray_starts(config, "head_"))


def _has_token_mode(config: Config) -> bool:
    # Before `ray start` on the same line: Ray runs each line in a shell of its own.
    of_both = ray_starts(config, "head_") and ray_starts(config, "worker_")
    starts = [line.partition("ray start")[0] for line in ray_starts(config)]
    return bool(of_both) and all("export RAY_AUTH_MODE=token" in each for each in starts)


def _offers_no_metrics(config: Config) -> bool:
    # They answer without the token; the head's two exporters are stopped only by an invalid port.
    everywhere = all("RAY_enable_metrics_collection=0" in each for each in ray_starts(config))
    of_head = ("AUTOSCALER_METRIC_PORT=-1", "DASHBOARD_METRIC_PORT=-1")
    return everywhere and all(
        each in line for line in ray_starts(config, "head_") for each in of_head
    )


def _closes_token(config: Config) -> bool:
    return any(f"chmod 600 {TOKEN}" in line for line in config["setup_commands"])


def _has_pinned_set(config: Config) -> bool:
    installs = [line for line in config["setup_commands"] if "pip install" in line]
    pinned = all("--constraint ~/dependencies/constraints.txt" in line for line in installs)
    mounted = config["file_mounts"].get("~/dependencies/constraints.txt") == "./constraints.txt"
    return pinned and mounted and any("ray[default,tune]" in line for line in installs)


def _has_fixed_ports(config: Config) -> bool:
    values = [_flag(line, name) for line in ray_starts(config) for name in PORTS_OF_A_NODE]
    return all(value is not None and int(value) > 1024 for value in values)


def _opens_nothing_else(config: Config) -> bool:
    # Ingress here would be in addition to Ray's own rules: none is needed.
    return "0.0.0.0" not in str(config) and "security_group" not in config["provider"]


def _idles_out(config: Config) -> bool:
    least, most = IDLE_MINUTES
    own = [each["idle_timeout_s"] / 60 for each in _workers(config) if "idle_timeout_s" in each]
    kept = [each for each in _workers(config) if each.get("min_workers", 0)]
    return not kept and all(
        least <= each <= most for each in (config["idle_timeout_minutes"], *own)
    )


def _nodes(config: Config) -> Iterator[Mapping[str, Any]]:
    for each in config["available_node_types"].values():
        yield each["node_config"]


def _workers(config: Config) -> list[Mapping[str, Any]]:
    head, types = config["head_node_type"], config["available_node_types"]
    return [each for name, each in types.items() if name != head]


def _is_spot(node_type: Mapping[str, Any]) -> bool:
    market = node_type["node_config"].get("InstanceMarketOptions", {})
    return bool(market.get("MarketType") == "spot")


def _takes_spot_first(config: Config) -> bool:
    spot = [each.get("priority", 0) for each in _workers(config) if _is_spot(each)]
    other = [each.get("priority", 0) for each in _workers(config) if not _is_spot(each)]
    return bool(spot) and min(spot) > max(other, default=-1)


def _head(config: Config) -> Mapping[str, Any]:
    found: Mapping[str, Any] = config["available_node_types"][config["head_node_type"]]
    return found


def _shutdown_ends_paying(config: Config) -> bool:
    behaviours = {each.get("InstanceInitiatedShutdownBehavior") for each in _nodes(config)}
    return behaviours == {"terminate"} and config["provider"].get("cache_stopped_nodes") is False


def _has_encrypted_disks(config: Config) -> bool:
    disks = [each.get("BlockDeviceMappings", [{}]) for each in _nodes(config)]
    return all(disk.get("Ebs", {}).get("Encrypted") is True for each in disks for disk in each)


RULES: dict[str, Callable[[Config], bool]] = {
    "dashboard on loopback": _has_dashboard_on_loopback,
    "token mode": _has_token_mode,
    "no metrics": _offers_no_metrics,
    "token distributed": lambda config: config["file_mounts"].get(TOKEN) == TOKEN,
    "token closed": _closes_token,
    "pinned set": _has_pinned_set,
    "fixed ports": _has_fixed_ports,
    "shared storage": lambda config: any("/shared" in line for line in config["setup_commands"]),
    "nothing open to the world": _opens_nothing_else,
}
AWS_RULES: dict[str, Callable[[Config], bool]] = {
    "no trial on the head": lambda config: _head(config)["resources"].get("CPU") == 0,
    "head on demand": lambda config: not _is_spot(_head(config)),
    "spot first": _takes_spot_first,
    "on demand only if asked for": lambda config: all(
        each["max_workers"] == 0 for each in _workers(config) if not _is_spot(each)
    ),
    "workers idle out": _idles_out,
    "shutdown ends paying": _shutdown_ends_paying,
    "a node without Ray ends itself": lambda config: any(
        "off-without-ray" in line and "shutdown -h now" in line for line in config["setup_commands"]
    ),
    "own security group": lambda config: all(
        each.get("SecurityGroupIds") for each in _nodes(config)
    ),
    "IMDSv2": lambda config: all(
        each.get("MetadataOptions", {}).get("HttpTokens") == "required" for each in _nodes(config)
    ),
    "encrypted disk": _has_encrypted_disks,
}
LOCAL_RULES: dict[str, Callable[[Config], bool]] = {
    "no trial on the head": lambda config: all(
        _flag(line, "num-cpus") == "0" for line in ray_starts(config, "head_")
    ),
    "autoscaler v1": lambda config: all(
        "RAY_enable_autoscaler_v2=0" in line for line in ray_starts(config, "head_")
    ),
    "head announces its address": lambda config: all(
        _flag(line, "node-ip-address") == config["provider"]["head_ip"]
        for line in ray_starts(config, "head_")
    ),
}

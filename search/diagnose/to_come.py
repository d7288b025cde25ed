"""The kinds of node that a cluster's autoscaler may still bring, from what Ray left on its head.

`ray up` in a cloud writes there what it started the autoscaler with, each kind's resources looked
up and filled in. On machines of one's own no node comes that is not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# Where Ray's launcher puts it in the home of the user that it logs in as.
BOOTSTRAP = "ray_bootstrap_config.yaml"


def nodes_to_come(home: Path) -> dict[str, dict[str, float]]:
    """Kind of node -> what one offers, as Ray names it; empty where none can come.

    Args:
        home: Of the user on the head. A file there that cannot be read counts as none.
    """
    try:
        document = yaml.safe_load((home / BOOTSTRAP).read_text())
        if document["provider"]["type"] == "local":
            return {}
        kinds: dict[str, Any] = document["available_node_types"]
        return {
            name: {resource: float(amount) for resource, amount in kind["resources"].items()}
            for name, kind in kinds.items()
            if name != document["head_node_type"] and kind.get("max_workers", 0) > 0
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return {}

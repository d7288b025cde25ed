"""How many trials of a spec fit each node, and why none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search.diagnose.check import Check, failed, passed, warned
from search.optimize.placement import fitting, wanted, why_no_node
from search.spec.parts import Resources


def check_fitting(
    nodes: Mapping[str, Mapping[str, float]],
    resources: Resources,
    to_come: Mapping[str, Mapping[str, float]] | None = None,
) -> Iterator[Check]:
    """Whether any trial fits anywhere, and as many at once as the spec wants.

    Args:
        nodes: Node -> what it offers.
        resources: The spec's.
        to_come: Kind of node that the autoscaler may bring -> what one offers.
    """
    name, problem = "trials that fit", why_no_node(nodes, resources)
    later = {kind: fitting(offered, resources) for kind, offered in (to_come or {}).items()}
    if problem and any(later.values()):
        kinds = ", ".join(f"{count} on each {kind}" for kind, count in later.items() if count)
        found = f"none of {wanted(resources)} on the nodes that are up; the autoscaler brings more"
        yield passed(name, f"{found}: {kinds}")
        return
    if problem:
        yield failed(name, problem, "lower the spec's resources, or take larger nodes")
        return
    counts = {node: fitting(offered, resources) for node, offered in nodes.items()}
    total, parallelism = sum(counts.values()), resources.parallelism
    spread = ", ".join(f"{count} on {node}" for node, count in list(counts.items())[:6])
    found = f"{total} trials of {wanted(resources)} fit at once"
    found += f" ({spread}{', ...' * (len(counts) > 6)})"
    if parallelism == "auto":
        yield passed(name, f"{found}, and the search takes what there is (parallelism: auto)")
    elif total < parallelism:
        mend = f"set resources.parallelism to {total}, ask for less a trial, or add nodes"
        yield warned(name, f"{found}, the spec wants {parallelism}", mend)
    else:
        yield passed(name, f"{found}, the spec wants {parallelism}")

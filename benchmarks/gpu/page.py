"""The page of a run of `make gpu`: each part with what it found, or why it was not run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.gpu.schedule import PARTS
from benchmarks.harness import tables

# Why a part has no record: in a run without a GPU, and in one of other parts.
_NO_GPU, _NOT_CHOSEN = "no GPU was available", "not chosen (--parts)"
_NOTHING = [
    "Nothing was run on a GPU yet. In small every part runs on a CPU (`make gpu ON=cpu`), "
    "and the packing probe's table there is in `results/reference/gpu_on_cpu.md`.", "",
]  # fmt: skip
_STATE = {"ran": "ran", "failed": "**failed**", "not run": "not run"}


def page(
    title: str, records: Mapping[str, Mapping[str, Any]], facts: Mapping[str, str], command: str
) -> str:
    """Return the page as Markdown.

    Args:
        title: of the page.
        records: of each part that has one, by its name; the others were not run.
        facts: (name, value) of what the run depends on.
        command: that repeats the run.
    """
    lines = [f"# {title}", "", *([] if records else _NOTHING), *_overview(records), ""]
    for part in PARTS:
        record = records.get(part.name)
        if record is None or record["status"] == "not run":
            continue
        lines += [f"## {part.shows}", "", *_findings(record), ""]
    origin = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, "## Provenance", "", f"- command: `{command}`", *origin, ""])


def _overview(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = []
    missing = {"status": "not run", "reason": _NOT_CHOSEN if records else _NO_GPU}
    for part in PARTS:
        record = records.get(part.name, missing)
        claims = record.get("claims", [])
        held = f"{sum(holds for _, holds in claims)} of {len(claims)}" if claims else ""
        left_out = len(record.get("left_out", []))
        reason = record["reason"] or (f"{left_out} left out, see below" if left_out else "")
        rows.append([part.shows, _STATE[record["status"]], held, _seconds(record), reason])
    return tables.table(["part", "state", "checks that hold", "seconds", "reason"], rows)


def _seconds(record: Mapping[str, Any]) -> str:
    return f"{record['seconds']:.0f}" if record.get("seconds") else ""


def _findings(record: Mapping[str, Any]) -> Iterable[str]:
    if record["status"] == "failed":
        yield f"Failed: {record['reason']}"
    for claim, holds in record.get("claims", []):
        yield f"- {claim}: {'holds' if holds else '**does not hold**'}"
    for table in record.get("tables", []):
        yield from ("", f"**{table['title']}**", "")
        yield from tables.table(table["header"], table["rows"])
        if table["note"]:
            yield from ("", table["note"])
    if record.get("left_out"):
        yield from ("", "Not measured:", "")
        yield from (f"- {what}: {reason}" for what, reason in record["left_out"])

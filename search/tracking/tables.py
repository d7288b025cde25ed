"""The shape of what is read back from a store: three Arrow tables.

Columns named *_json hold JSON text, because configurations and spaces have no common schema.
Not for writing: a store is written event by event, see journal.py and writer.py.
"""

from __future__ import annotations

import pyarrow as pa

STATES = ("complete", "stopped", "failed", "interrupted", "running")

# One row a trial. `values` follow `objectives` and are empty unless the trial is complete.
# `curves` hold every metric of every epoch; `configuration` lists active hyperparameters only.
TRIALS = pa.schema(
    [
        ("task", pa.string()),
        ("search", pa.string()),
        ("number", pa.int64()),
        ("run_id", pa.string()),
        ("state", pa.string()),
        ("configuration", pa.string()),
        ("objectives", pa.list_(pa.string())),
        ("directions", pa.list_(pa.string())),
        ("values", pa.list_(pa.float64())),
        ("epoch", pa.int64()),
        (
            "curves",
            pa.list_(
                pa.struct([("metric", pa.string()), ("epoch", pa.int64()), ("value", pa.float64())])
            ),
        ),
        ("origin", pa.string()),
        ("started", pa.timestamp("ms", tz="UTC")),
        ("seconds", pa.float64()),
    ]
)

# One row a search.
SEARCHES = pa.schema(
    [
        ("search", pa.string()),
        ("run_id", pa.string()),
        ("task", pa.string()),
        ("fingerprint_json", pa.string()),
        ("space_json", pa.string()),
        ("objectives", pa.list_(pa.string())),
        ("directions", pa.list_(pa.string())),
        ("started", pa.timestamp("ms", tz="UTC")),
        ("trials_budget", pa.int64()),
        ("epochs", pa.int64()),
        ("seed", pa.int64()),
        ("roles_json", pa.string()),  # null where all objectives are pareto
        ("state", pa.string()),
        ("warm", pa.bool_()),
    ]
)

# One row a run that was left out, and why.
REJECTED = pa.schema([("run_id", pa.string()), ("name", pa.string()), ("reason", pa.string())])

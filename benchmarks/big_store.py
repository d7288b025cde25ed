"""The old place of benchmarks/internal/big_store.py; tests/search/tracking/read still names it."""

from benchmarks.internal.big_store import fill as fill

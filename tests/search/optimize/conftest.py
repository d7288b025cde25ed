"""Fixtures of the tests that step trials by hand."""

from tests.support.fixtures import gate, place, quick_collection, server

__all__ = ["gate", "place", "quick_collection", "server"]

"""Fixtures of the tests that step trials by hand."""

from tests.support.fixtures import gate, place, quick_collection, server
from tests.support.own_functions import own

__all__ = ["gate", "own", "place", "quick_collection", "server"]

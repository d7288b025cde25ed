"""Fixtures of the tests of real searches under faults."""

from tests.support.fixtures import gate, place, server

__all__ = ["gate", "place", "server"]

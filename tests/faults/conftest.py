"""What tests of real searches under faults may ask for."""

from tests.support.fixtures import gate, place, server

__all__ = ["gate", "place", "server"]

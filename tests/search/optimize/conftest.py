"""What tests that step trials by hand may ask for."""

from tests.support.fixtures import gate, place, quick_collection, server

__all__ = ["gate", "place", "quick_collection", "server"]

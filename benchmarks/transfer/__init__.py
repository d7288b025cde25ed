"""The claim that history beats every peer, and that misleading history does no harm."""

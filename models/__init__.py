"""Models that trials train; imports nothing from search/."""

"""Models that trials train; knows nothing of search."""

"""Metrics and tables of predicted classes and entities."""

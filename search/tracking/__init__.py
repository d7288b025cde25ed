"""Tracking: read and write MLflow; the only folder that imports mlflow."""

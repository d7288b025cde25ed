"""Twentieth: hyperparameter search that starts from everything already tried."""

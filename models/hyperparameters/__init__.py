"""The hyperparameters of each model, one file per family. Imports no torch."""

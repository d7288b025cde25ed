"""Hyperparameters: what each model understands, one file a family. No torch."""

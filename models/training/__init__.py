"""The protocol of a training, and the trainings of the catalog's models."""

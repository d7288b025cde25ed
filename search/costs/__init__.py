"""The costs of any torch model, for a user's own training function.

`model_costs` gives the metrics of the built-in trainings under their names, so each may be an
objective.
"""

from models.training.costs import model_costs

__all__ = ["model_costs"]

"""The robustness of any image classifier, for a user's own training function.

`evaluate` gives the metrics of the built-in trainings under their names, so each may be an
objective; `examples` gives the images that they are measured on.
"""

from models.adversarial.pixels.classifier import Evaluation, evaluate
from models.adversarial.threat_model import Threat
from models.training.image_evaluation import examples

__all__ = ["Evaluation", "Threat", "evaluate", "examples"]

"""What the confirmation of a recorded trial's robust accuracy warned of."""

from __future__ import annotations

from models.adversarial.checks.search_warnings import search_warnings
from models.adversarial.checks.warning import GradientMaskingWarning
from search.history.trial import Trial


def warnings_of(trial: Trial) -> list[GradientMaskingWarning]:
    """Returns the warnings of a trial, read from its metrics; [] if it was not confirmed."""
    return search_warnings(
        {name: trial.last(name) for name, curve in trial.curves.items() if curve}
    )

"""Settings for every test: machines that run them are shared and slow at times."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A deadline or a slow draw says something about the machine, not about the property.
settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared machine")

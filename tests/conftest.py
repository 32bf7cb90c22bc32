"""What every test shares: hypothesis without deadlines of its own (machines here are noisy)."""

from hypothesis import HealthCheck, settings

settings.register_profile("allclear", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("allclear")

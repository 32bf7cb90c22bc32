"""`Incident`: from the first alarm until all clear; a file per phase."""

from workflows.incident.workflow import Incident

__all__ = ["Incident"]

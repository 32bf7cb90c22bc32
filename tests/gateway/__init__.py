"""The gateway, against a real Temporal server."""

"""Tests, mirroring the rooms of the repository."""

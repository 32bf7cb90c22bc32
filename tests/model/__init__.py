"""Tests of the pure rules: no clock, no server, no network."""

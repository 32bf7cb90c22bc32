"""Measures what the design promises: `make bench`, or `python -m tests.bench [--json] [--only NAME]`.

x
"""

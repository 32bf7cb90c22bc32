"""Slack: a channel per incident that shows where it stands, and what the gateway needs to answer people there.

`workspace` calls Slack, `channels` shows incidents there, `voice` answers people; `blocks` is the form of what is said.
"""

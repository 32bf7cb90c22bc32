"""What the catalogue said of late: who sends an alarm encloses it, so that nobody has to ask between alarm and page."""

import hashlib
from datetime import datetime, timedelta

from pydantic import BaseModel

from model.detect.partition import Resolved
from model.policy import Policy

Question = tuple[str, str, str]
"""Service, region and metric."""
FRESH = timedelta(seconds=60)
"""How long an answer counts. An alarm may wait for a worker over a change of shifts; then the catalogue is asked."""
KEPT = 500
"""Answers one run keeps: a storm's services, not an organisation's."""


class Answered(BaseModel):
    """What the catalogue of the sender says about one service now.

    Attributes:
        policy: Which policy was in force (`fingerprint`): with another one, the catalogue is asked.
    """

    question: Question
    at: datetime
    answer: Resolved
    policy: str


def fingerprint(policy: Policy) -> str:
    """Return what tells one policy from another."""
    return hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:16]


class Answers:
    """The answers that one run of `Detection` has heard; a replay hears the same ones."""

    def __init__(self) -> None:
        self._known: dict[Question, Answered] = {}

    def hear(self, answered: Answered) -> None:
        """Keep an answer, the newest of its question."""
        self._known.pop(answered.question, None)
        self._known[answered.question] = answered
        while len(self._known) > KEPT:
            self._known.pop(next(iter(self._known)))

    def of(self, question: Question, policy: str, now: datetime) -> Resolved | None:
        """Return the answer to a question, if it is fresh and was given under this policy."""
        known = self._known.get(question)
        if known is None or known.policy != policy or abs(now - known.at) > FRESH:
            return None
        return known.answer

"""What follows from an incident, without Temporal: the same rules, virtual time, a world that obeys the test."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from model import recording
from model.catalogue.plan import Plan, plan_for
from model.effects import Deliver, Outcome, PlanRequest, Signal, Tell
from model.matter import Act
from model.message import Message, parse
from model.reflect import action_course, action_rules, after_messages, coe_course, coe_rules, rca_course, rca_rules
from model.reflect.after import After
from model.text import Refused
from tests.model.simulation import CATALOG, START

INCIDENT = "INC-20260302-7F3A"
Rule = Callable[[Act[Any]], Callable[[], Any]]
DOORS: dict[str, dict[str, tuple[type[Message], Rule]]] = {
    "ActionItem": {
        "start": (after_messages.Start, action_rules.start),
        "replan": (after_messages.Replan, action_rules.replan),
        "agree": (after_messages.Agree, action_rules.agree),
        "implemented": (after_messages.Implemented, action_rules.implemented),
        "validated": (after_messages.Validated, action_rules.validated),
        "hand_over": (after_messages.HandOver, action_rules.hand_over),
        "withdraw": (after_messages.Withdraw, action_rules.withdraw),
    },
    "Rca": {
        "submit": (after_messages.Submit, rca_rules.submit),
        "approve": (after_messages.Approve, rca_rules.approve),
        "recall": (after_messages.Recall, rca_rules.recall),
    },
    "Coe": {
        "submit": (after_messages.Submit, coe_rules.submit),
        "review": (after_messages.Review, coe_rules.review),
    },
}
RULES: dict[str, Any] = {"ActionItem": action_course, "Rca": rca_course, "Coe": coe_course}


def plan(*services: str) -> Plan:
    return plan_for(CATALOG, services=services or ["checkout-api"], teams=["checkout"], at=START)


class Life:
    """One matter, and what the world heard of it."""

    def __init__(self, matter: After, start: datetime = START) -> None:
        self.kind = type(matter).__name__
        self.matter: Any = matter
        self.start = self.now = start
        self.over = False
        self.told: list[tuple[timedelta, str, str]] = []
        self.signals: list[Signal] = []
        self.delivered: list[tuple[timedelta, str, str]] = []
        self.keys: list[str] = []
        self.fails: Callable[[Any], Outcome | None] = lambda order: None
        self.incident_open = True
        self.settle()

    def say(self, message: str, **fields: Any) -> str:
        """Send an update; return its answer, or raise `Refused`."""
        if self.over:
            raise Refused("it is over")
        model, rule = DOORS[self.kind][message]
        said = parse(model, fields)
        said.prove()
        before = self.matter.model_dump_json()
        rule(Act(self.matter, said, self.now))
        assert self.matter.model_dump_json() == before, "what the validator does must change nothing"
        answer = rule(Act(self.matter, said, self.now))()
        self.settle()
        return str(answer.text)

    def wait(self, **duration: float) -> None:
        """Let time pass, stopping at everything that becomes due; now and then in a new run."""
        end = self.now + timedelta(**duration)
        for turn in range(100_000):
            due = self.settle()
            if due is None or due > end:
                break
            assert due > self.now, "what is due must lie ahead, or the loop would spin"
            self.now = due
            if turn % 7 == 0:
                self.continue_as_new()
        else:
            raise AssertionError("time does not advance")
        self.now = end
        self.settle()

    def continue_as_new(self) -> None:
        self.matter = type(self.matter).model_validate_json(self.matter.model_dump_json())

    def settle(self) -> datetime | None:
        """Do everything due now and deliver what is owed, until nothing moves."""
        for _ in range(10_000):
            if self.over:
                return None
            due: datetime | None = RULES[self.kind].advance(self.matter, self.now)
            moved = self._perform_all()
            if recording.due(self.matter, self.now):
                batch = recording.batch(self.matter)
                recording.ended(self.matter, batch, Outcome(), self.now)
                moved = True
            self.over = recording.finished(self.matter)
            if not moved:
                return due
        raise AssertionError("effects never end")

    def _perform_all(self) -> bool:
        moved = False
        for key, owed in list(self.matter.owed.items()):
            if key not in self.matter.owed or (owed.retry_at and owed.retry_at > self.now):
                continue
            moved = True
            outcome = self.fails(owed.order) or self._perform(key, owed.order)
            RULES[self.kind].effect_ended(self.matter, key, outcome, self.now)
        return moved

    def _perform(self, key: str, order: Any) -> Outcome:
        if isinstance(order, Tell):
            self.told += [(self.now - self.start, r.person, order.text) for r in order.recipients]
        elif isinstance(order, Deliver):
            if key not in self.keys:
                self.delivered.append((self.now - self.start, order.customer, order.text))
            self.keys.append(key)
        elif isinstance(order, Signal):
            if not self.incident_open and order.workflow_id == INCIDENT:
                return Outcome(ok=False, again=False, reason="gone")
            self.signals.append(order)
        else:
            assert isinstance(order, PlanRequest)
            return Outcome(plan=plan_for(CATALOG, services=order.services, teams=order.teams, at=order.at))
        return Outcome()

    @property
    def status(self) -> str:
        return str(self.matter.as_item().status)

    def heard(self, person: str, words: str = "") -> list[timedelta]:
        """After how long somebody was told something with these words."""
        return [at for at, who, text in self.told if who == person and words in text]

    def lines(self, what: str = "") -> list[str]:
        """The lines the incident's timeline got."""
        changes = [signal.payload for signal in self.signals if signal.name == "item_changed"]
        return [change["line"] for change in changes if change["line"] and what in ("", change["what"])]

    def items(self) -> list[dict[str, Any]]:
        """How the incident knew it, one after the other."""
        return [signal.payload["item"] for signal in self.signals if signal.name == "item_changed"]


def days(number: float) -> timedelta:
    return timedelta(days=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)

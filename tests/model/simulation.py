"""Detection and its incidents without Temporal: the same rules, virtual time, a world that obeys the test."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from activities.comms.compose import render
from model import absorption, course, impact, recording
from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for, plan_for
from model.detect import detection, routing
from model.detect.detection import IncidentChanged
from model.detect.partition import Detection, Resolved
from model.effects import (
    Compose,
    Deployment,
    Forward,
    Lookup,
    Notice,
    Outcome,
    Page,
    PlanRequest,
    Publication,
    Signal,
    Start,
    Tell,
)
from model.engage import engagement
from model.engage.suspects import graph_of, in_common
from model.incident import Incident
from model.matter import Act
from model.message import Message, parse
from model.policy import Policy
from model.text import Refused
from tests.model.doors import DOORS
from worker.files import load_catalog

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CATALOG = load_catalog(Path(__file__).parents[2] / "scenarios" / "catalog.yaml")


class Simulation:
    """One partition, its incidents, and who was paged when."""

    def __init__(self, catalog: Catalog = CATALOG, policy: Policy | None = None, start: datetime = START) -> None:
        self.catalog = catalog
        self.now = start
        self.start = start
        self.detection = Detection(partition="public", policy=policy or catalog.policy)
        self.incidents: dict[str, Incident] = {}
        self.ended: set[str] = set()
        self.pages: list[tuple[timedelta, str, str]] = []
        self.tells: list[tuple[timedelta, Tell]] = []
        self.notices: list[tuple[timedelta, Notice]] = []
        self.posts: list[tuple[timedelta, Publication]] = []
        self.fails: Callable[[Page], bool | Outcome] = lambda page: False
        self.unreachable: dict[str, Outcome] = {}
        self.record_up = True
        self.deployments: list[Deployment] = []
        self.words: list[Signal] = []
        self.starts: list[Start] = []

    @property
    def incident(self) -> Incident:
        """The only incident that is not part of another."""
        (found,) = [i for i in self.incidents.values() if not i.absorbed_into]
        return found

    def alarm(self, service: str, *, state: str = "ALARM", alarm: str = "err", **fields: Any) -> None:
        payload = {"alarm": alarm, "service": service, "region": "eu-west", "state": state, **fields}
        detection.receive(self.detection, "alarm", payload, self.now)
        self.settle()

    def ok(self, service: str, **fields: Any) -> None:
        self.alarm(service, state="OK", **fields)

    def report(self, service: str, **fields: Any) -> None:
        payload = {"service": service, "region": "eu-west", "source": "case", **fields}
        detection.receive(self.detection, "report", payload, self.now)
        self.settle()

    def say(self, name: str, incident: Incident | None = None, **fields: Any) -> str:
        """Send an update; return its answer, or raise `Refused`."""
        target = incident or self.incident
        if target.id in self.ended:
            raise Refused("it is over")
        message, rule = DOORS[name]
        said: Message = parse(message, fields)
        said.prove()
        rule(Act(target, said, self.now))  # what the validator does must change nothing
        answer = rule(Act(target, said, self.now))()
        self.settle()
        return answer.text

    def wait(self, **duration: float) -> None:
        """Let time pass, stopping at everything that becomes due."""
        end = self.now + timedelta(**duration)
        for _ in range(100_000):
            due = self.settle()
            if due is None or due > end:
                break
            assert due > self.now, "what is due must lie ahead, or the loop would spin"
            self.now = due
        else:
            raise AssertionError("time does not advance")
        self.now = end
        self.settle()

    def settle(self) -> datetime | None:
        """Do everything due now and deliver what is owed, until nothing moves."""
        for _ in range(1000):
            due = [self._turn_detection()]
            for incident in list(self.incidents.values()):
                if incident.id not in self.ended:
                    due.append(self._turn_incident(incident))
            if not self._deliver():
                return min((at for at in due if at), default=None)
        raise AssertionError("effects never end")

    def _turn_detection(self) -> datetime | None:
        state = self.detection
        for arrived in state.inbox:
            asked = routing.services_of(arrived)
            resolved = {
                service: Resolved(
                    facts=facts_for(self.catalog, service, region, metric),
                    plan=plan_for(self.catalog, services=[service] if service else [], at=self.now),
                )
                for service, region, metric in asked
            }
            routing.decide(state, arrived, resolved, self.now)
        state.inbox.clear()
        return detection.advance(state, self.now)

    def _turn_incident(self, incident: Incident) -> datetime | None:
        due = course.advance(incident, self.now)
        if self.record_up and recording.due(incident, self.now):
            batch = recording.batch(incident)
            recording.ended(incident, batch, Outcome(), self.now)
        if recording.finished(incident):
            self.ended.add(incident.id)
        return due

    def _deliver(self) -> bool:
        moved = False
        for key, owed in list(self.detection.owed.items()):
            moved = True
            order = owed.order
            outcome = Outcome()
            if isinstance(order, Start):
                self.incidents[order.workflow_id] = Incident.model_validate(order.payload)
            elif isinstance(order, Signal):
                outcome = self._signal(order)
            else:
                assert isinstance(order, Forward)
            detection.effect_ended(self.detection, key, outcome, self.now)
        for incident in list(self.incidents.values()):
            for key, owed in list(incident.owed.items()):
                if owed.retry_at and owed.retry_at > self.now:
                    continue
                moved = True
                course.effect_ended(incident, key, self._perform(owed.order), self.now)
        return moved

    def _perform(self, order: Any) -> Outcome:
        if isinstance(order, Page):
            if how := self.fails(order):
                return how if isinstance(how, Outcome) else Outcome(ok=False, reason="down")
            self.pages.append((order.at - self.start, order.person, order.contact.channel))
        if isinstance(order, PlanRequest):
            suspected = in_common(self.catalog, graph_of(self.catalog), order.common, self.catalog.policy)
            teams = [*order.teams, *(found.team for found in suspected)]
            plan = plan_for(
                self.catalog,
                services=order.services,
                teams=teams,
                people=order.people,
                suspects=order.suspects,
                at=order.at,
            )
            return Outcome(plan=plan, suspected=suspected)
        if isinstance(order, Lookup):
            return Outcome(deployments=self.deployments)
        if isinstance(order, Compose):
            return Outcome(text=render(order.facts))
        if isinstance(order, Tell):
            self.tells.append((order.at - self.start, order))
        if isinstance(order, Start):
            self.starts.append(order)
        if isinstance(order, Publication):
            self.posts.append((order.at - self.start, order))
        if isinstance(order, Notice):
            return self._notice(order)
        return self._signal(order) if isinstance(order, Signal) else Outcome()

    def _notice(self, order: Notice) -> Outcome:
        out = {customer: self.unreachable[customer] for customer in order.to if customer in self.unreachable}
        left = [customer for customer, outcome in out.items() if outcome.again]
        lost = [customer for customer in out if customer not in left]
        reached = [customer for customer in order.to if customer not in out]
        if reached:
            self.notices.append((self.now - self.start, order.model_copy(update={"to": reached})))
        reason = "; ".join(f"{customer}: {outcome.reason}" for customer, outcome in out.items())
        return Outcome(ok=not left, reason=reason, left=left, lost=lost)

    def _signal(self, order: Signal) -> Outcome:
        if order.name == "incident_changed":
            detection.incident_changed(self.detection, IncidentChanged.model_validate(order.payload), self.now)
            return Outcome()
        if order.workflow_id in self.ended:
            return Outcome(ok=False, again=False, reason="gone")
        if "/" in order.workflow_id:  # what follows from an incident lives in tests of its own
            self.words.append(order)
            return Outcome()
        incident = self.incidents[order.workflow_id]
        taken: dict[str, tuple[Any, Any]] = {
            "alarms_changed": (impact.AlarmsChanged, impact.alarms_changed),
            "reported": (impact.Reported, impact.reported),
            "promote": (absorption.Promotion, absorption.promoted),
            "absorb": (absorption.Absorption, absorption.absorb),
            "handover": (absorption.Handover, absorption.take_over),
            "split_off": (absorption.SplitOff, absorption.split_off),
        }
        if order.name == "end_absorbed":
            course.end_absorbed(incident)
            return Outcome()
        if order.name == "page_ended":
            ended = absorption.PageEnded.model_validate(order.payload)
            engagement.page_ended(incident, ended.key, ended.outcome, self.now)
            return Outcome()
        model, rule = taken[order.name]
        rule(incident, model.model_validate(order.payload), self.now)
        return Outcome()

    def paged(self, person: str) -> list[tuple[str, str]]:
        """When (as `2m`) and over which channel somebody was paged."""
        return [(f"{at.total_seconds() / 60:g}m", channel) for at, who, channel in self.pages if who == person]

    def customers_read(self) -> list[tuple[str, str]]:
        """When (as `2m`) customers got something, and what."""
        return [(f"{at.total_seconds() / 60:g}m", order.text.external) for at, order in self.notices]

    def told(self, person: str) -> list[str]:
        """What somebody in the house was told quietly."""
        return [order.text for _, order in self.tells if person in [r.person for r in order.recipients]]

    def said(self, what: str, incident: Incident | None = None) -> list[str]:
        """The texts of a kind of timeline line."""
        return [entry.text for entry in (incident or self.incident).timeline if entry.what == what]

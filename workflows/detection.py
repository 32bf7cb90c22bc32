"""`Detection`: one per partition, for ever; alarms in, incidents out."""

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from activities.catalogue import RESOLVE, Questions
from link import catalog as live
from link import clock
from model.details import detection_details
from model.detect import detection as rules
from model.detect import partition, regroup, routing
from model.detect.answers import Answered, Answers, Question, fingerprint
from model.detect.detection import IncidentChanged
from model.detect.partition import Arrived, Resolution, Resolved
from model.detect.partition import Detection as State
from model.effects import Outcome, backoff
from model.messages import Alarm, Answer, Declare, Merge, Report, Silence, Split
from model.text import Refused
from workflows import errands, process
from workflows.lanes import Lanes
from workflows.process import Process

TURNS = 100
"""Turns of one run, five hundred events or so: a new run that an alarm meets is begun twice, and meanwhile the server
takes no alarm (`docs/decisions/short-runs-of-detection.md`)."""
BATCH = 200
"""Messages whose services the catalogue is asked for in one go."""


@workflow.defn(name="Detection")
class Detection(Process):
    """Watches one partition; regions are keys in its state."""

    state: State

    @workflow.init
    def __init__(self, state: State | None = None) -> None:
        """Begin with what the last run knew; a first run knows its partition by its own id."""
        self.state = state or State(partition=workflow.info().workflow_id.removeprefix("detection/"))
        self.begin()
        self._answers = Answers()
        self._policy = fingerprint(self.state.policy)
        self._asked_in_vain = 0
        self._retry_at: datetime | None = None
        self._paused = False
        self._lanes = Lanes(
            {"process": errands.start, "signal": errands.signal, "forward": errands.forward},
            self._ended,
            parallel=frozenset({"process", "signal", "forward"}),
        )

    @workflow.run
    async def run(self, state: State | None = None) -> None:
        """Watch, for ever."""
        while not await self.live():
            workflow.continue_as_new(self.state)

    def now(self) -> datetime:
        """Return the story's time."""
        return clock.now(self.state.clock_shift)

    def over(self) -> bool:
        """Never."""
        return False

    def turns(self) -> int:
        """Fewer than others: alarms come at any time."""
        return min(TURNS, process.CONTINUE_AFTER)

    def resting(self) -> bool:
        """Whether nothing is under way."""
        return not self._lanes.flying

    def pausing(self) -> None:
        """Begin nothing more in this run."""
        self._paused = True

    async def _wait(self, due: datetime | None) -> None:
        if self.state.inbox and not (self._retry_at and self._retry_at > self.now()) and await self._decide():
            return  # the next turn begins what was decided
        due = min((at for at in (due, self._retry_at) if at), default=None)
        await super()._wait(due)

    def advance(self, now: datetime) -> datetime | None:
        """Do what time makes due. Each process hears things in order: it is started before it is told anything."""
        due = rules.advance(self.state, now)
        if not self._paused:
            self.spoke |= self._lanes.start(rules.next_for_each(self.state), now)
        workflow.set_current_details(detection_details(self.state, now))
        retries = [owed.retry_at for owed in self.state.owed.values() if owed.retry_at]
        return min((at for at in (due, *retries) if at and at > now), default=None)

    async def _decide(self) -> bool:
        """Decide what came, by what the senders enclosed and else by what the catalogue answers; return whether."""
        batch = self.state.inbox[:BATCH]
        now = self.now()
        known = {question: self._answers.of(question, self._policy, now) for question in _questions(batch)}
        asked = sorted(question for question, answer in known.items() if answer is None)
        if asked and not await self._ask(asked, known):
            return False
        for arrived in batch:
            resolved = {question[0]: answer for question in routing.services_of(arrived) if (answer := known[question])}
            routing.decide(self.state, arrived, resolved, self.now())
        del self.state.inbox[: len(batch)]
        return True

    async def _ask(self, asked: list[Question], known: dict[Question, Resolved | None]) -> bool:
        """Ask the catalogue; return whether it answered."""
        self.spoke = True
        try:
            resolution = await workflow.execute_activity(
                RESOLVE,
                Questions(asked=asked, at=self.now()),
                result_type=Resolution,
                start_to_close_timeout=errands.QUICK,
                retry_policy=RetryPolicy(maximum_attempts=1),
                priority=errands.FIRST,
            )
        except FailureError as error:
            self._asked_in_vain += 1
            self._retry_at = self.now() + backoff(self.state.policy, self._asked_in_vain)
            if self._asked_in_vain == 1:
                rules.unreadable(self.state, "catalogue", str(error.cause or error), "", self.now())
            return False
        self._asked_in_vain, self._retry_at = 0, None
        self.state.policy = resolution.policy
        self._policy = fingerprint(resolution.policy)
        known.update(zip(asked, resolution.answers, strict=True))
        return True

    def hear(self, answered: Answered) -> None:
        """Keep what a sender's catalogue says (`link.answers`)."""
        self._answers.hear(answered)

    def _ended(self, key: str, outcome: Outcome) -> None:
        rules.effect_ended(self.state, key, outcome, self.now())
        self.touched = True

    def unreadable(self, name: str, why: str, payload: Any) -> None:
        """Keep what the guard caught."""
        rules.unreadable(self.state, name, why, payload, self.now())
        self.touched = True

    @workflow.signal(description=Alarm.described())
    def alarm(self, x: Any = None) -> None:
        """Take an alarm."""
        rules.receive(self.state, "alarm", x, self.now())
        self.touched = True

    @workflow.signal(description=Report.described())
    def report(self, x: Any = None) -> None:
        """Take a customer report."""
        rules.receive(self.state, "report", x, self.now())
        self.touched = True

    @workflow.signal(description="internal: an incident says how it stands")
    def incident_changed(self, x: Any = None) -> None:
        """Learn how an incident stands."""
        rules.incident_changed(self.state, IncidentChanged.model_validate(x), self.now())
        self.touched = True

    @workflow.update(description=Declare.described())
    def declare(self, x: Declare | None = None) -> Answer:
        """Open an incident by hand."""
        return self._answer(x, lambda said: rules.declare(self.state, said, self.now()))

    @declare.validator
    def _may_declare(self, x: Declare | None = None) -> None:
        if x is None:
            raise Refused(f"say what is wrong, for example {Declare.example_json()}")
        if x.key and x.key in self.state.answers:
            return
        _somebody(x.by, Declare.example_json())
        _real_services(x.services)
        rules.refuse_declared_twice(self.state, x)

    @workflow.update(description=Silence.described())
    def silence(self, x: Silence | None = None) -> Answer:
        """Expect alarms of a service for a while."""
        return self._answer(x, lambda said: rules.silence(self.state, said, self.now()))

    @silence.validator
    def _may_silence(self, x: Silence | None = None) -> None:
        if x is None:
            raise Refused(f"say which service is expected to alarm, for example {Silence.example_json()}")
        if x.key and x.key in self.state.answers:
            return
        _somebody(x.by, Silence.example_json())
        _real_services([x.service])
        if x.until <= self.now():
            raise Refused(f"`until` is past (now {self.now():%Y-%m-%dT%H:%M:%SZ}); give a moment to come")

    @workflow.update(description=Merge.described())
    def merge(self, x: Merge | None = None) -> Answer:
        """Make one event of several."""
        return self._answer(x, lambda said: regroup.merge(self.state, said, self.now()))

    @merge.validator
    def _may_merge(self, x: Merge | None = None) -> None:
        if x is None:
            raise Refused(f"say which incidents are one, for example {Merge.example_json()}")
        if x.key and x.key in self.state.answers:
            return
        _steers(x.by, regroup.refuse_merge(self.state, x), Merge.example_json())

    @workflow.update(description=Split.described())
    def split(self, x: Split | None = None) -> Answer:
        """Take a service out of its event."""
        return self._answer(x, lambda said: regroup.split(self.state, said, self.now()))

    @split.validator
    def _may_split(self, x: Split | None = None) -> None:
        if x is None:
            raise Refused(f"say which service is no part of its event, for example {Split.example_json()}")
        if x.key and x.key in self.state.answers:
            return
        _real_services([x.service])
        regroup.refuse_split(self.state, x)
        _steers(x.by, [x.service], Split.example_json())

    def _answer(self, said: Any, do: Any) -> Answer:
        if said.key and said.key in self.state.answers:
            return self.state.answers[said.key]
        answer: Answer = do(said)
        if said.key:
            self.state.answers[said.key] = answer
            while len(self.state.answers) > self.state.policy.answers_kept:
                self.state.answers.pop(next(iter(self.state.answers)))
        self.touched = True
        return answer

    @workflow.query(description="Everything Detection knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

    @workflow.query(description="The incidents that are not over.")
    def open_incidents(self) -> list[partition.Known]:
        """Return the open incidents."""
        return [known for known in self.state.incidents.values() if not known.ended]


def _questions(batch: list[Arrived]) -> list[Question]:
    return list(dict.fromkeys(question for arrived in batch for question in routing.services_of(arrived)))


def _somebody(by: str, example: str) -> None:
    catalog = live.live()
    if not by:
        raise Refused(f"say who you are, for example {example}")
    if catalog and catalog.person_by(by) is None:
        raise Refused(f"'{by}' is nobody of the catalogue; use the id or e-mail it knows")


def _steers(by: str, services: list[str], example: str) -> None:
    """Let pass who may say what is one event: incident response, call leaders, the owning teams (design §5)."""
    _somebody(by, example)
    catalog = live.live()
    person = catalog.person_by(by) if catalog else None
    if catalog is None or person is None:
        return
    owners = {catalog.services[service].team for service in services if service in catalog.services}
    may = {catalog.roles.incident_response, *owners}
    if person.id in catalog.roles.call_leaders or may & set(catalog.teams_of(person.id)):
        return
    raise Refused(f"{by} may not do this; these may: call leaders, incident response, {', '.join(sorted(owners))}")


def _real_services(services: list[str]) -> None:
    catalog = live.live()
    if catalog is None:
        return
    unknown = [service for service in services if service not in catalog.services]
    if unknown:
        raise Refused(
            f"the catalogue has no service {', '.join(unknown)}; it has {', '.join(sorted(catalog.services))}"
        )

"""A drill's file and its result: the contract others test against (design §4)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PrivateAttr, model_validator

from model.close.checklist import ITEMS
from model.effects import Deployment
from model.incident import Incident, Paged, Responder
from model.matter import Entry
from model.times import Duration, Moment, iso

TO_DETECTION = {
    "alarm": "signal",
    "report": "signal",
    "declare": "update",
    "silence": "update",
    "merge": "update",
    "split": "update",
}
"""Messages that go to `Detection`, and how; every other message goes to an incident as an update."""
MESSAGES = (
    *TO_DETECTION,
    "engage", "acknowledge", "join", "release", "state_impact", "observe", "lead", "fork", "rejoin",
    "make_big", "hand_off",
    "propose", "decide", "stop", "confirm_recovery", "relate", "inquire", "sentiment", "notify", "note",
    "check",
    "assign_coe", "add_action", "start_campaign", "set_severity", "stand_down", "close", "reopen", "submit",
    "review",
    "approve", "recall", "start", "replan", "agree", "implemented", "validated", "hand_over", "withdraw",
    "measure", "start_rung", "finish",
)  # fmt: skip
"""Every message a step may send (design §3)."""

Cut = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A moment, cut to whole seconds in the JSON."""


class Expect(BaseModel):
    """What a step should meet."""

    model_config = ConfigDict(extra="forbid")

    refused: str | bool = False


class Step(BaseModel):
    """One message at one moment."""

    at: timedelta
    message: str
    payload: Any = None
    incident: int | None = None
    to: str = ""
    refused: str | bool = False

    @classmethod
    def read(cls, number: int, data: Any) -> "Step":
        """Read a step as people write it: `{at: 3m, acknowledge: {by: ana}, expect: refused}`.

        Raises:
            ValueError: It is none; the text names the step.
        """
        if not isinstance(data, dict):
            raise ValueError(f"step {number}: write for example {{at: 3m, acknowledge: {{by: ana}}}}")
        names = [key for key in data if key not in ("at", "expect", "incident", "to")]
        if len(names) != 1 or "at" not in data:
            raise ValueError(f"step {number}: needs `at` and one message, has {', '.join(map(str, data))}")
        if names[0] not in MESSAGES:
            raise ValueError(f"step {number}: no message is called {names[0]}; there are {', '.join(MESSAGES)}")
        payload = data[names[0]]
        routed = {key: data[key] for key in ("incident", "to") if key in data}
        if isinstance(payload, dict):
            payload = dict(payload)
            routed |= {key: payload.pop(key) for key in ("incident", "to") if key in payload}
        expect = data.get("expect")
        refused = expect == "refused" if isinstance(expect, str) else Expect.model_validate(expect or {}).refused
        if isinstance(expect, str) and expect != "refused":
            raise ValueError(f'step {number}: expect is `refused` or {{refused: "words"}}, not {expect}')
        at = _At(at=data["at"]).at
        return cls(at=at, message=names[0], payload=payload, refused=refused, **routed)


class _At(BaseModel):
    at: Duration


class Fault(BaseModel):
    """A port that fails for a while."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    port: Literal["paging", "comms", "record", "tickets", "telemetry"]
    channel: str = ""
    start: Duration = Field(alias="from")
    end: Duration = Field(alias="to")


class World(BaseModel):
    """What connectors see in a drill."""

    model_config = ConfigDict(extra="forbid")

    deployments: list[Deployment] | None = None
    customers: dict[str, Any] = {}
    series: dict[str, Any] = {}
    faults: list[Fault] = []


class Drill(BaseModel):
    """A drill's file."""

    model_config = ConfigDict(extra="forbid")

    title: str
    catalog: str | dict[str, Any] | None = None
    policy: dict[str, Any] = {}
    start: Moment
    world: World = World()
    steps: list[Step]
    until: Duration
    _folder: PurePath = PrivateAttr(default=PurePath())

    @property
    def folder(self) -> PurePath:
        """The folder its files (a COE, an RCA, the catalogue) are relative to."""
        return self._folder

    def lies_in(self, folder: PurePath) -> "Drill":
        """Say where the drill's file lies."""
        self._folder = folder
        return self

    @model_validator(mode="before")
    @classmethod
    def _steps(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("steps"), list):
            steps = [s if isinstance(s, Step) else Step.read(n, s) for n, s in enumerate(data["steps"], start=1)]
            for number, (before, after) in enumerate(pairwise(steps), start=2):
                if after.at < before.at:
                    raise ValueError(f"step {number} is before step {number - 1}: steps stand in time order")
            return {**data, "steps": steps}
        return data


class Problem(BaseModel):
    """A step that did not go as expected."""

    step: int
    at: str
    message: str
    expected: str
    got: str


class TimelineRow(BaseModel):
    """One line of an incident's timeline."""

    at: Cut
    what: str
    by: str
    text: str


class PagedRow(BaseModel):
    """One page that was taken by its provider."""

    at: Cut
    person: str
    channel: str
    level: int


class EngagementRow(BaseModel):
    """One team in an incident; people beyond the teams are the row `call-leaders`."""

    team: str
    reason: str
    paged: list[PagedRow]
    acknowledged_at: Cut | None
    acknowledged_by: str | None
    joined_at: Cut | None
    released_at: Cut | None


class MessageRow(BaseModel):
    """One message to an audience: customer ids, `public`, or team ids."""

    at: Cut
    audience: Literal["internal", "external"]
    to: list[str]
    text: str


class MitigationRow(BaseModel):
    """One proposal of the ladder."""

    n: int
    kind: str
    target: str
    proposed_by: str
    decided_by: str | None = None
    verdict: str | None = None
    executed_at: Cut | None = None
    verified_at: Cut | None = None


class CheckRow(BaseModel):
    """One item of the closing checklist."""

    item: str
    done: bool
    by: str | None = None


class CoeRow(BaseModel):
    """One COE."""

    team: str
    subject: str
    author: str
    status: str
    why_reasons: list[str] = []
    findings: list[str] = []


class RcaRow(BaseModel):
    """The customers' RCA."""

    due_at: Cut
    status: str
    published_at: Cut | None = None


class ActionRow(BaseModel):
    """One action item."""

    n: int
    title: str
    horizon: str
    owner: str
    status: str
    due_at: Cut | None = None
    promised_due_at: Cut | None = None
    validated_at: Cut | None = None


class IncidentRow(BaseModel):
    """One incident as a drill ends."""

    id: str
    kind: str
    severity: int
    phase: str
    services: list[str]
    regions: list[str]
    detected_by: str
    absorbed_into: str | None
    opened_at: Cut
    mitigated_at: Cut | None
    closed_at: Cut | None
    all_clear_at: Cut | None
    timeline: list[TimelineRow]
    engagements: list[EngagementRow]
    messages: list[MessageRow]
    mitigations: list[MitigationRow] = []
    checklist: list[CheckRow] = []
    coes: list[CoeRow] = []
    rca: RcaRow | None = None
    actions: list[ActionRow] = []


class ConnectedRow(BaseModel):
    """What a system outside holds when a connected drill is over, as that system says it.

    Attributes:
        system: `mail`, or as the settings name it.
        matter: The incident or action item.
        place: What it is called there: `ticket 17`, `#drill-inc-…`; of mail: who got it.
        count: Comments or messages; letters that the mail server took; None where the system is not read back.
        closed: Whether the ticket is closed.
        behind: Lines of the timeline that it does not have yet.
        error: Why it could not be read back.
    """

    system: str
    matter: str = ""
    place: str = ""
    url: str = ""
    count: int | None = None
    closed: bool | None = None
    behind: int = 0
    error: str = ""


class Connected(BaseModel):
    """How a connected drill ended.

    Attributes:
        late_seconds: How far the story came behind its times at most: while something outside is under way, its clock
            runs no faster than ours.
        systems: What is held outside.
    """

    late_seconds: float
    systems: list[ConnectedRow]


class DrillResult(BaseModel):
    """What `allclear drill --json` prints.

    Attributes:
        connected: With `--connected`, what the systems outside hold.
    """

    title: str
    problems: list[Problem] = []
    wall_seconds: float
    virtual_seconds: float
    incidents: list[IncidentRow]
    connected: Connected | None = Field(default=None, exclude_if=lambda it: it is None)


def incident_row(incident: Incident, entries: Iterable[Entry]) -> IncidentRow:
    """Return an incident's row, with the whole timeline from the record and what it does not have yet."""
    lines = {entry.seq: entry for entry in entries} | {entry.seq: entry for entry in incident.timeline}
    ordered = sorted(lines.values(), key=lambda e: (e.at, e.seq))
    return IncidentRow(
        id=incident.id,
        kind=incident.kind,
        severity=incident.severity,
        phase=incident.phase.value,
        services=incident.services,
        regions=incident.regions,
        detected_by=incident.detected_by,
        absorbed_into=incident.absorbed_into or None,
        opened_at=incident.opened_at,
        mitigated_at=incident.mitigated_at,
        closed_at=incident.closed_at,
        all_clear_at=incident.all_clear_at,
        timeline=[TimelineRow(at=e.at, what=e.what, by=e.by, text=e.text) for e in ordered],
        engagements=[
            EngagementRow(
                team=row.team,
                reason=row.reason,
                paged=pages_under(incident.people, row.team),
                acknowledged_at=row.acknowledged_at,
                acknowledged_by=row.acknowledged_by or None,
                joined_at=row.joined_at,
                released_at=row.released_at,
            )
            for row in incident.engagements.values()
        ],
        mitigations=[
            MitigationRow(
                n=p.n,
                kind=p.kind,
                target=p.target,
                proposed_by=p.proposed_by,
                decided_by=p.decided_by or None,
                verdict=p.verdict,
                executed_at=p.executed_at,
                verified_at=p.verified_at,
            )
            for p in incident.proposals
        ],
        checklist=[
            CheckRow(
                item=item,
                done=any(c.item == item for c in incident.checked),
                by=next((c.by for c in incident.checked if c.item == item), None),
            )
            for item in ITEMS
        ],
        coes=[
            CoeRow(
                team=i.team,
                subject=i.subject,
                author=i.author,
                status=i.status,
                why_reasons=i.why_reasons,
                findings=i.findings,
            )
            for i in incident.items.values()
            if i.kind == "coe"
        ],
        rca=next(
            (
                RcaRow(due_at=i.due_at, status=i.status, published_at=i.published_at)
                for i in incident.items.values()
                if i.kind == "rca" and i.due_at
            ),
            None,
        ),
        actions=[
            ActionRow(
                n=i.n,
                title=i.title,
                horizon=i.horizon,
                owner=i.owner,
                status=i.status,
                due_at=i.due_at,
                promised_due_at=i.promised_due_at,
                validated_at=i.validated_at,
            )
            for i in incident.items.values()
            if i.kind == "action"
        ],
        messages=[
            MessageRow(at=m.at, audience=m.audience, to=m.to, text=m.text)
            # At one moment the house hears before customers do (C6).
            for m in sorted(incident.messages, key=lambda m: (m.at, m.audience == "external"))
        ],
    )


def pages_under(people: dict[str, Responder], team: str) -> list[PagedRow]:
    """Return the pages taken for a team; who was paged for several teams at once is listed under the first."""

    def taken(page: Paged) -> bool:
        return page.team == team and page.confirmed

    rows = [
        PagedRow(at=page.at, person=person, channel=page.channel, level=page.level)
        for person, responder in people.items()
        for page in filter(taken, responder.pages)
    ]
    return sorted(rows, key=lambda row: row.at)

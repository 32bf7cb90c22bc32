"""What waits for one person in an incident, and on which call they are wanted (C1, C3, C5, C6, C9, M1-M3).

Who may answer is asked of the rules themselves: they look first and change nothing, so what is found here is what
they would take.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from model import messages
from model.close import closing
from model.coordinate import calls, desk_messages, statements, support_rules, ticket
from model.coordinate.audience import LISTED, latest, targets
from model.engage import engagement, handoff, response
from model.incident import BEFORE_CLOSE, Incident, Phase, Statement
from model.matter import SYSTEM, Act, unique
from model.message import Message
from model.messages import LightReason
from model.mitigate import ladder, ladder_messages, recovery
from model.permissions import ACCOUNT, ENGAGED, INCIDENT_RESPONSE, LEADERS, SUPPORT, standing
from model.text import Refused

Kind = Literal["page", "draft", "decide", "decide_all", "join", "statement", "recovery", "close", "shift"]
UPDATE: Final[dict[Kind, str]] = {
    "page": "acknowledge",
    "draft": "notify",
    "decide": "decide",
    "decide_all": "decide",
    "join": "join",
    "statement": "state_impact",
    "recovery": "confirm_recovery",
    "close": "close",
    "shift": "hand_off",
}
"""What is sent to answer."""


class Waiting(BaseModel):
    """One thing that waits for one person.

    Attributes:
        since: Since when.
        by: When it is owed, or what happens by itself happens: a draft goes, a proposal expires, a window ends.
        team: For which team.
        number: Of the proposal or the draft.
        what: What it is, in a few words.
        text: The words it is about: why, or what customers would read.
        verdicts: What this person may answer, where there is a choice.
        refused: Why not the others, as the rule says it.
        customers: Whose eyes may have seen it.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    since: datetime
    by: datetime | None = None
    team: str = ""
    number: int | None = None
    what: str
    text: str = ""
    verdicts: list[str] = []
    refused: str = ""
    customers: list[str] = []

    @property
    def update(self) -> str:
        """The message that answers it."""
        return UPDATE[self.kind]


class Call(BaseModel):
    """A call that somebody may join.

    Attributes:
        call: Which: `tech`, `support` or `fork-1`.
        link: May contain `{secret}`, which the page fills in.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    call: str
    link: str

    @property
    def place(self) -> tuple[str, str]:
        """Where it is: two names of one place are one call."""
        return calls.place(self.link, self.call)


def waiting_for(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return what waits for a person, the most urgent first.

    Args:
        incident: As its workflow knows it; without its plan (as in the record) only a page can be told.
        person: Their id.
        now: The incident's time.
    """
    paged = unanswered(incident, person)
    return [
        *([paged] if paged else []),
        *_draft(incident, person, now),
        *_decisions(incident, person, now),
        *_join(incident, person, now),
        *_statements(incident, person, now),
        *_recovery(incident, person, now),
        *_light_way(incident, person, now),
        *_shift(incident, person, now),
    ]


def unanswered(incident: Incident, person: str) -> Waiting | None:
    """Return the page that a person has not answered, and nobody for them; it can be told without a plan, too."""
    responder = incident.people.get(person)
    if incident.phase not in BEFORE_CLOSE or responder is None or responder.acknowledged_at or responder.off_at:
        return None
    pages = engagement.pages_of(responder)
    # Who is paged for one of their teams is paged for all of them (E6).
    teams = unique([*(page.team for page in pages), *_teams(incident, person)])
    rows = [incident.engagements[team] for team in teams if team in incident.engagements]
    still = [row for row in rows if row.open]
    reliefs = engagement.to_relieve(incident, person)
    if pages and reliefs and not still:
        return Waiting(
            kind="page",
            since=pages[0].at,
            team=reliefs[0].team,
            what=f"You take over {', '.join(f'{it.team} from {it.person}' for it in reliefs)}",
            text="; ".join(unique(it.words for it in reliefs)),
        )
    if not pages or not still:
        return None
    return Waiting(
        kind="page",
        since=pages[0].at,
        team=still[0].team,
        what=f"You are paged for {', '.join(row.team for row in still)}",
        text=still[0].reason,
    )


def _teams(incident: Incident, person: str) -> list[str]:
    planned = incident.plan.people.get(person)
    return engagement.teams_of(incident, planned) if planned else []


def _refusal(
    incident: Incident, rule: Callable[[Act[Incident]], response.Commit], message: Message, now: datetime
) -> str:
    """Return why a rule would not take a message; nothing where it would."""
    message.prove()
    try:
        rule(Act(incident, message, now))
    except Refused as refused:
        return str(refused)
    return ""


def _choices(
    incident: Incident,
    rule: Callable[[Act[Incident]], response.Commit],
    said: dict[str, Message],
    now: datetime,
) -> tuple[list[str], str]:
    """Return the verdicts that a rule would take, and why not the others."""
    refusals = {verdict: _refusal(incident, rule, message, now) for verdict, message in said.items()}
    reasons = unique(refusals.values())
    return [verdict for verdict, refusal in refusals.items() if not refusal], "; ".join(reasons)


def _draft(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return the message to customers that waits, or is about to go (C9)."""
    draft = incident.desk.waiting
    if draft is None:
        return []
    said: dict[str, Message] = {
        "hold": desk_messages.Notify(by=person, draft=draft.n, verdict="hold"),
        "send": desk_messages.Notify(by=person, draft=draft.n, verdict="send"),
    }
    verdicts, refused = _choices(incident, support_rules.notify, said, now)
    if not verdicts:
        return []
    going = draft.goes_at is not None and draft.goes_at > now
    return [
        Waiting(
            kind="draft",
            since=draft.at,
            by=draft.goes_at if going else None,
            number=draft.n,
            what="A message to customers is about to go" if going else "A message to customers waits for you",
            text=draft.text.external if draft.text else "",
            verdicts=verdicts,
            refused=refused,
            customers=draft.to[:LISTED],
        )
    ]


def _decisions(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return the proposals that a person may decide about; several suspected deployments at once, too (M1, M2)."""
    found = []
    for proposal in incident.proposals:
        if proposal.status != "waiting":
            continue
        said: dict[str, Message] = {
            "approve": ladder_messages.Decide(by=person, proposal=proposal.n, verdict="approve"),
            "reject": ladder_messages.Decide(by=person, proposal=proposal.n, verdict="reject"),
        }
        verdicts, refused = _choices(incident, ladder.decide, said, now)
        if verdicts:
            by = "suspected" if proposal.proposed_by == SYSTEM else f"proposed by {proposal.proposed_by}"
            sure = f" Certain because: {proposal.confidence}" if proposal.confidence else ""
            aside = f" Set aside: {', '.join(proposal.set_aside)}." if proposal.set_aside else ""
            found.append(
                Waiting(
                    kind="decide",
                    since=proposal.proposed_at,
                    by=proposal.proposed_at + incident.policy.proposal_expires,
                    team=proposal.team,
                    number=proposal.n,
                    what=f"{proposal.n}: {proposal.kind.replace('_', ' ')} {proposal.target}, {by}",
                    text=f"{proposal.why}{aside}{sure}",
                    verdicts=verdicts,
                    refused=refused,
                )
            )
    return [*_at_once(incident, person, now, found), *found]


def _at_once(incident: Incident, person: str, now: datetime, found: list[Waiting]) -> list[Waiting]:
    suspected = {proposal.n: proposal for proposal in incident.proposals if proposal.suspicion}
    theirs = [waiting for waiting in found if waiting.number in suspected and "approve" in waiting.verdicts]
    message = ladder_messages.Decide(by=person, all=True)
    if len(theirs) < 2 or _refusal(incident, ladder.decide, message, now):
        return []
    return [
        Waiting(
            kind="decide_all",
            since=min(waiting.since for waiting in theirs),
            by=min(waiting.by for waiting in theirs if waiting.by),
            what=f"{len(theirs)} deployments ran around the start: bring them back at once?",
            text=", ".join(suspected[waiting.number].target for waiting in theirs if waiting.number),
            verdicts=["approve"],
        )
    ]


def _join(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return that somebody took a page of a full response and is not on the call yet (design §5)."""
    responder = incident.people.get(person)
    if not incident.big or incident.phase not in BEFORE_CLOSE or responder is None:
        return []
    taken = responder.acknowledged_at
    if taken is None or responder.joined_at or responder.off_at:
        return []
    if _refusal(incident, response.join, messages.Join(by=person), now):
        return []
    by = taken + incident.policy.join_within
    return [Waiting(kind="join", since=taken, by=by, what="You are expected on the call")]


def _statements(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return the impact statements that a person's teams owe (C3), and those that customers contradict (C6)."""
    if incident.phase not in statements.CHASED:
        return []
    found = []
    for team in _teams(incident, person):
        row, said = incident.engagements[team], latest(incident, team)
        due = statements.due(incident, row)
        contradicted = _contradicted(incident, team, said)
        first = said is None or said.at < row.called_at
        owed = due is not None and (first or due <= now)
        message = messages.StateImpact(by=person, team=team, impacted="unknown")
        if (owed or contradicted) and not _refusal(incident, ticket.state_impact, message, now):
            found.append(
                Waiting(
                    kind="statement",
                    since=contradicted or row.joined_at or row.called_at,
                    by=due,
                    team=team,
                    what=f"Is {team} impacted?",
                    text=f"You stated no impact at {contradicted:%H:%M} UTC, and customers report some: look again."
                    if contradicted
                    else "",
                )
            )
    return found


def _contradicted(incident: Incident, team: str, said: Statement | None) -> datetime | None:
    at = incident.desk.contradicted.get(team)
    return at if at and said and said.at == at else None


def _recovery(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return that nobody has said yet whether customers see it working: who is there is asked, and support (M3)."""
    responder = incident.people.get(person)
    there = responder is not None and responder.acknowledged_at is not None and responder.off_at is None
    planned = incident.plan.people.get(person)
    asked = there or (planned is not None and SUPPORT in standing(incident, planned))
    if incident.phase != Phase.VERIFY or incident.clear_since is None or incident.recovered_for or not asked:
        return []
    message = ladder_messages.ConfirmRecovery(by=person, source=person, recovered=True)
    if _refusal(incident, recovery.confirm, message, now):
        return []
    return [
        Waiting(
            kind="recovery",
            since=incident.clear_since,
            by=incident.clear_since + incident.policy.verification_window,
            what="Do customers see it working again?",
            customers=targets(incident)[:LISTED],
        )
    ]


def _light_way(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return that a small event may be ended in one act, for whoever may do it (X0)."""
    said: dict[str, Message] = {reason: messages.Close(by=person, reason=reason) for reason in get_args(LightReason)}
    reasons, _ = _choices(incident, closing.close, said, now)
    if not reasons:
        return []
    return [
        Waiting(
            kind="close",
            since=incident.clear_since or incident.opened_at,
            what="Nothing is in alarm: if it is over, close it with a reason",
            verdicts=reasons,
        )
    ]


def _shift(incident: Incident, person: str, now: datetime) -> list[Waiting]:
    """Return that somebody's shift ends soon or has ended: they say in words what is open, or that they stay (C11)."""
    if incident.phase not in BEFORE_CLOSE or not engagement.is_there(incident, person):
        return []
    found = []
    for team in _teams(incident, person):
        relief = incident.reliefs.get(f"{team}/{person}")
        planned = incident.plan.teams.get(team)
        end = planned.until if planned and any(person in level for level in planned.levels) else None
        soon = end is not None and incident.shifts_told.get(team) == end
        if (relief and relief.stays) or not (soon or (relief and relief.since <= now)):
            continue
        message = messages.HandOff(by=person, team=team, text="what is open")
        if not _refusal(incident, handoff.hand_off, message, now):
            called = f"Called to take over: {', '.join(relief.followers)}" if relief and relief.followers else ""
            found.append(
                Waiting(
                    kind="shift",
                    since=relief.since if relief and relief.since <= now else now,
                    by=end if soon else None,
                    team=team,
                    what=f"Your shift for {team} {'ends soon' if soon else 'has ended'}: what is open?",
                    text=called or (relief.words if relief else ""),
                )
            )
    return found


def calls_for(incident: Incident, person: str) -> list[Call]:
    """Return the calls a person may join, the one they are wanted on first; a name begins with a small letter.

    A fork of their team's, unless they are the one who stays on the bridge (C5); the support call for who looks after
    customers (C6) and the service leader (E5); else the bridge (C1).
    """
    planned = incident.plan.people.get(person)
    held = standing(incident, planned) if planned else set()
    own = _teams(incident, person)
    forks = [
        Call(name=f"{fork.team}’s own call: {fork.topic}", call=calls.fork_name(fork.n), link=fork.link)
        for fork in incident.desk.open_forks
        if fork.team in own and fork.stays != person
    ]
    bridge = Call(name="the call", call=calls.TECH, link=calls.tech(incident))
    support = Call(name="the support call", call=calls.SUPPORT, link=calls.support(incident))
    desk = incident.desk
    cares = person in (desk.event_manager, desk.service_leader) or own == [incident.plan.support]
    if cares or (ACCOUNT in held and ENGAGED not in held):
        found = [*forks, support, bridge]
    elif held & {SUPPORT, INCIDENT_RESPONSE, LEADERS} and incident.plan.support in incident.engagements:
        found = [*forks, bridge, support]
    else:
        found = [*forks, bridge]
    return [call for n, call in enumerate(found) if call.link and call.place not in [c.place for c in found[:n]]]

"""Closing: the checklist, who should look back and why, and when it may be left (X0-X2, X4).

What is begun on the way is in `follow_up`.
"""

from datetime import datetime

from model import messages
from model.close import closing_messages
from model.close.checklist import ITEMS, Checked, Suggestion
from model.close.look_back import look_back
from model.close.next_days import say_plan
from model.effects import PlanRequest
from model.engage.moves import notify_detection
from model.engage.response import Commit, joined, not_over, still_open
from model.incident import Incident, Phase
from model.matter import Act, unique
from model.messages import Answer
from model.permissions import require
from model.phases import send_off
from model.text import Refused
from model.times import ago

IN_PLACE = ("validated", "in_force", "done", "withdrawn")
"""Statuses of a short-term item that is in place, or not wanted any more (X1)."""


def suggest(incident: Incident, now: datetime) -> None:
    """Look back: what is known for the checklist, and which post-mortems measurements and notes suggest (X3)."""
    # What was ticked for an end that was none is asked again: the recurrence that nobody expected is the example.
    incident.checked = [checked for checked in incident.checked if _counts(incident, checked)]
    if incident.big or incident.customers_hit:
        look_back(incident, now)
    found: dict[str, list[str]] = {}

    def add(team: str, reason: str) -> None:
        if team in incident.plan.teams and reason not in found.setdefault(team, []):
            found[team].append(reason)

    for team, row in incident.engagements.items():
        if row.exhausted_at:
            add(team, f"nobody could be reached for {ago(row.exhausted_at - row.called_at)}")
        elif row.acknowledged_at and row.acknowledged_at - row.called_at > incident.policy.acknowledged_late:
            add(team, f"acknowledged after {ago(row.acknowledged_at - row.called_at)}")
    for note in incident.notes:
        add(note.team, f"noted by {note.by}: {note.text}")
    by_customers = incident.detected_by in ("reports", "person")
    for team in incident.owners:
        if by_customers:
            add(team, f"detected by {incident.detected_by}, not by an alarm")
        if incident.customers_hit:
            add(team, f"customers were hit: {incident.customers_hit}")
    for proposal in incident.proposals:
        if proposal.kind == "roll_back" and proposal.verified_at and proposal.status == "executed":
            add(proposal.team, f"rolling back {proposal.target} removed the impact")
    for tenet in incident.broken_tenets:
        for team in incident.owners[:1]:
            add(team, f"the tenet {tenet} was broken")
    for team, reasons in found.items():
        known = next((s for s in incident.suggestions if s.team == team), None)
        if known is None:
            always = team in incident.owners and incident.detected_by == "reports"
            incident.suggestions.append(Suggestion(team=team, reasons=reasons, always=always))
            incident.say("coe_suggested", f"{team}: {'; '.join(reasons)}", now=now)
        else:
            known.reasons = unique([*known.reasons, *reasons])


def check(act: Act[Incident]) -> Commit:
    """Tick items of the checklist; an item whose ground is missing is refused with it."""
    message = act.message
    assert isinstance(message, closing_messages.Check)
    incident = act.matter
    not_over(incident)
    require(act, "check")
    if incident.phase not in (Phase.VERIFY, Phase.CLOSE, Phase.REFLECT):
        raise Refused(f"the checklist is for closing; this is {incident.phase}: first the alarms must be clear")
    if message.services and "hypotheses" not in message.done:
        raise Refused("`services` are those to dive into: name them together with `hypotheses` in `done`")
    if "short-term-fixes" in message.done and (late := _not_in_place(incident)):
        raise Refused(f"short-term items not in place yet: {', '.join(late)}")
    if "postmortems-assigned" in message.done and (waiting := _unanswered(incident)):
        raise Refused(f"`assign_coe`, or decline with a reason, for: {', '.join(waiting)}")

    def commit() -> Answer:
        joined(act)
        for item in message.done:
            services = message.services if item == "hypotheses" else []
            ticked = Checked(item=item, at=act.now, by=act.by, note=message.note, services=services)
            known = next((c for c in incident.checked if c.item == item and _counts(incident, c)), None)
            if known is None:
                incident.checked = [*(c for c in incident.checked if c.item != item), ticked]
            else:
                known.services = unique([*known.services, *services])
        strangers = [service for service in message.services if service not in incident.plan.services]
        if strangers:
            incident.owe(PlanRequest(services=strangers, at=act.now), now=act.now)
        dive = f"; dive into {', '.join(message.services)}" if message.services else ""
        act.say("checked", f"{', '.join(message.done)}{': ' + message.note if message.note else ''}{dive}")
        missing = still_missing(incident)
        return act.answer(f"still to do: {', '.join(missing)}" if missing else "the checklist is complete: `close`")

    return commit


def still_missing(incident: Incident) -> list[str]:
    """Return the checklist items that are not done."""
    done = {checked.item for checked in incident.checked if _counts(incident, checked)}
    return [item for item in ITEMS if item not in done]


def _counts(incident: Incident, checked: Checked) -> bool:
    """Whether an item was ticked for this end, not for an earlier one that did not hold."""
    return incident.clear_since is not None and checked.at >= incident.clear_since


def _not_in_place(incident: Incident) -> list[str]:
    return [
        f"{item.n} {item.title} ({item.status})"
        for item in incident.items.values()
        if item.kind == "action" and item.horizon == "short" and item.status not in IN_PLACE
    ]


def _unanswered(incident: Incident) -> list[str]:
    return [suggestion.team for suggestion in incident.suggestions if not suggestion.answer]


def may_close(incident: Incident) -> None:
    """Let an incident be closed whose checklist is complete.

    Raises:
        Refused: Something is missing; all of it is named.
    """
    missing = still_missing(incident)
    late = _not_in_place(incident)
    waiting = _unanswered(incident)
    why = []
    if missing:
        why.append(f"`check` {', '.join(missing)}")
    if late:
        why.append(f"short-term items in place: {', '.join(late)}")
    if waiting:
        why.append(f"`assign_coe` or decline for {', '.join(waiting)}")
    if why:
        raise Refused(f"before it is closed: {'; '.join(why)}")


def close(act: Act[Incident]) -> Commit:
    """Leave: by the light way with a reason (X0), or from the phase `close`."""
    message = act.message
    assert isinstance(message, messages.Close)
    still_open(act.matter)
    require(act, "close")
    incident = act.matter
    if message.reason is not None or incident.phase != Phase.CLOSE:
        _light_way(incident, message)
    else:
        may_close(incident)

    def commit() -> Answer:
        joined(act)
        incident.closed_at = act.now
        incident.close_reason = message.reason or ""
        act.say("closed", " ".join(word for word in (message.reason, message.text) if word) or "closed")
        for team, row in incident.engagements.items():
            if not row.released_at:
                send_off(incident, team, "closed", act.now)
        incident.phase = Phase.REFLECT
        incident.say("phase", Phase.REFLECT.value, now=act.now)
        say_plan(incident, act.now)
        notify_detection(incident, act.now)
        within = incident.policy.reopen_within
        return act.answer(f"closed; an alarm within {int(within.total_seconds() // 60)} min reopens it")

    return commit


def _light_way(incident: Incident, message: messages.Close) -> None:
    why = []
    if incident.big:
        why.append("it is a full response")
    if incident.customers_hit:
        why.append(f"customers are hit ({incident.customers_hit})")
    if incident.in_alarm:
        why.append("in alarm: " + ", ".join(f"{fact.service} {fact.alarm}" for fact in incident.in_alarm[:5]))
    if why:
        raise Refused(f"not the light way out, because {'; '.join(why)}. It can be closed in phase close")
    if message.reason is None:
        raise Refused(
            "say why in `reason`: false_alarm, no_impact, duplicate or self_recovered "
            f"(without a reason an incident is closed in phase close, this is {incident.phase})"
        )

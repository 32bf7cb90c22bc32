"""What the Temporal Web UI shows of a process: where are we, what waits for whom, what do I send (design §3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from model.close.checklist import ITEMS
from model.detect.partition import Detection
from model.engage.engagement import members, pages_by_team
from model.incident import CALL_LEADERS, Engagement, Incident, Paged, Phase
from model.matter import unique
from model.mitigate.proposals import Proposal
from model.text import escape
from model.times import ago

IN_FULL = 3
"""Needs shown in full; the rest is a line (design §3)."""
LAST_LINES = 6
"""Timeline lines shown."""


def awaited(incident: Incident) -> list[str]:
    """Return for whom the incident waits, each once."""
    if incident.phase == Phase.ABSORBED:
        return []
    return unique(who for need in needs(incident) for who in need.who.split(", "))


def incident_details(incident: Incident, now: datetime) -> str:
    """Return an incident's page in Markdown."""
    if incident.phase == Phase.ABSORBED:
        into = incident.absorbed_into
        return f"# {incident.id} is now part of {into}\n\n[Open {into}](/namespaces/{{namespace}}/workflows/{into})"
    parts = [_where(incident, now), _last(incident), _behind(incident), _needs(incident, now)]
    return "\n\n".join(part for part in parts if part)


def _where(incident: Incident, now: datetime) -> str:
    kind = "full response" if incident.big else "single-service event"
    test = "TEST, " if incident.test else ""
    lines = [
        f"# {test}SEV{incident.severity} {escape(incident.title)[:200]}",
        f"**{incident.phase}**, {kind}, open for {ago(now - incident.opened_at)}, as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        f"- services: {escape(', '.join(incident.services)) or 'none named'}; "
        f"regions: {escape(', '.join(incident.regions)) or 'none named'}",
        f"- in alarm: {_in_alarm(incident)}",
        f"- customers hit: {escape(incident.customers_hit) or 'unknown'}; lead: {incident.leader or 'nobody yet'}",
        *(f"- suspected, no verdict: {escape(found.why)}" for found in incident.suspected[:1]),
        *_desk(incident),
    ]
    if incident.all_clear_at and incident.closed_at:
        until = incident.closed_at + incident.policy.reopen_within
        lines.append(f"- all clear since {incident.all_clear_at:%H:%M}; an alarm before {until:%H:%M} reopens it")
    return "\n".join(lines)


def _desk(incident: Incident) -> list[str]:
    """Return the desk's lines where there are any: who runs it, when customers hear, which forks are open."""
    desk = incident.desk
    lines = []
    if desk.event_manager or desk.last_at:
        told = f"customers told at {desk.last_at:%H:%M}" if desk.last_at else "customers told nothing yet"
        following = f", again by {desk.next_at:%H:%M}" if desk.next_at else ""
        leader = f" with {desk.service_leader}" if desk.service_leader else ""
        lines.append(f"- support call: {desk.event_manager or 'nobody yet'}{leader}; {told}{following}")
    if desk.open_forks:
        forks = [f"{fork.n} {fork.team}: {fork.topic} ({fork.stays} stays)" for fork in desk.open_forks]
        lines.append(f"- forks: {escape('; '.join(forks))}")
    return lines


def _in_alarm(incident: Incident) -> str:
    firing = [f"{f.service} {f.metric or f.alarm} ({f.region}) since {f.since:%H:%M}" for f in incident.in_alarm]
    if not firing:
        since = f" since {incident.clear_since:%H:%M}" if incident.clear_since else ""
        return f"nothing{since}"
    more = f" and {len(firing) - 6} more" if len(firing) > 6 else ""
    return escape("; ".join(firing[:6])) + more


@dataclass(frozen=True)
class Need:
    """Something that waits for somebody: since when, for whom, and what to send."""

    since: datetime
    who: str
    what: str
    update: str
    example: Mapping[str, object]


def needs(incident: Incident) -> list[Need]:
    """Return what waits for people, the newest first."""
    found = [_to_decide(incident, proposal) for proposal in incident.proposals if proposal.status == "waiting"]
    found += _to_send(incident)
    found += _to_tell_customers(incident)
    if incident.phase == Phase.CLOSE:
        found += _to_close(incident)
    elif not incident.closed_at:
        found += [*_to_acknowledge(incident), *_to_take_over(incident)]
    return sorted(found, key=lambda need: need.since, reverse=True)


def _to_acknowledge(incident: Incident) -> list[Need]:
    """Return the teams that are called; in words only those that are shown in full, for there may be hundreds."""
    rows = sorted((row for row in incident.engagements.values() if row.open), key=lambda row: row.called_at)
    newest = rows[-IN_FULL:]
    pages = pages_by_team(incident)
    told = [
        Need(
            row.called_at,
            row.team,
            _page_state(row, pages.get(row.team, [])),
            "acknowledge",
            _acknowledge(incident, row),
        )
        for row in newest
    ]
    return told + [Need(row.called_at, row.team, "acknowledge", "acknowledge", {}) for row in rows[:-IN_FULL]]


def _to_take_over(incident: Incident) -> list[Need]:
    """Return who is called to relieve somebody."""
    return [
        Need(
            relief.called_at or relief.since,
            ", ".join(relief.followers),
            f"take over {relief.team} from {relief.person}: acknowledge",
            "acknowledge",
            {"by": relief.followers[0]},
        )
        for relief in incident.reliefs.values()
        if relief.followers and not relief.stays
    ]


def _to_decide(incident: Incident, proposal: Proposal) -> Need:
    who = proposal.team or incident.plan.incident_response
    people = members(incident, who) if who in incident.plan.teams else []
    example = {"by": people[0] if people else "your id", "proposal": proposal.n, "verdict": "approve"}
    resort = " (last resort: a second person)" if proposal.last_resort else ""
    what = f"decide {proposal.n}: {proposal.kind} {escape(proposal.target)}{resort}: {escape(proposal.why)}"
    return Need(proposal.proposed_at, who, what, "decide", example)


def _to_send(incident: Incident) -> list[Need]:
    """Return the draft that waits, where somebody is called who answers for it; else it is an offer, not a need."""
    draft = incident.desk.waiting
    support = incident.plan.support if incident.plan.support in incident.plan.teams else incident.plan.incident_response
    if draft is None or support not in incident.engagements:
        return []
    people = members(incident, support) if support in incident.plan.teams else []
    goes = f", goes at {draft.goes_at:%H:%M} unless held" if draft.goes_at else ""
    said = f": {escape(draft.text.external)[:300]}" if draft.text else ""
    example = {"by": people[0] if people else "your id", "draft": draft.n, "verdict": "send"}
    return [Need(draft.at, support, f"send or hold draft {draft.n} for customers{goes}{said}", "notify", example)]


def _to_tell_customers(incident: Incident) -> list[Need]:
    """Return the promises that move: customers hear before their day (R10)."""
    support = incident.plan.support if incident.plan.support in incident.plan.teams else incident.plan.incident_response
    people = members(incident, support) if support in incident.plan.teams else []
    example = {"by": people[0] if people else "your id", "audience": "external"}
    return [
        Need(
            incident.closed_at or incident.opened_at,
            support,
            f"tell customers before {item.customer_message_due:%Y-%m-%d} that promise {item.n} moves:"
            f" {escape(item.title)}",
            "notify",
            {**example, "actions": [item.n]},
        )
        for item in incident.items.values()
        if item.customer_message_due
    ]


def _to_close(incident: Incident) -> list[Need]:
    since = incident.looked_back_at or incident.opened_at
    who = ", ".join(incident.owners or [incident.plan.incident_response])
    by = "your id"
    if not incident.big and not incident.customers_hit:
        return [Need(since, who, "close it with a reason", "close", {"by": by, "reason": "self_recovered"})]
    done = {checked.item for checked in incident.checked}
    missing = [item for item in ITEMS if item not in done]
    found = [
        Need(
            since,
            suggestion.team,
            f"a COE is suggested: {escape('; '.join(suggestion.reasons))}",
            "assign_coe",
            {"by": by, "team": suggestion.team, "author": (members(incident, suggestion.team) or [by])[0]},
        )
        for suggestion in incident.suggestions
        if not suggestion.answer and suggestion.team in incident.plan.teams
    ]
    if missing:
        found.append(Need(since, who, f"the checklist: {', '.join(missing)}", "check", {"by": by, "done": missing}))
    else:
        found.append(Need(since, who, "close it", "close", {"by": by}))
    return found


def _needs(incident: Incident, now: datetime) -> str:
    found = needs(incident)
    if not found:
        return "## Nothing waits for anybody"
    parts = ["## Waiting"]
    parts += [f"**{need.who}**, since {ago(now - need.since)}: {need.what}" for need in found[:IN_FULL]]
    if len(found) > IN_FULL:
        parts.append("And for " + ", ".join(need.who for need in found[IN_FULL:][:30]) + ".")
    shown: list[str] = []
    for need in found[:IN_FULL]:
        if need.update not in shown:
            shown.append(need.update)
            parts.append(f"Send the update `{need.update}`, in your own name:\n\n{_json(need.example)}")
    return "\n\n".join(parts)


def _page_state(row: Engagement, pages: Sequence[tuple[str, Paged]]) -> str:
    channels: dict[str, list[str]] = {}
    for person, paged in pages:
        if paged.confirmed:
            channels.setdefault(person, []).append(paged.channel)
    told = [f"{person} ({', '.join(used)})" for person, used in channels.items()]
    state = "**nobody could be reached**; " if row.exhausted_at else ""
    heard = f"paged: {', '.join(told[:6])}" if told else "nobody paged yet"
    return f"acknowledge. {state}{heard}. {escape(row.reason)}"


def _acknowledge(incident: Incident, row: Engagement) -> dict[str, str]:
    known = members(incident, row.team) if row.team in incident.plan.teams or row.team == CALL_LEADERS else []
    return {"by": known[0] if known else "your id"}


def _json(example: Mapping[str, object]) -> str:
    return f"```json\n{json.dumps(example, ensure_ascii=False)}\n```"


def _last(incident: Incident) -> str:
    entries = incident.timeline[-LAST_LINES:]
    if not entries:
        return ""
    rows = [f"| {e.at:%H:%M:%S} | {escape(e.by)} | {e.what} | {escape(e.text)[:160]} |" for e in reversed(entries)]
    return "## Last\n\n| UTC | who | what | |\n|---|---|---|---|\n" + "\n".join(rows)


def _behind(incident: Incident) -> str:
    lines = []
    if incident.record_error:
        lines.append(f"- the record is {len(incident.unrecorded)} lines behind: {escape(incident.record_error)}")
    if incident.ticket_error:
        lines.append(f"- {escape(incident.ticket_error)}")
    lines += [
        f"- {owed.order.lane} waits since {owed.since:%H:%M}: {escape(owed.error)}"
        for owed in incident.owed.values()
        if owed.tries
    ][:5]
    return "## Behind\n\n" + "\n".join(lines) if lines else ""


def detection_details(state: Detection, now: datetime) -> str:
    """Return a partition's page in Markdown."""
    firing = list(state.alarms.values())
    known = [k for k in state.incidents.values() if not k.ended]
    lines = [
        f"# Detection: {escape(state.partition)}",
        f"{len(firing)} in alarm, {len(known)} incidents open, as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        *[
            f"- [{k.id}](/namespaces/{{namespace}}/workflows/{k.id}) {k.phase}: {escape(', '.join(k.services))}"
            for k in known[-20:]
        ],
    ]
    for w in firing[-20:]:
        notes = [*(["silenced"] if w.silenced else []), *(["flapping"] if w.fact.flapping else [])]
        aside = f" ({', '.join(notes)})" if notes else ""
        lines.append(f"- {escape(w.fact.key)} since {w.fact.since:%H:%M}{aside}")
    lines += [f"- {escape(where)}: {len(members)} more alarms, kept as one" for where, members in state.crowds.items()]
    if state.unreadable:
        lines += ["", "## Could not be read", ""]
        lines += [f"- {u.at:%H:%M:%S} {escape(u.name)}: {escape(u.why)[:200]}" for u in state.unreadable[-5:]]
    return "\n".join(lines)

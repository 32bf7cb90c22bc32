"""From a draft to a message: whom it concerns, what it says and promises, when it counts as told (C8, C9, §6.6).

Every text for customers goes one way: facts that are safe → a template → the names check → `ExternalText` → the
order that brings it. What a person writes goes the same way, as a part of the facts.
"""

from datetime import datetime

from model.coordinate import briefing
from model.coordinate.audience import desk_team, impacted, interval, names, stage, targets, whom
from model.coordinate.desk import DRAFTS_KEPT, Draft, Stage
from model.coordinate.wording import (
    ExternalFacts,
    ExternalKind,
    ExternalText,
    InternalFacts,
    clock,
    from_template,
    heading,
)
from model.effects import Compose, Notice, Outcome, Publication
from model.engage import engagement
from model.engage.moves import signal
from model.incident import Incident, Phase, Sent
from model.matter import SYSTEM, unique
from model.text import Refused

BUDGET = 400_000
"""Characters of messages an incident carries; the record has all of them as lines of the timeline."""


def draft(
    incident: Incident, kind: ExternalKind, now: datetime, goes_at: datetime | None, *, by_clock: bool = False
) -> Draft:
    """Put a draft before support; it takes the place of the one that waited."""
    if incident.desk.waiting:
        incident.desk.waiting.status = "dropped"
    made = _new(incident, Draft(kind=kind, at=now, to=targets(incident), goes_at=goes_at, clock=by_clock))
    if not made.to:
        when = "the catalogue names no customer of it: name some, or put it on the public page"
    elif goes_at is None:
        when = "it takes a person"
    elif kind == "first":
        when = f"goes at {clock(goes_at, now)} unless held, once support or incident response has acknowledged"
    else:
        when = f"goes at {clock(goes_at, now)} unless held"
    incident.say("draft_waiting", f"draft {made.n} ({kind}) for {whom(made.to)}: {when}", now=now)
    next_at = (goes_at or now) + interval(incident, goes_at or now)
    _compose(incident, made, external_facts(incident, kind, now, next_at), now, final=False)
    return made


def _new(incident: Incident, made: Draft) -> Draft:
    desk = incident.desk
    for old in desk.drafts:
        # The state stays small: whom a message went to is in the message.
        old.to = old.to if old.status in ("waiting", "going", "blocked") else []
    made.n = desk.next_draft
    desk.next_draft += 1
    desk.drafts = [*desk.drafts, made][-DRAFTS_KEPT:]
    return made


def _compose(incident: Incident, made: Draft, facts: ExternalFacts, now: datetime, *, final: bool) -> None:
    order = Compose(incident=incident.id, facts=facts, draft=made.n, final=final, at=now)
    incident.owe(order, now=now, key=f"{incident.id}/compose/{made.n}/{'final' if final else 'draft'}")


def drop(incident: Incident, why: str, now: datetime) -> None:
    """Take back the draft that waits."""
    waiting = incident.desk.waiting
    if waiting:
        waiting.status = "dropped"
        incident.say("held", f"draft {waiting.n} is dropped: {why}", now=now)


def send(incident: Incident, made: Draft, now: datetime, *, only: list[str] | None = None) -> Draft:
    """Let a message go: from now on its promise counts. Account teams hear first (C6).

    Args:
        incident: Whose desk sends.
        made: A waiting draft, or a new one.
        now: The moment.
        only: To some customers; without it to everybody concerned, and the clock begins anew.
    """
    desk = incident.desk
    if not made.n:
        _new(incident, made)
    made.status = "going"
    made.to = targets(incident) if only is None else only
    briefing.heads_up(incident, now)
    promised = _promise(incident, made.kind, now, anew=only is None)
    if only is None:
        desk.first_at = desk.first_at or now
        desk.last_at, desk.said, desk.held_at = now, _said(incident, made.kind), ""
    desk.next_at = promised
    if made.by:
        desk.unattended, desk.rounds, desk.asked_for = 0, 0, None
    said_next = None if made.kind == "narrowed" else promised
    facts = external_facts(incident, made.kind, now, said_next)
    said = {field: getattr(made, field) for field in ("words", "seeing", "workaround", "takes")}
    facts = facts.model_copy(update={field: text for field, text in said.items() if text} | {"moved": made.moved})
    _compose(incident, made, facts, now, final=True)
    return made


def _said(incident: Incident, kind: ExternalKind) -> Stage:
    told: dict[ExternalKind, Stage] = {
        "first": "wrong",
        "again": "wrong",
        "mitigated": "mitigated",
        "resolved": "resolved",
    }
    return told.get(kind, stage(incident))


def _promise(incident: Incident, kind: ExternalKind, now: datetime, *, anew: bool) -> datetime | None:
    """Return when the next message comes; one to some customers keeps what was promised to all."""
    standing = incident.desk.next_at
    if not anew and (standing is None or standing > now):
        return standing
    over = kind == "resolved" or stage(incident) == "resolved"
    return None if over else now + interval(incident, now)


def external_facts(incident: Incident, kind: ExternalKind, now: datetime, next_at: datetime | None) -> ExternalFacts:
    """Return what customers may know: names they know, regions the catalogue knows, times, reviewed words."""
    desk, public = incident.desk, names(incident)
    services = [incident.plan.services[s] for s in impacted(incident) if s in incident.plan.services]
    planned = {region for service in incident.plan.services.values() if service.known for region in service.regions}
    over = stage(incident) != "wrong"
    clear = incident.mitigated_at or incident.clear_since
    began = min((fact.since for fact in incident.alarms.values()), default=incident.opened_at)
    return ExternalFacts(
        kind=kind,
        at=now,
        services=unique(s.customer_name for s in services),
        regions=[r for r in incident.regions if r in planned and r != "global" and not public.found(r)],
        since=min(began, incident.opened_at),
        hit=bool(incident.customers_hit),
        clear_since=clear if over and ("mitigated" in (kind, desk.said) or kind == "resolved") else None,
        last_at=desk.last_at,
        next_at=next_at,
        account_by=_account_by(incident) if next_at is None else None,
        seeing=None if over else desk.seeing,
        workaround=None if over else desk.workaround,
    )


def _account_by(incident: Incident) -> datetime | None:
    """Return by when the account of the causes is promised: it is owed where customers were hit (R7)."""
    mitigated = incident.first_mitigated_at or incident.mitigated_at
    return mitigated + incident.policy.rca_due if mitigated and incident.customers_hit else None


def composed(incident: Incident, order: Compose, text: str, now: datetime) -> None:
    """Take in what a template made."""
    if incident.phase == Phase.ABSORBED:
        return
    if isinstance(order.facts, InternalFacts):
        briefing.composed(incident, order, text)
        return
    made = incident.desk.draft(order.draft)
    if made is None or made.status not in (("going",) if order.final else ("waiting",)):
        return
    try:
        made.text = from_template(text, names(incident), order.facts.kind)
    except Refused as refused:
        _blocked(incident, made, str(refused), now)
        return
    if order.final:
        _go(incident, made, order.facts, made.text, now)
    else:
        _show(incident, made, made.text, now)


def _blocked(incident: Incident, made: Draft, why: str, now: datetime) -> None:
    made.status = "blocked"
    incident.say("refused", f"draft {made.n} cannot go: {why}", now=now)
    text = f"{incident.id}: customers were told nothing by draft {made.n}, it is for you to write: {why}."
    engagement.tell(incident, [desk_team(incident)], text, now)


def _show(incident: Incident, made: Draft, text: ExternalText, now: datetime) -> None:
    """Bring a draft to support, with what to send and what would make it deeper."""
    desk = incident.desk
    known = {"what customers see": desk.seeing, "a workaround": desk.workaround, "how long the next steps take": None}
    missing = ", ".join(point for point, said in known.items() if not said)
    entry = next((e.text for e in reversed(incident.timeline) if e.what == "draft_waiting"), "")
    deeper = f"\nSay more than last time, if you can: what is happening, {missing}."
    lines = (
        f"{incident.id}: {entry}\n\n{text.external}\n\n"
        f'Send the update notify with {{"draft": {made.n}, "verdict": "send"}} or "hold", or say it in your own words: '
        f'{{"audience": "external", "text": "…"}}.{deeper}'
    )
    engagement.tell(incident, [desk_team(incident)], lines, now)


def _go(incident: Incident, made: Draft, facts: ExternalFacts, text: ExternalText, now: datetime) -> None:
    """Owe the message: to the customers, and to the public page where a person asked for it."""
    desk = incident.desk
    made.status = "sent"
    if made.kind == "narrowed":
        let_go = set(made.to)
        desk.told = [customer for customer in desk.told if customer not in let_go]
    else:
        desk.told = unique([*desk.told, *made.to])
    if made.to:
        notice = Notice(
            incident=incident.id,
            draft=made.n,
            to=made.to,
            services=impacted(incident),
            text=text,
            by=made.by,
            at=facts.at,
            test=incident.test,
        )
        incident.owe(notice, now=now, key=f"{incident.id}/notice/{made.n}")
    if made.public:
        entry = Publication(
            incident=incident.id,
            draft=made.n,
            about=heading(facts.services, names(incident)),
            services=facts.services,
            text=text,
            status=_said(incident, made.kind),
            by=made.by,
            at=facts.at,
            test=incident.test,
        )
        incident.owe(entry, now=now, key=f"{incident.id}/publish/{made.n}")


def noticed(incident: Incident, order: Notice, outcome: Outcome, now: datetime) -> Outcome:
    """Take in whom a message reached; who is left is tried again, who is lost is said.

    Returns:
        The outcome for those who are left.
    """
    untold = order.to if not outcome.ok and not outcome.left and not outcome.lost else []
    left = outcome.left or (untold if outcome.again else [])
    lost = outcome.lost or ([] if outcome.again else untold)
    unreached = {*left, *lost}
    reached = [customer for customer in order.to if customer not in unreached]
    if reached:
        _sent(incident, order, reached)
        _promises_told(incident, order.draft, now)
    if lost:
        text = f"{whom(lost)} cannot be told: {outcome.reason}"
        incident.say("fallback", text, now=now)
        engagement.tell(incident, [desk_team(incident)], f"{incident.id}: {text}.", now)
    order.to = left or order.to
    return outcome.model_copy(update={"ok": not left, "again": True})


def _promises_told(incident: Incident, number: int, now: datetime) -> None:
    """Let the action items know whose moved promise customers have read; who is left is tried again (R10)."""
    made = incident.desk.draft(number)
    for moved in made.moved if made else []:
        told = {"due": moved.due.isoformat() if moved.due else None}
        signal(incident, f"{incident.id}/action/{moved.item}", "customers_told", told, now)
    if made:
        made.moved = []


def published(incident: Incident, order: Publication) -> None:
    """Take in that the public page shows it."""
    _sent(incident, order, ["public"])


def _sent(incident: Incident, order: Notice | Publication, to: list[str]) -> None:
    made = incident.desk.draft(order.draft)
    claimed = made is not None and made.claimed
    text = f"{whom(to)}: {order.text.external}"
    incident.say("notified", text, now=order.at, by=order.by or SYSTEM, claimed=claimed)
    known = next((m for m in incident.messages if _same(m, order) and "public" not in (*m.to, *to)), None)
    if known:
        known.to = [*known.to, *to]
    else:
        keep(incident, Sent(at=order.at, audience="external", to=to, text=order.text.external))


def _same(message: Sent, order: Notice | Publication) -> bool:
    return (message.at, message.audience, message.text) == (order.at, "external", order.text.external)


def keep(incident: Incident, message: Sent) -> None:
    """Add a message; the oldest internal ones leave first when there are too many."""
    incident.messages.append(message)
    spare = sum(_size(m) for m in incident.messages) - BUDGET
    for audience in ("internal", "external"):
        for old in [m for m in incident.messages[:-1] if m.audience == audience]:
            if spare <= 0:
                return
            incident.messages.remove(old)
            spare -= _size(old)


def _size(message: Sent) -> int:
    return len(message.text) + sum(len(name) + 3 for name in message.to) + 80

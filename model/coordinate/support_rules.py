"""What people tell the support desk: cases, questions, feelings; and what they let out (C6-C10)."""

from model.close.items import Item
from model.coordinate import briefing, desk_messages, drafts, statements
from model.coordinate.audience import desk_team, hit, interval, latest, names, stage, targets, whom
from model.coordinate.desk import FEELINGS_KEPT, QUESTIONS_KEPT, Draft, Feeling, Question
from model.coordinate.wording import ExternalText, Moved, clock, refuse_internal, reviewed
from model.engage import engagement
from model.engage.response import Commit, joined, not_over
from model.incident import Incident
from model.matter import Act, unique
from model.messages import Answer
from model.permissions import require
from model.text import Refused

PREFIX = "notify "
"""Telling outside and telling inside are two rights."""


def relate(act: Act[Incident]) -> Commit:
    """Count a customer's case as a contact about this event."""
    message = act.message
    assert isinstance(message, desk_messages.Relate)
    not_over(act.matter)
    require(act, "relate")
    customer = _customer(act.matter, message.customer)
    service = message.service or _reported_for(act.matter, message.case)

    def commit() -> Answer:
        _here(act)
        incident = act.matter
        new = incident.desk.heard_of(customer, message.case, 1, act.at)
        said = f"{customer}, case {message.case}{': ' + message.text if message.text else ''}"
        if new:
            act.say("related", said)
        for name in [service] if service else _only_denied(incident, customer):
            statements.compare(incident, name, said, act.now)
        known = incident.desk.contacts.get(customer)
        count = known.count if known else 1
        return act.answer(f"{customer}: {count} contact{'s' if count > 1 else ''}{'' if new else ', this one known'}")

    return commit


def _here(act: Act[Incident]) -> None:
    if not act.matter.closed_at:
        joined(act)


def _customer(incident: Incident, given: str) -> str:
    """Return a customer's id as the catalogue writes it; one it does not know stays as it was typed."""
    planned = [customer for customers in incident.plan.customers_of.values() for customer in customers]
    known = {customer.casefold(): customer for customer in [*planned, *incident.desk.contacts]}
    return known.get(given.casefold(), given)


def _reported_for(incident: Incident, case: str) -> str:
    return next((report.service for report in incident.reports if report.case == case), "")


def _only_denied(incident: Incident, customer: str) -> list[str]:
    """Return a case's services where it says none: the customer's, if every one of them is said not to be impacted."""
    used = [s for s in incident.services if customer in incident.plan.customers_of.get(s, [])]
    owners = unique(incident.plan.services[s].team for s in used if s in incident.plan.services)
    said = [latest(incident, team) for team in owners]
    return used[:1] if said and all(s is not None and s.impacted == "no" for s in said) else []


def inquire(act: Act[Incident]) -> Commit:
    """Take in what a customer asks; asked again it counts, answered it is answered for everybody."""
    message = act.message
    assert isinstance(message, desk_messages.Inquire)
    not_over(act.matter)
    require(act, "inquire")
    answer = None
    if message.answer:
        require(act, f"{PREFIX}external")
        answer = reviewed(message.answer, names(act.matter), act.by)
    elif not message.customer:
        raise Refused(f"say in `customer` who asks: {message.example_json()}")

    def commit() -> Answer:
        _here(act)
        desk = act.matter.desk
        known = desk.question(message.text)
        if known is None:
            known = Question(text=message.text, first_at=act.at, last_at=act.at)
            spare = sorted(desk.questions, key=lambda q: -q.count)[: QUESTIONS_KEPT - 1]
            desk.questions = [*(q for q in desk.questions if q in spare), known]
        if message.customer:
            known.count += 1
            known.last_at = max(known.last_at, act.at)
            known.customers = unique([*known.customers, _customer(act.matter, message.customer)])[-50:]
        known.answer = answer or known.answer
        tail = f" → {known.answer.external}" if known.answer else ""
        act.say("inquiry", f"{message.customer or 'FAQ'}: {known.text}{tail}")
        asked = f"asked {known.count} ×"
        return act.answer(
            f"{asked}; the answer: {known.answer.external}" if known.answer else f"{asked}, no answer yet"
        )

    return commit


def sentiment(act: Act[Incident]) -> Commit:
    """Take in how customers say it goes, and compare it with what we measure."""
    message = act.message
    assert isinstance(message, desk_messages.Sentiment)
    not_over(act.matter)
    require(act, "sentiment")

    def commit() -> Answer:
        _here(act)
        incident = act.matter
        felt = Feeling(at=act.at, by=act.by, tendency=message.tendency, text=message.text, source=message.source)
        incident.desk.feelings = [*incident.desk.feelings, felt][-FEELINGS_KEPT:]
        source = f" ({message.source})" if message.source else ""
        act.say("sentiment", f"{message.tendency}{source}: {message.text}")
        if message.tendency == "worse" and stage(incident) != "wrong":
            text = f"customers say it is getting worse while nothing is in alarm: {message.text}"
            incident.say("observed", f"correlation: {text}", now=act.now)
            engagement.tell(incident, [incident.plan.incident_response], f"{incident.id}: {text}", act.now)
        return act.answer(f"customers: {message.tendency}")

    return commit


def notify(act: Act[Incident]) -> Commit:
    """Tell an audience, or decide about a waiting draft. Telling customers is the review (design §3)."""
    message = act.message
    assert isinstance(message, desk_messages.Notify)
    not_over(act.matter)
    if message.audience == "internal":
        return _internal(act, message)
    if message.actions and (message.correction or message.draft or message.verdict):
        raise Refused("a moved promise is a message of its own: leave `correction`, `draft` and `verdict` out")
    if message.actions:
        return _external(act, message, None)
    if not message.correction and (message.draft or message.verdict or not message.text):
        return _decide(act, message)
    if message.audience is None and not (message.correction or message.public):
        raise Refused("say in `audience` who reads it: internal (account teams) or external (customers)")
    return _external(act, message, None)


def _internal(act: Act[Incident], message: desk_messages.Notify) -> Commit:
    require(act, f"{PREFIX}internal")
    if not message.text:
        raise Refused(f"say it in `text`: {message.example_json()}")
    if message.customers or message.public or message.correction:
        raise Refused(
            "`customers`, `public` and `correction` are for customers: say audience external, or leave them out"
        )

    def commit() -> Answer:
        _here(act)
        people = briefing.account_people(act.matter)
        text = f"{act.matter.id}, internal, from {act.by}: {message.text}"
        heard = unique([*people, *engagement.audience(act.matter, desk_team(act.matter))])
        to = [briefing.ACCOUNT_TEAMS] if people else []
        engagement.tell(act.matter, [*to, desk_team(act.matter)], text, act.now, people=heard)
        return act.answer(f"told, in the house: {', '.join(heard) or 'nobody with a contact'}")

    return commit


def _decide(act: Act[Incident], message: desk_messages.Notify) -> Commit:
    """Send or hold a draft: the one named, or the only one that waits."""
    require(act, f"{PREFIX}external")
    desk = act.matter.desk
    draft = desk.draft(message.draft) if message.draft else desk.waiting
    if draft is None:
        which = f"draft {message.draft}" if message.draft else "no draft"
        raise Refused(f"{which} waits; tell customers in your own words: {message.example_json()}")
    held = draft.status == "held" and message.verdict != "hold"
    if draft.status != "waiting" and not held:
        raise Refused(f"draft {draft.n} is {draft.status}; {_next_said(act.matter)}")
    return _hold(act, draft, message.text) if message.verdict == "hold" else _external(act, message, draft)


def _next_said(incident: Incident) -> str:
    promised = incident.desk.next_at
    return f"customers hear again by {promised:%H:%M} UTC" if promised else "no further message is promised"


def _hold(act: Act[Incident], draft: Draft, why: str) -> Commit:
    def commit() -> Answer:
        _here(act)
        incident, desk = act.matter, act.matter.desk
        draft.status, draft.by, draft.claimed = "held", act.by, act.claimed
        promised = desk.next_at
        desk.rounds, desk.asked_for, desk.answered_at = 0, None, act.now
        if draft.clock:
            # Somebody is there and has decided: they are asked again in the next round, and nobody else is woken.
            desk.next_at = act.now + interval(incident, act.now)
        elif desk.first_at:
            desk.held_at = stage(incident)
        act.say("held", f"draft {draft.n} ({draft.kind}){': ' + why if why else ''}")
        was = f"; customers were promised one by {clock(promised, act.now)}: it is for you to write" if promised else ""
        return act.answer(f"draft {draft.n} is held{was}")

    return commit


def _external(act: Act[Incident], message: desk_messages.Notify, draft: Draft | None) -> Commit:
    """Let a message go to customers, after everything in it was checked."""
    require(act, f"{PREFIX}external")
    incident = act.matter
    said = _reviewed(act, message)
    if message.correction and not message.text:
        raise Refused("say in `text` what is right")
    if message.correction and not incident.desk.told:
        raise Refused("customers were told nothing yet, so there is nothing to correct: leave `correction` out")
    moved = [] if message.correction or draft else _moved(incident, message)
    named = [_known_customer(incident, customer) for customer in message.customers]
    to = incident.desk.told if message.correction else named or (hit(incident) if moved else targets(incident))
    if not to and not message.public:
        raise Refused(
            f"the catalogue names no customer of {', '.join(incident.services) or 'this'}: name some in `customers`, "
            "or put it on the public page with `public: true`"
        )

    def commit() -> Answer:
        _here(act)
        desk = incident.desk
        desk.seeing = said.get("seeing", desk.seeing)
        desk.workaround = said.get("workaround", desk.workaround)
        left_out = _narrow(incident, named) if named and not message.correction and not moved else []
        made = _made(act, message, draft, said)
        if moved:
            made.kind, made.moved = "promise", moved
        drafts.send(incident, made, act.now, only=to if message.correction or moved else None)
        if left_out:
            narrowed = Draft(kind="narrowed", at=act.now, by=act.by, claimed=act.claimed)
            drafts.send(incident, narrowed, act.now, only=left_out)
        where = f"{whom(made.to)}{' and the public page' if message.public else ''}"
        return act.answer(f"goes to {where}; {_next_said(incident)}")

    return commit


def _moved(incident: Incident, message: desk_messages.Notify) -> list[Moved]:
    """Return the moved promises a message tells about: those named, else the only one once it is closed (R10).

    Raises:
        Refused: One named has not moved; or it is not kept, and nothing is said of what comes instead.
    """
    waiting = {i.n: i for i in incident.items.values() if i.kind == "action" and i.customer_message_due}
    numbers = message.actions or (list(waiting) if incident.closed_at and len(waiting) == 1 else [])
    for number in numbers:
        if number not in waiting:
            listed = ", ".join(f"{n} ({item.title})" for n, item in waiting.items()) or "none"
            raise Refused(f"action {number} has no promise that customers wait to hear of; those that have: {listed}")
        if waiting[number].status == "withdrawn" and not message.text:
            raise Refused(f"action {number} is withdrawn: say in `text` why, and what customers get instead")
    return [_move(waiting[number]) for number in dict.fromkeys(numbers)]


def _move(item: Item) -> Moved:
    assert item.customer_message_due is not None
    return Moved(
        item=item.n, promised=item.customer_message_due, due=None if item.status == "withdrawn" else item.due_at
    )


def _reviewed(act: Act[Incident], message: desk_messages.Notify) -> dict[str, ExternalText]:
    """Return what a person says to customers, field by field.

    Raises:
        Refused: It names internals.
    """
    fields = {name: str(getattr(message, name)) for name in ("text", "seeing", "workaround", "takes")}
    refuse_internal(" \n ".join(fields.values()), names(act.matter))
    return {name: reviewed(text, names(act.matter), act.by) for name, text in fields.items() if text}


def _known_customer(incident: Incident, given: str) -> str:
    """Return a customer a message may be narrowed to: one the plan names, or one who turned to us.

    Raises:
        Refused: It is neither.
    """
    found = _customer(incident, given)
    concerned = unique([*(c for cs in incident.plan.customers_of.values() for c in cs), *incident.desk.contacts])
    if found not in concerned:
        raise Refused(
            f"{given} uses none of the impacted services, as far as the catalogue knows ({whom(concerned)}); "
            "`relate` a case of theirs first"
        )
    return found


def _narrow(incident: Incident, named: list[str]) -> list[str]:
    """Narrow the messages to some customers; return those who were told and are left out now."""
    desk = incident.desk
    desk.narrowed, desk.narrowed_for = named, list(incident.services)
    return [customer for customer in desk.told if customer not in named]


def _made(
    act: Act[Incident], message: desk_messages.Notify, draft: Draft | None, said: dict[str, ExternalText]
) -> Draft:
    """Return the draft that goes: the waiting one, or a new one in its place."""
    incident = act.matter
    waiting = incident.desk.waiting
    if draft is None:
        if waiting and not message.correction:
            waiting.status = "dropped"
        draft = Draft(kind="correction" if message.correction else "update", at=act.now)
    elif "text" in said:
        draft.kind = "update"
    elif draft.kind == "first" and stage(incident) != "wrong":
        draft.kind = "mitigated" if stage(incident) == "mitigated" else "resolved"
    draft.by, draft.claimed, draft.public = act.by, act.claimed, message.public
    draft.words, draft.takes = said.get("text"), said.get("takes")
    draft.seeing, draft.workaround = said.get("seeing"), said.get("workaround")
    return draft

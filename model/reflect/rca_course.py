"""What time makes due of an RCA: reminded, late, and delivered to each customer exactly once (R7).

What other processes say of it is here too.
"""

from datetime import datetime
from typing import Final, Literal

from model.effects import Deliver, Outcome, backoff
from model.matter import unique
from model.reflect import after
from model.reflect.rca import AuthorNamed, CustomersNamed, Delivery, Rca, Stage, stand
from model.times import ago, utc

_STANDS: Final[dict[Stage, str]] = {
    "assigned": "and nobody has drafted it",
    "draft": "and its draft is not approved yet",
    "recalled": "and it was recalled",
    "approved": "and it is about to leave",
    "delivered": "and it is delivered",
}


def advance(rca: Rca, now: datetime) -> datetime | None:
    """Do everything that is due; return when the next thing is."""
    if rca.begun_at is None:
        _opened(rca, now)
    due = [after.keep(rca)]
    if not rca.ended:
        _greet(rca, now)
        due += [after.refresh(rca, now), _milestones(rca, now), _late(rca, now), _leave(rca, now)]
    return min((at for at in due if at and at > now), default=None)


def _opened(rca: Rca, now: datetime) -> None:
    rca.mitigated_at = rca.mitigated_at or now
    rca.due_at = rca.due_at or rca.mitigated_at + rca.policy.rca_due
    rca.team = rca.team or next(iter(rca.teams), rca.plan.incident_response)
    rca.deliveries = rca.deliveries or _users(rca)
    after.begin(rca, now)


def _users(rca: Rca) -> list[Delivery]:
    """Return a copy for each customer of the services, as the plan has them: those of the event, not of next week."""
    using = unique(customer for service in rca.services for customer in rca.plan.customers_of.get(service, []))
    return [Delivery(customer=customer) for customer in using]


def _greet(rca: Rca, now: datetime) -> None:
    if rca.greeted or (not rca.known_at and not all(person in rca.plan.people for person in rca.writers)):
        return
    rca.greeted = True
    draft_by = _milestone_at(rca, "draft")
    text = f"{rca.id}: customers were hit and are promised an RCA by {utc(rca.due_at)}. Draft by {utc(draft_by)}"
    after.tell(rca, rca.writers, f"{text}: impact first, in the words they know, what is done and by when.", now)


def _milestone_at(rca: Rca, name: Literal["draft", "manager", "approval"]) -> datetime:
    begun = rca.mitigated_at or rca.begun_at
    assert begun is not None
    policy = rca.policy
    after_mitigation = {
        "draft": policy.rca_draft_due,
        "manager": policy.rca_manager_due,
        "approval": policy.rca_approval_due,
    }
    return begun + after_mitigation[name]


def _milestones(rca: Rca, now: datetime) -> datetime | None:
    """Remind at each step that was to be done by now (design §5); a step that is done is not mentioned."""
    drafted, unapproved = rca.stage != "assigned", rca.stage in ("assigned", "draft", "recalled")
    manager = after.manager(rca)
    steps: list[tuple[Literal["draft", "manager", "approval"], bool, list[str], str]] = [
        ("draft", not drafted, rca.writers, "there is no draft yet"),
        ("manager", not drafted, [*manager, *rca.writers], "there is still no draft"),
        ("approval", unapproved, [*manager, *rca.writers], "it is not approved yet"),
    ]
    waiting = []
    for name, open_, heard, what in steps:
        at = _milestone_at(rca, name)
        if not open_ or name in rca.reminded:
            continue
        if not after.once(rca, name, at, now):
            waiting.append(at)
            continue
        left = ago((rca.due_at or now) - now)
        after.tell(rca, heard, f"{rca.id}: {what}; customers are promised it in {left}.", now)
        after.report(rca, now, f"RCA: {what}, due by {utc(at)} ({', '.join(unique(heard))} asked)", "overdue")
    return min(waiting, default=None)


def _late(rca: Rca, now: datetime) -> datetime | None:
    """Say loudly that the promise is broken, and ask every day, later every week, until it is delivered (R7)."""
    if rca.due_at is None:
        return None
    this, due = after.round_due(rca, "late", rca.due_at, now)
    if this is None:
        return due
    if rca.late_at is None:
        rca.late_at = now
        stand(rca, rca.stage)
    support = after.first_level(rca, rca.plan.support)
    heard = unique([*rca.writers, *after.manager(rca), *rca.plan.call_leaders, *support])
    text = f"{rca.id} is {ago(this.late)} late" if not this.first else f"{rca.id}: the promise is broken"
    stands = _STANDS[rca.stage]
    after.tell(rca, heard, f"{text}: customers were to have their RCA by {utc(rca.due_at)}; {stands}.", now)
    if this.worth_a_line:
        line = f"RCA is late: promised to customers by {utc(rca.due_at)}, {stands}"
        after.report(rca, now, line, "overdue")
    return due


def _leave(rca: Rca, now: datetime) -> datetime | None:
    """Let the approved text leave when nobody has recalled it: to each customer once, one after the other.

    One copy is owed at a time: a state that held every customer's would be too large to go on with.
    """
    if rca.stage != "approved" or rca.leaves_at is None:
        return None
    if rca.left_at is None:
        if rca.leaves_at > now:
            return rca.leaves_at
        _begin_to_leave(rca, now)
    if any(isinstance(owed.order, Deliver) for owed in rca.owed.values()):
        return None
    open_ = [delivery for delivery in rca.deliveries if delivery.done_at is None]
    if not open_:
        _delivered(rca, now)
        return None
    ready = next((d for d in open_ if d.retry_at is None or d.retry_at <= now), None)
    if ready is None:
        return min(d.retry_at for d in open_ if d.retry_at)
    rca.owe(_copy(rca, ready, now), now=now, key=f"{rca.id}/deliver/{ready.customer}")
    return None


def _begin_to_leave(rca: Rca, now: datetime) -> None:
    rca.left_at = now
    rca.deliveries = rca.deliveries or _users(rca)


def _copy(rca: Rca, delivery: Delivery, now: datetime) -> Deliver:
    assert rca.approved is not None
    return Deliver(
        incident=rca.incident,
        customer=delivery.customer,
        contacts=delivery.contacts,
        text=rca.approved.external,
        at=now,
        test=rca.test,
    )


def effect_ended(rca: Rca, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went."""
    owed = rca.owed.get(key)
    if owed is None or not isinstance(owed.order, Deliver):
        after.effect_ended(rca, key, outcome, now)
        return
    del rca.owed[key]
    customer = owed.order.customer
    delivery = next(d for d in rca.deliveries if d.customer == customer)
    if delivery.done_at is None:
        _receipt(rca, delivery, outcome, now)


def _receipt(rca: Rca, delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    delivery.reason = outcome.reason
    if not outcome.ok and outcome.again:
        delivery.tries += 1
        wait = max(backoff(rca.policy, delivery.tries), outcome.retry_after or now - now)
        delivery.retry_at = now + wait
        if delivery.tries == 1:
            rca.say("fallback", f"the copy of {delivery.customer} waits: {outcome.reason}", now=now)
        return
    delivery.done_at, delivery.taken, delivery.retry_at = now, outcome.ok, None
    if outcome.ok:
        rca.published_at = rca.published_at or now
        rca.say("notified", f"RCA to {delivery.customer}", now=now)
        return
    after.report(rca, now, f"RCA could not be delivered to {delivery.customer}: {outcome.reason}", "fallback")
    support = after.first_level(rca, rca.plan.support)
    text = f"{rca.id} could not be delivered to {delivery.customer} ({outcome.reason}): bring it to them."
    after.tell(rca, [*support, *after.manager(rca)], text, now)


def _delivered(rca: Rca, now: datetime) -> None:
    taken = [delivery.customer for delivery in rca.deliveries if delivery.taken]
    missed = [delivery.customer for delivery in rca.deliveries if not delivery.taken]
    words = f"delivered to {_listed(taken)}" if taken else "approved, delivered to nobody by the system"
    if missed:
        words += f"; support brings it to {_listed(missed)}"
    if not rca.deliveries:
        words += "; no customer of these services is known: support brings it to whom it concerns"
        after.tell(rca, after.first_level(rca, rca.plan.support), f"{rca.id}: {words}.", now)
    rca.published_at = rca.published_at or rca.left_at
    stand(rca, "delivered")
    rca.ended = True
    late = " (late)" if rca.late_at else ""
    after.report(rca, now, f"RCA{late} {words}", "rca")


def _listed(customers: list[str]) -> str:
    more = f" and {len(customers) - 20} more" if len(customers) > 20 else ""
    return ", ".join(customers[:20]) + more


def author_named(rca: Rca, named: AuthorNamed, now: datetime) -> None:
    """Learn who writes it."""
    person = rca.plan.person(named.author)
    if rca.ended or person is None or person.id == rca.author:
        return
    rca.author, rca.greeted = person.id, False
    after.report(rca, now, f"RCA: {person.id} writes it", "rca", named.by)


def customers_named(rca: Rca, named: CustomersNamed, now: datetime) -> None:
    """Learn of customers who were hit since: it was not over. Once the text leaves, support brings it to them."""
    known = {delivery.customer for delivery in rca.deliveries}
    new = [customer for customer in unique(named.customers) if customer not in known]
    if not new or rca.ended:
        return
    if rca.left_at is None:
        rca.deliveries += [Delivery(customer=customer) for customer in new]
        return
    text = f"{rca.id} has left without {_listed(new)}, who were hit since: bring it to them."
    after.tell(rca, after.first_level(rca, rca.plan.support), text, now)

"""The customers' RCA: one draft, one approval, delivered once (R7).

It is promised within seven days of the first mitigation and speaks from the customers' side: no internal word leaves
the house. What was approved is what leaves, to each customer exactly once; a broken promise is said loudly.
"""

import hashlib
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from model.catalogue.plan import Contact
from model.close.items import Item
from model.coordinate.wording import ExternalText, Names, refuse_internal, reviewed
from model.effects import Deliver, Outcome, backoff
from model.matter import SYSTEM, Act, unique
from model.messages import Answer
from model.reflect import after, after_messages
from model.reflect.after import After, Commit
from model.text import Refused, cut, one_line
from model.times import Moment, ago

Stage = Literal["assigned", "draft", "approved", "recalled", "delivered"]
Status = Literal["assigned", "draft", "approved", "recalled", "delivered", "late"]


_STANDS: Final[dict[Stage, str]] = {
    "assigned": "and nobody has drafted it",
    "draft": "and its draft is not approved yet",
    "recalled": "and it was recalled",
    "approved": "and it is about to leave",
    "delivered": "and it is delivered",
}


class Delivery(BaseModel):
    """One customer's copy; it is never sent again once it was taken.

    Attributes:
        done_at: When it was taken, or given up.
        taken: Whether the other side took it.
    """

    customer: str
    contacts: list[Contact] = []
    tries: int = 0
    retry_at: Moment | None = None
    done_at: Moment | None = None
    taken: bool = False
    reason: str = ""


class AuthorNamed(BaseModel):
    """The signal `author_named`: somebody was asked to write it."""

    author: str
    by: str = SYSTEM


class CustomersNamed(BaseModel):
    """The signal `customers_named`: who was hit, as far as it is known now; nobody is let go by it."""

    customers: list[str] = []


class Rca(After):
    """Everything the RCA knows.

    Attributes:
        services: The services it speaks about; their owners' managers approve it.
        stage: Where the text is; `status` says `late` instead once the promise is broken.
        text: The draft; empty once it is approved.
        approved: The text that leaves; whoever approved it answers for it.
        left_at: When it began to leave; from then on nobody can recall it.
        deliveries: Every customer who gets it; where the incident named none, all who used its services then.
    """

    services: list[str] = []
    author: str = ""
    mitigated_at: Moment | None = None
    due_at: Moment | None = None
    stage: Stage = "assigned"
    status: Status = "assigned"
    text: str = ""
    digest: str = ""
    drafted_at: Moment | None = None
    drafted_by: str = ""
    approved: ExternalText | None = None
    approved_at: Moment | None = None
    approved_by: str = ""
    late_at: Moment | None = None
    left_at: Moment | None = None
    published_at: Moment | None = None
    deliveries: list[Delivery] = []

    @property
    def holder(self) -> str:
        """Its author."""
        return self.author

    @property
    def name(self) -> str:
        """What people call it."""
        return "RCA"

    @property
    def about(self) -> list[str]:
        """The services it speaks about."""
        return self.services

    @property
    def teams(self) -> list[str]:
        """The owners of its services."""
        owners = [self.plan.services[s].team for s in self.services if s in self.plan.services]
        return unique([self.team, *owners])

    @property
    def leaves_at(self) -> datetime | None:
        """Until when an approved one can be recalled."""
        return (
            self.approved_at + self.policy.rca_recall_within if self.stage == "approved" and self.approved_at else None
        )

    @property
    def deadline(self) -> datetime | None:
        """The promise to the customers, until it is kept."""
        return None if self.ended else self.due_at

    @property
    def writers(self) -> list[str]:
        """Who is asked for the draft: the author, else the owning team's first level."""
        return [self.author] if self.author else after.first_level(self, self.team)

    @property
    def awaited(self) -> list[str]:
        """Its writers until there is a draft, then the manager until it is approved."""
        if self.stage == "assigned":
            return self.writers
        return after.manager(self) if self.stage in ("draft", "recalled") else []

    @property
    def asked_for(self) -> datetime | None:
        """Since when a draft waits for approval."""
        return self.drafted_at if self.stage == "draft" else None

    def as_item(self) -> Item:
        """Return how the incident knows it."""
        return Item(
            id=self.id,
            kind="rca",
            status=self.status,
            team=self.team,
            title=self.title,
            author=self.author,
            due_at=self.due_at,
            published_at=self.published_at,
            settled=self.stage == "delivered",
            revision=self.revision,
        )


# --- what time makes due ------------------------------------------------------------------------------


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
    text = f"{rca.id}: customers were hit and are promised an RCA by {_day(rca.due_at)}. Draft by {_day(draft_by)}"
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
        after.report(rca, now, f"RCA: {what}, due by {_day(at)} ({', '.join(unique(heard))} asked)", "overdue")
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
        _stand(rca, rca.stage)
    support = after.first_level(rca, rca.plan.support)
    heard = unique([*rca.writers, *after.manager(rca), *rca.plan.call_leaders, *support])
    text = f"{rca.id} is {ago(this.late)} late" if not this.first else f"{rca.id}: the promise is broken"
    stands = _STANDS[rca.stage]
    after.tell(rca, heard, f"{text}: customers were to have their RCA by {_day(rca.due_at)}; {stands}.", now)
    if this.worth_a_line:
        line = f"RCA is late: promised to customers by {_day(rca.due_at)}, {stands}"
        after.report(rca, now, line, "overdue")
    return due


def _stand(rca: Rca, stage: Stage) -> None:
    rca.stage = stage
    rca.status = "late" if rca.late_at else stage


# --- delivered once ---------------------------------------------------------------------------------------


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
    _stand(rca, "delivered")
    rca.ended = True
    late = " (late)" if rca.late_at else ""
    after.report(rca, now, f"RCA{late} {words}", "rca")


def _listed(customers: list[str]) -> str:
    more = f" and {len(customers) - 20} more" if len(customers) > 20 else ""
    return ", ".join(customers[:20]) + more


# --- what people say ------------------------------------------------------------------------------------


def submit(act: Act[Rca]) -> Commit:
    """Hand in a draft; one that names internals is refused with the words found."""
    message = act.message
    assert isinstance(message, after_messages.Submit)
    rca = act.matter
    _may(act, "submit")
    if rca.stage == "approved":
        raise Refused(f"{rca.id} is approved and leaves at {_day(rca.leaves_at)}: `recall` it first")
    if not message.text:
        raise Refused(_no_text(message.file))
    refuse_internal(message.text, Names.of_plan(rca.plan))

    def commit() -> Answer:
        rca.text, rca.digest = message.text, digest_of(message.text)
        rca.drafted_at, rca.drafted_by = act.now, act.by
        rca.author = rca.author or act.by
        _stand(rca, "draft")
        size = len(message.text.encode())
        _say(act, f"draft {rca.digest} by {act.by}, {size} bytes")
        text = f"{rca.id}: a draft by {act.by} waits for you. Send `approve` with draft {rca.digest}, or talk to them."
        after.tell(rca, after.manager(rca), text, act.now)
        who = " or ".join(unique([*after.manager(rca), *rca.plan.call_leaders]))
        return act.answer(f"draft {rca.digest} waits for {who} to `approve`")

    return commit


def _no_text(file: str) -> str:
    named = f"{file}: " if file else ""
    return f"{named}the content belongs into `text`; `allclear` reads a file and sends what is in it"


def approve(act: Act[Rca]) -> Commit:
    """Approve the draft: it leaves when nobody recalls it in time."""
    message = act.message
    assert isinstance(message, after_messages.Approve)
    rca = act.matter
    _may(act, "approve")
    if rca.stage == "approved":
        raise Refused(f"{rca.id} is approved by {rca.approved_by} already and leaves at {_day(rca.leaves_at)}")
    if not rca.text:
        raise Refused(f"{rca.id} has no draft yet; {', '.join(rca.writers) or 'its author'} can `submit` one")
    check_draft(message.draft, rca.digest)
    text = reviewed(rca.text, Names.of_plan(rca.plan), act.by)

    def commit() -> Answer:
        rca.approved, rca.text = text, ""
        rca.approved_at, rca.approved_by = act.now, act.by
        _stand(rca, "approved")
        leaves = _day(rca.leaves_at)
        _say(act, f"approved draft {rca.digest}, leaves at {leaves}")
        support = after.first_level(rca, rca.plan.support)
        words = f"{rca.id} is approved by {act.by} and leaves at {leaves}, once; until then it can be recalled."
        after.tell(rca, [*rca.writers, *support], words, act.now)
        return act.answer(f"approved; it leaves at {leaves}, until then `recall` stops it")

    return commit


def recall(act: Act[Rca]) -> Commit:
    """Stop an approved text before it leaves; afterwards there is no second try."""
    message = act.message
    assert isinstance(message, after_messages.Recall)
    rca = act.matter
    _may(act, "recall")
    if rca.stage != "approved" or rca.leaves_at is None or rca.approved is None:
        raise Refused(f"{rca.id} is {rca.stage}: nothing is about to leave")
    if rca.left_at or act.now >= rca.leaves_at:
        raise Refused(f"it left at {_day(rca.left_at or rca.leaves_at)}; there is no second try")
    text = rca.approved.external

    def commit() -> Answer:
        rca.text, rca.approved = text, None
        rca.approved_at, rca.approved_by = None, ""
        _stand(rca, "recalled")
        _say(act, f"recalled: {message.reason}")
        words = f"{rca.id} was recalled by {act.by}: {cut(message.reason, 300)}. `submit` it anew, or `approve` it."
        after.tell(rca, [*rca.writers, *after.manager(rca)], words, act.now)
        return act.answer("recalled; nothing has left")

    return commit


# --- what other processes say ---------------------------------------------------------------------------


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


# --- small words -----------------------------------------------------------------------------------------


def check_draft(given: str, digest: str) -> None:
    """Refuse a decision about another text than the one that waits.

    Raises:
        Refused: The text has changed since it was read.
    """
    if given and not digest.startswith(given.casefold()):
        raise Refused(f"the text has changed since you read it: it is draft {digest} now, not {given}")


def digest_of(text: str) -> str:
    """Return a text's name: the beginning of its hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _may(act: Act[Rca], message: str) -> None:
    after.still_open(act.matter)
    after.require(act, message)


def _say(act: Act[Rca], text: str) -> None:
    after.report(act.matter, act.now, f"RCA: {cut(one_line(text), 1000)}", "rca", act.by, act.claimed)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "?"

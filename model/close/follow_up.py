"""What an incident leaves to do, begun here and followed: post-mortems, the RCA, action items (X3, R1, R7, R8)."""

from datetime import datetime

from model.close import closing_messages
from model.close.checklist import Suggestion
from model.close.items import ActionsAccepted, Item, ItemChanged
from model.close.next_days import is_alone
from model.coordinate.audience import desk_team, hit, impacted
from model.effects import Start
from model.engage import engagement
from model.engage.moves import signal
from model.engage.response import Commit, joined, not_over
from model.incident import CALL_LEADERS, Incident
from model.matter import Act
from model.messages import Answer
from model.mitigate import patches
from model.permissions import require
from model.text import Refused
from model.times import add_working_days


def assign_coe(act: Act[Incident]) -> Commit:
    """Give a post-mortem its author, or decline a suggested one with a reason (X3)."""
    message = act.message
    assert isinstance(message, closing_messages.AssignCoe)
    incident = act.matter
    not_over(incident)
    require(act, "assign_coe")
    if message.team not in incident.plan.teams:
        listed = ", ".join(team for team in incident.engagements if team != CALL_LEADERS)
        raise Refused(f"{message.team} was not part of this incident; teams are: {listed}")
    suggestion = next((s for s in incident.suggestions if s.team == message.team), None)
    if message.decline:
        return _decline(act, message, suggestion)
    author = incident.plan.person(message.author) if message.author else None
    if author is None:
        known = ", ".join(engagement.members(incident, message.team))
        raise Refused(f"say who writes it in `author`: {known}; or `decline` a suggestion with a reason")
    name = f"{incident.id}/coe/{message.team}{'/' + message.subject if message.subject else ''}"
    if name in incident.items:
        raise Refused(f"{name} is assigned to {incident.items[name].author} already; another one needs a `subject`")
    rca = incident.items.get(f"{incident.id}/rca")
    if message.rca and (rca is None or rca.settled):
        owed = "it is delivered" if rca else "none is owed so far: it begins in phase close, where customers were hit"
        raise Refused(f"`rca` says who writes the customers' RCA, and {owed}")

    def commit() -> Answer:
        joined(act)
        if suggestion:
            suggestion.answer, suggestion.by = "assigned", act.by
        _start_coe(incident, name, message.team, message.subject, author.id, act)
        too = " and the customers' RCA" if _writes_rca(incident, message, author.id, act) else ""
        due = incident.items[name].due_at
        return act.answer(f"{author.id} writes the COE of {message.team}{too}, due {due:%Y-%m-%d}")

    return commit


def _writes_rca(incident: Incident, message: closing_messages.AssignCoe, author: str, act: Act[Incident]) -> bool:
    """Name the RCA's author: who is said to, else the first author of a team whose service was hit (R7)."""
    rca = incident.items.get(f"{incident.id}/rca")
    if rca is None or rca.settled or not (message.rca or (not rca.author and message.team in incident.owners)):
        return False
    rca.author = author
    signal(incident, rca.id, "author_named", {"author": author, "by": act.by}, act.now)
    return True


def _decline(act: Act[Incident], message: closing_messages.AssignCoe, suggestion: Suggestion | None) -> Commit:
    if suggestion is None:
        raise Refused(f"no COE was suggested for {message.team}")
    if suggestion.always:
        raise Refused(f"customers noticed before we did: {message.team} writes a COE, always; say the `author`")
    declined = suggestion

    def commit() -> Answer:
        joined(act)
        declined.answer, declined.by, declined.declined = "declined", act.by, message.decline
        act.say("coe_declined", f"{message.team}: {message.decline}")
        return act.answer(f"declined for {message.team}")

    return commit


def _start_coe(incident: Incident, name: str, team: str, subject: str, author: str, act: Act[Incident]) -> None:
    if incident.customers_hit:
        due = act.now + incident.policy.coe_due
    else:
        due = add_working_days(act.now, incident.policy.coe_due_without_rca, incident.plan.people[author].timezone)
    incident.items[name] = Item(
        id=name, kind="coe", status="assigned", team=team, subject=subject, author=author, due_at=due
    )
    act.say("coe_assigned", f"{team}{' ' + subject if subject else ''}: {author}, due {due:%Y-%m-%d}")
    payload = {
        **_shared(incident, name),
        "team": team,
        "subject": subject,
        "author": author,
        "assigned_at": act.now.isoformat(),
        "due_at": due.isoformat(),
        "important": incident.severity <= 2 or bool(incident.customers_hit),
        "customers_hit": incident.customers_hit,
        "mitigated_by_hand": any(p.verified_at for p in incident.proposals),
        "title": f"COE of {team}: {incident.title}",
    }
    incident.owe(
        Start(workflow="Coe", workflow_id=name, origin=name, payload=payload), now=act.now, key=f"{name}/start"
    )


def _shared(incident: Incident, name: str) -> dict[str, object]:
    return {
        "id": name,
        "incident": incident.id,
        "clock_shift": incident.clock_shift.total_seconds(),
        "test": incident.test,
        "plan": incident.plan.model_dump(mode="json"),
        "policy": incident.policy.model_dump(mode="json"),
    }


def add_action(act: Act[Incident]) -> Commit:
    """Begin an action item (R8)."""
    message = act.message
    assert isinstance(message, closing_messages.AddAction)
    incident = act.matter
    not_over(incident)
    require(act, "add_action")
    owner = incident.plan.person(message.owner)
    if owner is None:
        raise Refused(f"'{message.owner}' is nobody of this incident: {', '.join(sorted(incident.plan.people))}")
    if message.due <= act.now:
        raise Refused(f"`due` is past (now {act.now:%Y-%m-%dT%H:%M:%SZ})")
    if message.replaces is not None and not any(i.n == message.replaces for i in incident.items.values()):
        raise Refused(f"`replaces` names item {message.replaces}, which is none of this incident")
    if message.horizon == "long" and message.kind is None:
        raise Refused("a long-term item says whether it is `incremental` or a `replacement` (`kind`)")
    if message.patch is not None and not any(p.n == message.patch for p in patches.in_force(incident)):
        known = ", ".join(patches.named(p) for p in patches.in_force(incident)) or "none"
        raise Refused(f"`patch` names mitigation {message.patch}, which is not in force; in force are: {known}")

    def commit() -> Answer:
        joined(act)
        fields = message.model_dump(mode="json", exclude={"by", "key", "at", "test"})
        number = begin_action(incident, {**fields, "owner": owner.id}, act.by, act.now)
        begun = incident.items[f"{incident.id}/action/{number}"]
        alone = "; it replaces what is in use, which needs a companion fix until then: add one, and name it here"
        advice = f"{alone} with `replaces`" if is_alone(incident, begun) else ""
        return act.answer(f"action item {number}, due {message.due:%Y-%m-%d}{advice}")

    return commit


def begin_action(incident: Incident, fields: dict[str, object], by: str, now: datetime) -> int:
    """Number an action item and begin it.

    Returns:
        Its number.
    """
    number = 1 + sum(item.kind == "action" for item in incident.items.values())
    name = f"{incident.id}/action/{number}"
    payload = {**_shared(incident, name), **fields, "n": number, "opened_at": now.isoformat()}
    payload["team"] = _team_of(incident, str(fields["owner"]))
    item = Item.model_validate(
        {
            **fields,
            "id": name,
            "kind": "action",
            "status": "open",
            "n": number,
            "due_at": fields["due"],
            "replacement": fields.get("kind") == "replacement",
        }
    )
    incident.items[name] = item.model_copy(update={"promised_due_at": item.due_at if item.promised else None})
    payload["due_at"] = payload.pop("due", None)
    incident.say("action", f"{number}: {item.title} ({item.horizon}, {item.owner})", now=now, by=by)
    incident.owe(
        Start(workflow="ActionItem", workflow_id=name, origin=name, payload=payload), now=now, key=f"{name}/start"
    )
    return number


def _team_of(incident: Incident, person: str) -> str:
    """Return the team an item is worked on in: the owner's, an impacted one first."""
    planned = incident.plan.people.get(person)
    teams = planned.teams if planned else []
    return next(
        (team for team in incident.owners if team in teams), teams[0] if teams else incident.plan.incident_response
    )


def actions_accepted(incident: Incident, accepted: ActionsAccepted, now: datetime) -> None:
    """Begin the actions of an accepted COE, each once; what replaces another of them learns its number."""
    new = [action for action in accepted.actions if _number_of(incident, action.title) is None]
    titles = {action.title for action in new}
    while new:
        # What nothing new is waited for begins first; two that replace each other begin in their order.
        ready = [a for a in new if a.replaces_title not in titles] or new[:1]
        for action in ready:
            replaces = action.replaces or _number_of(incident, action.replaces_title)
            fields = action.model_dump(mode="json", exclude={"replaces_title"}) | {"replaces": replaces}
            begin_action(incident, fields, accepted.by, now)
            titles.discard(action.title)
        new = [action for action in new if action not in ready]


def _number_of(incident: Incident, title: str) -> int | None:
    return next((i.n for i in incident.items.values() if i.kind == "action" and i.title == title), None)


def item_changed(incident: Incident, change: ItemChanged, now: datetime) -> None:
    """Learn how a matter of this incident stands; what it said before something newer adds its line only."""
    before = incident.items.get(change.item.id)
    if before is not None and change.item.revision and change.item.revision == before.revision:
        return
    if before is None or change.item.revision >= before.revision:
        incident.items[change.item.id] = change.item
    if change.line:
        incident.say(change.what, change.line, now=now, by=change.by)
    if change.item.patch is not None and change.item.status in ("validated", "in_force", "done"):
        patches.replaced(incident, change.item.patch, change.item.n, now)


def start_rca(incident: Incident, now: datetime) -> None:
    """Begin the customers' RCA, where customers were hit (R7)."""
    name = f"{incident.id}/rca"
    if not incident.customers_hit or incident.first_mitigated_at is None:
        return
    customers = hit(incident)
    if name in incident.items and incident.items[name].settled:
        text = f"{incident.id} was not over when its RCA was delivered: whoever was hit since has no account of it."
        engagement.tell(incident, [desk_team(incident)], text, now)
        return
    if name in incident.items:
        signal(incident, name, "customers_named", {"customers": customers}, now)
        return
    due, owners = incident.first_mitigated_at + incident.policy.rca_due, incident.owners
    author = next((i.author for i in incident.items.values() if i.kind == "coe" and i.team in owners), "")
    incident.items[name] = Item(id=name, kind="rca", status="assigned", author=author, due_at=due)
    incident.say("rca", f"owed to the customers by {due:%Y-%m-%d %H:%M} UTC", now=now)
    payload = {
        **_shared(incident, name),
        "services": impacted(incident),
        "deliveries": [{"customer": customer} for customer in customers],
        "author": author,
        "team": owners[0] if owners else incident.plan.incident_response,
        "mitigated_at": incident.first_mitigated_at.isoformat(),
        "opened_at": now.isoformat(),
        "due_at": due.isoformat(),
        "title": f"RCA: {incident.title}",
    }
    incident.owe(Start(workflow="Rca", workflow_id=name, origin=name, payload=payload), now=now, key=f"{name}/start")

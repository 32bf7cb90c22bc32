"""What people say of a campaign: begun from an incident, moved up a rung, finished (L3)."""

from model.close import closing_messages
from model.effects import Start
from model.engage.response import joined, not_over
from model.incident import Incident
from model.learn.campaign import RUNGS, Campaign, day, end, id_of, in_words, percent, progressed, standing, tell
from model.learn.campaign_messages import Finish, StartRung
from model.matter import Act
from model.messages import Answer
from model.permissions import require
from model.reflect import after
from model.reflect.after import Commit
from model.text import Refused


def start_campaign(act: Act[Incident]) -> Commit:
    """Begin a campaign from an incident; whoever says so owns it."""
    message = act.message
    assert isinstance(message, closing_messages.StartCampaign)
    incident = act.matter
    not_over(incident)
    require(act, "start_campaign")
    if message.due <= act.now:
        raise Refused(f"`due` is past (now {act.now:%Y-%m-%dT%H:%M:%SZ})")
    if any(entry.what == "campaign" and entry.text.startswith(f"{message.slug}: ") for entry in incident.timeline):
        raise Refused(f"{id_of(message.slug)} was begun from here already; another one needs another `slug`")

    def commit() -> Answer:
        joined(act)
        act.say("campaign", f"{message.slug}: {message.title}, by {message.due:%Y-%m-%d}")
        # A key of its own: another incident's campaign of the same name must not be taken for this one.
        key = f"{incident.id}/process/{incident.next_order}"
        incident.next_order += 1
        order = Start(workflow="Campaign", workflow_id=id_of(message.slug), origin=key, payload=_payload(act, message))
        incident.owe(order, now=act.now, key=key)
        return act.answer(f"{id_of(message.slug)} begins; send it `measure` from a machine or by hand")

    return commit


def _payload(act: Act[Incident], message: closing_messages.StartCampaign) -> dict[str, object]:
    incident = act.matter
    teams = act.person.teams
    return {
        "id": id_of(message.slug),
        "incident": incident.id,
        "clock_shift": incident.clock_shift.total_seconds(),
        "test": incident.test,
        "plan": incident.plan.model_dump(mode="json"),
        "policy": incident.policy.model_dump(mode="json"),
        **message.model_dump(mode="json", include={"slug", "title", "lesson", "metric", "target"}),
        "due_at": message.due.isoformat(),
        "owner": act.by,
        "team": next((team for team in incident.owners if team in teams), teams[0] if teams else ""),
        "opened_at": act.now.isoformat(),
    }


def start_rung(act: Act[Campaign]) -> Commit:
    """Move up to more effect, with a target and a date."""
    message = act.message
    assert isinstance(message, StartRung)
    campaign, order = act.matter, list(RUNGS)
    _may(act, "start_rung")
    rung = message.rung or campaign.next_rung
    if rung is None or order.index(rung) <= order.index(campaign.rung):
        above = ", ".join(order[order.index(campaign.rung) + 1 :]) or "nothing: it is the last one"
        raise Refused(f"a campaign moves up, never down: it is on {campaign.rung}, above is {above}")
    due = message.due or campaign.due_at
    if due <= act.now:
        raise Refused(f"`due` is past ({day(due)}); say by when this rung reaches its target")
    target = campaign.target if message.target is None else message.target
    latest = campaign.latest
    if latest and latest.value <= target:
        raise Refused(f"a target of {percent(target)} is reached already ({percent(latest.value)}): `finish` it")

    def commit() -> Answer:
        before, campaign.rung, campaign.rung_since = campaign.rung, rung, act.now
        was = f" (was {percent(campaign.target)})" if target != campaign.target else ""
        campaign.target, campaign.due_at = target, due
        progressed(campaign, latest.value if latest else None, act.now)
        words = f"target {percent(target)}{was} by {day(due)}"
        act.say("campaign", f"{before} → {in_words(rung)}; {words}")
        tell(campaign, f"{campaign.id} moves up to {in_words(rung)}; {words}.", act.now)
        return act.answer(f"on {rung}; {words}")

    return commit


def finish(act: Act[Campaign]) -> Commit:
    """End it, with a reason."""
    message = act.message
    assert isinstance(message, Finish)
    _may(act, "finish")

    def commit() -> Answer:
        campaign = act.matter
        end(campaign, "finished", f"{message.reason} ({standing(campaign)})", act.now, act.by, claimed=act.claimed)
        return act.answer(f"finished: {standing(campaign)}")

    return commit


def _may(act: Act[Campaign], message: str) -> None:
    """Let those pass who run it: its owner, their team and manager, incident response, call leaders."""
    campaign = act.matter
    if campaign.ended:
        raise Refused(f"{campaign.id} is over ({campaign.status})")
    allowed = {after.HOLDER, after.TEAM, after.MANAGER, after.INCIDENT_RESPONSE, after.LEADERS}
    if not after.standing(campaign, act.person) & allowed:
        raise Refused(
            f"{act.by} may not {message} {campaign.id}; this may: its owner ({campaign.owner}), their team and "
            "manager, incident response, call leaders"
        )

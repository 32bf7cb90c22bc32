"""Who may do what: one table (design §5)."""

from model.catalogue.plan import PlannedPerson
from model.engage.engagement import members, teams_of
from model.incident import CALL_LEADERS, Incident
from model.matter import Act, unique
from model.text import Refused

TEAM = "that team"
OWNER = "the owning team"
ENGAGED = "anybody who is engaged"
INCIDENT_RESPONSE = "incident response"
SUPPORT = "support"
LEADERS = "call leaders"
ACCOUNT = "the account team of an impacted customer"

_TEAMS_AND_RESPONSE = (TEAM, INCIDENT_RESPONSE, SUPPORT)
_STEERING = (INCIDENT_RESPONSE, LEADERS, OWNER)
_DESK = (ENGAGED, SUPPORT, INCIDENT_RESPONSE, LEADERS, OWNER, ACCOUNT)

TABLE: dict[str, tuple[str, ...]] = {
    "acknowledge": (*_TEAMS_AND_RESPONSE, LEADERS),
    "join": (*_TEAMS_AND_RESPONSE, LEADERS),
    "release": _TEAMS_AND_RESPONSE,
    "state_impact": _TEAMS_AND_RESPONSE,
    "observe": (*_TEAMS_AND_RESPONSE, LEADERS),
    "note": (*_TEAMS_AND_RESPONSE, LEADERS),
    "engage": (ENGAGED, INCIDENT_RESPONSE, SUPPORT, LEADERS, OWNER),
    "propose": (ENGAGED, INCIDENT_RESPONSE, LEADERS, OWNER),
    "stop": (ENGAGED, INCIDENT_RESPONSE, LEADERS, OWNER),
    "confirm_recovery": (ENGAGED, SUPPORT, INCIDENT_RESPONSE, LEADERS, OWNER),
    "set_severity": _STEERING,
    "close": _STEERING,
    "check": _STEERING,
    "assign_coe": _STEERING,
    "add_action": _STEERING,
    "start_campaign": _STEERING,
    "reopen": _STEERING,
    "stand_down": _STEERING,
    "make_big": _STEERING,
    "lead": (LEADERS, INCIDENT_RESPONSE),
    "hand_off": (ENGAGED, INCIDENT_RESPONSE, LEADERS),
    "fork": (TEAM, INCIDENT_RESPONSE, LEADERS),
    "rejoin": (TEAM, INCIDENT_RESPONSE, LEADERS),
    "relate": _DESK,
    "inquire": _DESK,
    "sentiment": _DESK,
    "notify internal": (ENGAGED, SUPPORT, INCIDENT_RESPONSE, LEADERS, OWNER),
    "notify external": (SUPPORT, INCIDENT_RESPONSE, LEADERS),
}
"""Message → who may send it. A member of a team is on its on-call list or its manager."""


def standing(incident: Incident, person: PlannedPerson, team: str = "") -> set[str]:
    """Return what a person is in this incident, in the table's words."""
    teams = set(person.teams)
    held = set()
    if teams_of(incident, person):
        held.add(ENGAGED)
    if team and (team in teams or (team in incident.engagements and person.id in members(incident, team))):
        held.add(TEAM)
    if teams & set(incident.owners):
        held.add(OWNER)
    if incident.plan.incident_response in teams:
        held.add(INCIDENT_RESPONSE)
    if incident.plan.support in teams:
        held.add(SUPPORT)
    if person.id in incident.plan.call_leaders:
        held.add(LEADERS)
    if any(person.id in people for people in incident.plan.account_teams.values()):
        held.add(ACCOUNT)
    return held


def require(act: Act[Incident], message: str, team: str = "") -> None:
    """Let the act pass if its sender may do it.

    Raises:
        Refused: They may not; the text names who may.
    """
    allowed = TABLE[message]
    if standing(act.matter, act.person, team) & set(allowed):
        return
    who = ", ".join(f"{role}{_named(act.matter, role, team)}" for role in allowed)
    subject = f" for {team}" if team else ""
    raise Refused(f"{act.by} may not {message}{subject}; this may: {who}")


def _named(incident: Incident, role: str, team: str) -> str:
    people: list[str] = []
    if role == TEAM and team:
        people = _members(incident, team)
    elif role == OWNER:
        people = [person for owner in incident.owners for person in _members(incident, owner)]
    elif role == INCIDENT_RESPONSE:
        people = _members(incident, incident.plan.incident_response)
    elif role == SUPPORT:
        people = _members(incident, incident.plan.support)
    elif role == LEADERS:
        people = incident.plan.call_leaders
    elif role == ACCOUNT:
        people = [person for team in incident.plan.account_teams.values() for person in team]
    return f" ({', '.join(unique(people)[:6])})" if people else ""


def _members(incident: Incident, team: str) -> list[str]:
    return members(incident, team) if team in incident.plan.teams or team == CALL_LEADERS else []

"""Doors of engagement: who is called, who has come, who leads, how big it is (E1-E6, C11)."""

from link import catalog as live
from model import messages
from model.engage import handoff, response
from model.incident import Incident
from model.policy import did_you_mean
from model.text import Refused
from workflows.door import door


def _real_team(incident: Incident, said: messages.Engage) -> None:
    catalog = live.live()
    if catalog and said.team not in catalog.teams:
        raise Refused(f"the catalogue has no team {said.team}; it has {', '.join(sorted(catalog.teams))}")


def _real_person(incident: Incident, said: messages.HandOff) -> None:
    """Refuse a name that nobody of the catalogue has; the incident's own plan knows only who was on call."""
    catalog = live.live()
    if catalog and said.person and not incident.plan.person(said.person) and not catalog.person_by(said.person):
        raise Refused(f"the catalogue has nobody called {said.person}{did_you_mean(said.person, list(catalog.people))}")


class Engage:
    """What people say about who is here."""

    engage = door(messages.Engage, response.engage, _real_team)
    acknowledge = door(messages.Acknowledge, response.acknowledge)
    join = door(messages.Join, response.join)
    release = door(messages.Release, response.release)
    lead = door(messages.Lead, response.lead)
    hand_off = door(messages.HandOff, handoff.hand_off, _real_person)
    make_big = door(messages.MakeBig, response.make_big)
    set_severity = door(messages.SetSeverity, response.set_severity)

"""Doors of the end: the checklist, what begins at it, off duty, closed, and open again (X0-X4, R8)."""

from link import catalog as live
from model import messages
from model.close import closing, closing_messages, follow_up
from model.engage import response
from model.incident import Incident
from model.learn import campaign_rules
from model.policy import did_you_mean
from model.text import Refused
from workflows.door import door


def _real_services(_: Incident, said: closing_messages.Check) -> None:
    """Refuse services that the catalogue does not have; the incident's own plan knows only its own."""
    catalog = live.live()
    unknown = [name for name in said.services if catalog is not None and name not in catalog.services]
    if unknown:
        near = "; ".join(f"{name}{did_you_mean(name, list(catalog.services))}" for name in unknown) if catalog else ""
        raise Refused(f"the catalogue has no service {near}")


class Close:
    """What people say when it is over, or not."""

    check = door(closing_messages.Check, closing.check, extra=_real_services)
    assign_coe = door(closing_messages.AssignCoe, follow_up.assign_coe)
    add_action = door(closing_messages.AddAction, follow_up.add_action)
    start_campaign = door(closing_messages.StartCampaign, campaign_rules.start_campaign)
    stand_down = door(messages.StandDown, response.stand_down)
    close = door(messages.Close, closing.close)
    reopen = door(messages.Reopen, response.reopen)

"""Doors of the end: the checklist, what begins at it, off duty, closed, and open again (X0-X4, R8)."""

from model import messages
from model.close import closing, closing_messages
from model.engage import response
from model.learn import campaign
from workflows.door import door


class Close:
    """What people say when it is over, or not."""

    check = door(closing_messages.Check, closing.check)
    assign_coe = door(closing_messages.AssignCoe, closing.assign_coe)
    add_action = door(closing_messages.AddAction, closing.add_action)
    start_campaign = door(closing_messages.StartCampaign, campaign.start_campaign)
    stand_down = door(messages.StandDown, response.stand_down)
    close = door(messages.Close, closing.close)
    reopen = door(messages.Reopen, response.reopen)

"""Message name → its model and rule, as the workflow's doors put them together."""

from collections.abc import Callable

from model import messages
from model.close import closing, closing_messages, follow_up
from model.coordinate import desk_messages, forks, support_rules, ticket
from model.engage import handoff, response
from model.engage.response import Commit
from model.incident import Incident
from model.learn import campaign_rules
from model.matter import Act
from model.message import Message
from model.mitigate import ladder, ladder_messages, recovery

DOORS: dict[str, tuple[type[Message], Callable[[Act[Incident]], Commit]]] = {
    "engage": (messages.Engage, response.engage),
    "acknowledge": (messages.Acknowledge, response.acknowledge),
    "join": (messages.Join, response.join),
    "release": (messages.Release, response.release),
    "lead": (messages.Lead, response.lead),
    "hand_off": (messages.HandOff, handoff.hand_off),
    "make_big": (messages.MakeBig, response.make_big),
    "set_severity": (messages.SetSeverity, response.set_severity),
    "state_impact": (messages.StateImpact, ticket.state_impact),
    "observe": (messages.Observe, ticket.observe),
    "note": (messages.Note, ticket.note),
    "fork": (desk_messages.Fork, forks.fork),
    "rejoin": (desk_messages.Rejoin, forks.rejoin),
    "relate": (desk_messages.Relate, support_rules.relate),
    "inquire": (desk_messages.Inquire, support_rules.inquire),
    "sentiment": (desk_messages.Sentiment, support_rules.sentiment),
    "notify": (desk_messages.Notify, support_rules.notify),
    "propose": (ladder_messages.Propose, ladder.propose),
    "decide": (ladder_messages.Decide, ladder.decide),
    "stop": (ladder_messages.Stop, ladder.stop),
    "confirm_recovery": (ladder_messages.ConfirmRecovery, recovery.confirm),
    "stand_down": (messages.StandDown, response.stand_down),
    "check": (closing_messages.Check, closing.check),
    "assign_coe": (closing_messages.AssignCoe, follow_up.assign_coe),
    "start_campaign": (closing_messages.StartCampaign, campaign_rules.start_campaign),
    "add_action": (closing_messages.AddAction, follow_up.add_action),
    "close": (messages.Close, closing.close),
    "reopen": (messages.Reopen, response.reopen),
}

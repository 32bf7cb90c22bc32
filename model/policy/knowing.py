"""What the teams that are engaged have said, by when."""

from model.policy.kinds import MINUTE, Numbers, named
from model.times import Duration


class Knowing(Numbers):
    """What the teams that are engaged have said, by when."""

    impact_within: Duration = named(
        10 * MINUTE,
        "C3: an engaged team owes an impact statement this long after joining; 'not known yet' counts as one.",
    )
    impact_chase_by_leader: Duration = named(
        10 * MINUTE,
        "C3: a statement still missing this long after the person was reminded is chased by incident response.",
    )
    message_clock_skew: Duration = named(
        5 * MINUTE,
        "Design §3: a message's own time may lie this far in the future; beyond that its clock is wrong.",
    )

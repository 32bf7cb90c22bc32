"""What may be behind it, how long a proposal holds, and when it is mitigated."""

from model.policy.kinds import MINUTE, Count, Numbers, named
from model.times import Duration


class Mitigating(Numbers):
    """What may be behind it, how long a proposal holds, and when it is mitigated."""

    deployment_window: Duration = named(
        60 * MINUTE,
        "M2: deployments started at most this long before the first alarm, or still running, are suspects.",
    )
    suspects_shown: Count = named(
        3,
        "D3, E2: this many dependencies that the impacted services have in common are named as suspects, the likeliest"
        " first: more than a few are a list, no suspicion. Unit: services.",
        ge=1,
    )
    suspicion_proposals: Count = named(
        3,
        "M2: the nearest this many suspects become proposals, the rest are a list: more than a few choices"
        " at night are none. Unit: proposals.",
        ge=0,
    )
    proposal_expires: Duration = named(
        30 * MINUTE,
        "M1: an undecided proposal expires after this; what it was based on has changed by then.",
    )
    clear_within: Duration = named(
        15 * MINUTE, "M3: an executed mitigation that has not cleared the alarms within this has failed."
    )
    verification_window: Duration = named(
        10 * MINUTE,
        "M3: alarms stay clear, and customers are asked, for this long before an event counts as mitigated.",
    )

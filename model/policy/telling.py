"""What customers and account teams are told, and how often."""

from model.policy.kinds import HOUR, MINUTE, Count, Numbers, Round, named
from model.times import Duration


class Telling(Numbers):
    """What customers and account teams are told, and how often."""

    external_hold: Duration = named(
        5 * MINUTE,
        "C9: the first external draft goes out unless somebody holds it for this long. Speed comes first, "
        "and a person has had a fair look.",
    )
    external_every: Round = named(
        20 * MINUTE,
        "C9: support is asked for the next external message this often; each says when the next comes.",
    )
    external_calm_after: Duration = named(
        2 * HOUR, "C9: after this long, counted from the first external message, the slower rhythm begins."
    )
    external_calm_every: Round = named(30 * MINUTE, "C9: the slower rhythm of external messages.")
    external_unattended: Count = named(
        2,
        "C9: at most this many 'still working' messages go out in a row with nobody behind them, then "
        "support's next level and a call leader are paged: customers notice a machine. Unit: messages.",
        ge=0,
    )
    internal_every: Round = named(
        15 * MINUTE,
        "C8: field and account teams get the internal status this often: more often than customers, so "
        "that nobody hears it from a customer first.",
    )

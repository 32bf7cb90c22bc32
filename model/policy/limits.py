"""The system's own limits: what a state keeps, and how often what failed is tried again."""

from model.policy.kinds import MINUTE, SECOND, Count, Numbers, Round, named


class Limits(Numbers):
    """The system's own limits: what a state keeps, and how often what failed is tried again."""

    snapshot_timeline: Count = named(
        200,
        "Design §2: this many last timeline entries stay in an incident's state. A state over 2 MiB stops "
        "a workflow for good. Unit: entries.",
        ge=10,
        le=500,
    )
    alarms_kept: int = named(
        400,
        "D1: alarms of a partition kept one by one; of a service that has one, those beyond join its crowd. With all"
        " limits reached at once a partition's state has to stay below 2 MiB. Unit: alarms.",
        ge=1,
        le=2000,
    )
    alarms_in_full: int = named(
        100,
        "D1: where more alarms than this stand in a partition, the words and links of further ones are kept by their"
        " incident alone. Unit: alarms.",
        ge=0,
        le=1000,
    )
    flaps_kept: int = named(
        300,
        "D1: alarms of a partition whose changes are counted to see whether they flap, those that changed last; they"
        " are forgotten after `flap_within` anyway. Unit: alarms.",
        ge=1,
        le=2000,
    )
    incidents_kept: int = named(
        300,
        "Design §2: incidents of the last week that are over, and that a partition can link a new one to. Unit:"
        " incidents.",
        ge=1,
        le=1000,
    )
    crowd_members: int = named(
        7500,
        "D1: alarms remembered of a partition's crowds, a dozen bytes each. Who comes after that finds its crowd in"
        " ALARM already; its OK changes nothing. Unit: alarms.",
        ge=0,
        le=20_000,
    )
    metrics_kept: int = named(
        500,
        "D6: metrics of a partition of which the last told value is kept for the dashboard, a hundred bytes each. Unit:"
        " metrics.",
        ge=0,
        le=2000,
    )
    reports_kept: int = named(
        300,
        "D5: customer reports of the last two hours kept as evidence, the newest. All are counted. Unit: reports.",
        ge=1,
        le=1000,
    )
    report_histories: int = named(
        60,
        "D5: services and regions of a partition of which it is learned how many reports are usual, at most 4 KB each;"
        " for others the fixed numbers decide. Unit: series.",
        ge=0,
        le=200,
    )
    cases_kept: int = named(2500, "D5: support cases remembered, two dozen bytes each. Unit: cases.", ge=0, le=20_000)
    unreadable_kept: int = named(
        50, "Design §3: what could not be read of a partition's messages, kept and shown. Unit: messages.", ge=1, le=500
    )
    answers_kept: int = named(
        50,
        "Design §2: first answers kept of a partition's updates, for senders who ask again. Unit: answers.",
        ge=1,
        le=500,
    )
    mirror_rest: Round = named(
        3 * SECOND, "C4: lines of a record that come within this reach tickets and rooms outside together."
    )
    mirror_patience: int = named(
        3, "Design §6.3: a ticket or room that was not reached so many times in a row is named in the timeline.", ge=1
    )
    owed_retry_first: Round = named(
        5 * SECOND, "Design §6.1: a failed effect is tried again after this, then twice as long each time."
    )
    owed_retry_most: Round = named(
        10 * MINUTE, "Design §6.1: and never less often than this, for as long as it is owed."
    )

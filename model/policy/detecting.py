"""What is an alarm, what is an event, and when one service's trouble becomes everybody's."""

from model.policy.kinds import DAY, MINUTE, Count, Numbers, named
from model.times import Duration


class Detecting(Numbers):
    """What is an alarm, what is an event, and when one service's trouble becomes everybody's."""

    aggregate_services: Count = named(
        3, "D3, E2: this many services in alarm at once make an event multi-service. Unit: services.", ge=1
    )
    aggregate_teams: Count = named(
        2,
        "D3, E2: they must belong to at least this many teams: one team's three services are one team's "
        "event. Unit: teams.",
        ge=1,
    )
    aggregate_overlap: Duration = named(
        30 * MINUTE,
        "D3: an alarm counts towards simultaneity for at most this long after it began; one that has burnt"
        " for a week says nothing about now.",
    )
    flap_changes: int = named(
        6,
        "D1: an alarm that changed its state more often than this within `flap_within` flaps: it is held in ALARM, and"
        " said so. Six is three times to and fro; less is an alarm near its threshold. Unit: changes.",
        ge=2,
    )
    flap_within: Duration = named(30 * MINUTE, "D1: the window in which the changes of an alarm are counted.")
    flap_quiet_for: Duration = named(
        15 * MINUTE, "D1: a flapping alarm must keep still for this long until its word counts again."
    )
    crowd: int = named(
        50,
        "D1: alarms of one service in one region kept one by one; more are kept together as one more alarm, so that ten"
        " thousand hosts do not fill the state. Unit: alarms.",
        ge=1,
    )
    aggregate_sources_for: Duration = named(
        3 * MINUTE,
        "D3: two kinds of source in alarm on one service for this long start a full response. The wait "
        "lets two views of one blip clear.",
    )
    reports_customers: Count = named(
        3,
        "D5: this many different customers reporting within reports_within open an incident. One may be "
        "alone with a mistake of their own, three are not. Unit: customers.",
        ge=1,
    )
    reports_count: Count = named(
        10, "D5: so does this many reports by case or phone, whoever they come from. Unit: reports.", ge=1
    )
    reports_within: Duration = named(15 * MINUTE, "D5: the window in which reports are counted together.")
    reports_false_alarms: float = named(
        0.25,
        "D5: once it is learned how many reports are usual, an uptick is what happens at most this often by chance in a"
        " service's region. Unit: times a week.",
        gt=0,
        le=7,
    )
    case_remembered: Duration = named(
        DAY,
        "D5: a support case told again within this is the same report; case systems tell every change of a case.",
    )
    watch_blind_after: int = named(
        3,
        "D4: after this many attempts in a row that brought nothing to judge, somebody is told: nobody goes blind"
        " unseen. Unit: attempts.",
        ge=1,
    )
    reopen_within: Duration = named(
        60 * MINUTE,
        "Design §2: an alarm this soon after closing reopens the incident; a later one opens a new one, linked.",
    )

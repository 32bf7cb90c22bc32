"""What is owed afterwards and by when: post-mortems, RCAs, action items, campaigns."""

from model.policy.kinds import DAY, HOUR, MINUTE, Count, Numbers, Round, Share, WorkingDays, named
from model.times import Duration


class Learning(Numbers):
    """What is owed afterwards and by when: post-mortems, RCAs, action items, campaigns."""

    short_term_every: Round = named(
        HOUR,
        "R8, X1: owners of short-term fixes are asked this often until the fix is in place, day and night.",
    )
    coe_due: Duration = named(
        5 * DAY, "R1: a COE is due this long after it was assigned when a customer-facing RCA rests on it."
    )
    coe_due_without_rca: WorkingDays = named(
        10, "R1: otherwise it is due after this many days of work. Unit: working days, Monday to Friday."
    )
    rca_due: Duration = named(
        7 * DAY, "R7: the RCA is promised to customers this long after the first mitigation, at most."
    )
    rca_draft_due: Duration = named(2 * DAY, "R7: its draft is due this long after the first mitigation.")
    rca_manager_due: Duration = named(4 * DAY, "R7: a draft still missing by then is taken to the author's manager.")
    rca_approval_due: Duration = named(5 * DAY, "R7: its approval is due by then, with two days left to repair it.")
    rca_recall_within: Duration = named(
        10 * MINUTE,
        "R7: an approved RCA can be recalled for this long; it is delivered once, with no second try.",
    )
    slip_days: Duration = named(2 * DAY, "R10: an action item's date may slip by this in total without asking anybody.")
    slip_share: Share = named(
        0.2,
        "R10: or by this share of the span first promised, where that is more: four weeks may take one "
        "more. Unit: a share, 0 to 1.",
    )
    slip_cap: Duration = named(
        14 * DAY,
        "R10: but never by more than this in total without the manager's consent: 'never by months'.",
    )
    validate_within: Duration = named(
        14 * DAY, "R11: an implemented action item is to be validated within this; unproven is not done."
    )
    acknowledged_late: Duration = named(
        10 * MINUTE,
        "X3: a team that took longer than this to acknowledge is suggested a post-mortem: by then its manager was"
        " paged.",
    )
    hypotheses_effort: Duration = named(
        20 * MINUTE,
        "M5: hypotheses get fifteen to twenty minutes of effort at the end, while everybody is there; not a date.",
    )
    patch_every: Round = named(
        7 * DAY,
        "M1, R8: who decided a mitigation owns it, and is asked this often what replaces it, while the incident is "
        "open: a patch is temporary, and the week is when work is planned.",
    )
    in_force_every: Round = named(
        30 * DAY,
        "R8: the owner of a short-term fix in force is asked for its successor this often: 'never for ever'.",
    )
    remind_before: Duration = named(
        DAY,
        "R1, R8: a date is recalled this long before it, when there is time left to keep it or to say that it moves.",
    )
    overdue_every: Round = named(
        DAY, "R8, R10: what is overdue is asked for this often at first: every working group has a daily round."
    )
    overdue_manager_after: Duration = named(
        DAY, "R8, R10: the manager hears what has been overdue for this long; before, its owner may just be late."
    )
    overdue_calm_after: Duration = named(
        7 * DAY, "R8, R10: overdue for this long, it is asked for more rarely: a reminder nobody reads is none."
    )
    overdue_calm_every: Round = named(7 * DAY, "R8, R10: the slower rhythm of what is overdue.")
    plan_fresh_for: Round = named(
        30 * DAY,
        "R8: who belongs to a team is asked again this often: action items live for years, and people change teams.",
    )
    coe_review_team: Duration = named(
        3 * DAY, "L1: the team reviews a COE within this, while everybody still remembers."
    )
    coe_review_organisation: Duration = named(
        7 * DAY, "L1: the wider organisation reviews it within this: each reads one at its weekly meeting."
    )
    coe_rework: Duration = named(
        3 * DAY, "L1: a returned COE is due again after this: comments are answered, not written anew."
    )
    operations_weekday: Count = named(
        2,
        "L1: the operational metrics meeting is on Wednesdays. Unit: day of the week, 0 (Monday) to 6 (Sunday).",
        ge=0,
        le=6,
    )
    coe_paragraphs: Count = named(
        3, "R2: a story of fewer paragraphs than this does not stand alone. Unit: paragraphs.", ge=1, le=20
    )
    coe_times: Count = named(
        3, "R2: fewer times of day than this are no life of an event. Unit: different times.", ge=1, le=20
    )
    coe_short_term: Duration = named(
        3 * DAY,
        "R8: short-term is hours; what is due later than this after the event is not worked on around the clock.",
    )
    coe_promise_within: Duration = named(
        183 * DAY, "R9: significant prevention comes in weeks to months; half a year is where months end."
    )
    stall_part: Share = named(
        0.05,
        "L3: a campaign's progress is a twentieth of those affected at the start: more than metrics waver, and at one"
        " step a month still the better part of two years. Unit: a share, 0 to 1.",
    )
    stall_after: Round = named(
        28 * DAY,
        "L3: no such progress for this long is a stall: four weeks hold a planning round of everybody who has to act.",
    )
    stall_every: Round = named(
        7 * DAY, "L3: a campaign that stalls says so this often at most: moving up is planned in weeks."
    )

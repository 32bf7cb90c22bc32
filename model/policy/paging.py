"""Whom a page wakes, and when the next one is woken."""

from model.policy.kinds import MINUTE, SECOND, BySeverity, Count, Numbers, Round, minutes, named
from model.times import Duration


class Paging(Numbers):
    """Whom a page wakes, and when the next one is woken."""

    next_channel_within: BySeverity = named(
        minutes({1: 2, 2: 2, 3: 5}),
        "E3: an unanswered page goes to the same person's next channel after this. Long enough to wake up "
        "and press a button, short enough that a silent phone costs little.",
    )
    provider_at_once: Count = named(
        50,
        "E3: pages under way at one provider, of one worker; the others wait for their turn, the worst first. Mail "
        "servers take 50 connections of one sender (Postfix's default). Unit: pages.",
        ge=1,
        le=300,
    )
    provider_patience: Duration = named(
        3 * SECOND, "E3: a page not taken after this much waiting was left without an answer; a quick no is an answer."
    )
    provider_unanswered: Count = named(
        3,
        "E3: a provider that left so many pages in a row without an answer is left alone, and the next channels are "
        "used at once: one may be lost on its way, three are none by chance. Unit: pages.",
        ge=1,
        le=50,
    )
    provider_rest: Duration = named(
        15 * SECOND,
        "E3: for this long; then one page asks again. Shorter than the first pause before somebody without another "
        "channel is paged again (40 s).",
    )
    bundle_within: Duration = named(
        2 * SECOND,
        "E6: further pages to a contact within this of the last one go out together, as one. Short: the second may be "
        "another team's, and must not wait. At most 3 s: the page's own time ends soon after.",
        le=3 * SECOND,
    )
    next_level_within: BySeverity = named(
        minutes({1: 5, 2: 5, 3: 10}),
        "E3: still unanswered, the team's next level is paged after this, counted from the level's first page.",
    )
    beyond_team_within: BySeverity = named(
        minutes({1: 10, 2: 10, 3: None}),
        "E3: still unanswered, incident response and the team's manager are paged after this, counted from"
        " the first page. At severity 3 it is no time: they follow after the last level.",
    )
    call_leader_within: BySeverity = named(
        minutes({1: 15, 2: 15, 3: None}),
        "E3, C11: still unanswered, a call leader is paged after this, counted from the first page. Never "
        "at severity 3: so few people carry this rota that it must be worth it.",
    )
    shout_again_every: Round = named(
        30 * MINUTE,
        "E3: after 'nobody was reachable' the whole round is repeated this often. Silence must never win.",
    )
    stop_paging_when_clear_for: Duration = named(
        2 * MINUTE,
        "E6: paging stops when the alarm has been clear for this long and nobody has come. A flapping "
        "alarm does not get away, a blip wakes nobody further.",
    )
    join_within: Duration = named(
        5 * MINUTE,
        "C1, design §5: in a full response, who acknowledged and has not joined after this is paged once "
        "more, then incident response is told.",
    )
    shift_told_before: Duration = named(
        30 * MINUTE,
        "E3, C11: this long before somebody's shift ends in an open incident, they and who follows are told: time to "
        "finish a sentence and to hand over in words, and not so early that it is forgotten.",
    )
    working_morning_hour: Count = named(
        9,
        "E6: the local hour, Monday to Friday, at which severity 4 and 5 reach their owner. Unit: hour of the day.",
        ge=0,
        le=23,
    )

"""Every number that decides who is woken, who decides and what leaves the house (design §5).

Each has a name, a unit and a reason here and nowhere else, and any can be overridden: per organisation in
the catalogue's `policy:`, per rehearsal in a drill's. Row ids such as E3 refer to `docs/process.md`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from model.times import Duration, refusing, short, shown

WAKING: Final = (1, 2, 3)
"""The severities that page people; 4 and 5 become a ticket and never wake anybody (E6)."""

_WAKING_TEXTS: Final = tuple(str(severity) for severity in WAKING)
_SHORTEST_ROUND: Final = timedelta(milliseconds=100)
_WORKING_DAYS: Final = re.compile(r"([0-9]{1,4})\s*(?:d|days?|working days?)?")
_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Name what a misspelt word may have meant: ``"; did you mean 'kpis'?"``, or what else there is."""
    names = list(known)
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(word).lower(), list(by_lower), n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(by_lower[name]) for name in near) + "?"
    return f"; known are {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{shown(value)} is not a whole number; write for example 3")
    return value


def _working_days(value: object) -> int:
    if isinstance(value, str) and (match := _WORKING_DAYS.fullmatch(value.strip().lower())):
        return int(match[1])
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{shown(value)} is not a number of working days; write for example 10 or 10d")
    return value


def _share(value: object) -> float:
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        return float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a share; write for example 0.2 or 20%")
    return float(value)


def _not_for_ever(value: timedelta) -> timedelta:
    # A round of no length would spin for ever; drills in real time count in seconds, so this stays far below.
    if value < _SHORTEST_ROUND:
        raise _refuse("a repeated round takes at least 0.1s")
    return value


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


Count = Annotated[int, BeforeValidator(refusing(_whole))]
WorkingDays = Annotated[int, BeforeValidator(refusing(_working_days)), Field(ge=0, le=1000)]
"""A number of working days (Monday to Friday), to be counted with `model.times.add_working_days`."""
Share = Annotated[float, BeforeValidator(refusing(_share)), Field(ge=0, le=1)]
"""A share from 0 to 1; people may write ``20%``."""
Round = Annotated[Duration, AfterValidator(_not_for_ever)]
"""The time between two rounds of something that repeats, so never zero."""


class BySeverity(RootModel[dict[int, Duration | None]]):
    """A duration for each severity that wakes people; none means that this never happens at that severity."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _severities(cls, data: Any) -> Any:
        if isinstance(data, BySeverity):
            return data
        if not isinstance(data, Mapping):
            said = f"{shown(data)} is not a duration for each severity"
            raise _refuse(f"{said}; write for example {{1: 2m, 3: 5m}}")
        for severity in data:
            if str(severity) not in _WAKING_TEXTS:
                said = f"{shown(severity)} is no severity that wakes people"
                raise _refuse(f"{said}: 1, 2 and 3 do, 4 and 5 never")
        return {int(severity): value for severity, value in data.items()}

    def at(self, severity: int) -> timedelta | None:
        """Return the duration at this severity; None when it never happens there."""
        return self.root.get(severity)

    def _with(self, given: Any, template: "BySeverity") -> Any:
        """Merge what a person wrote over this; one duration alone is meant wherever `template` has one."""
        if isinstance(given, BySeverity):
            given = given.root
        if isinstance(given, Mapping):
            # In JSON, and sometimes in YAML, a severity is text; what is no severity stays, to be refused.
            read = {int(s) if str(s) in _WAKING_TEXTS else s: d for s, d in given.items()}
            return {**self.root, **read}
        if given is None:
            return given  # an empty line in YAML; to say "never" takes an explicit {1: null}
        return {**self.root, **{s: given for s, d in template.root.items() if d is not None}}


def _minutes(by_severity: dict[int, int | None]) -> BySeverity:
    return BySeverity({s: None if m is None else timedelta(minutes=m) for s, m in by_severity.items()})


def _named(default: Any, description: str, **bounds: Any) -> Any:
    return Field(default=default, description=description, **bounds)


_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Policy(BaseModel):
    """The numbers in force. Fields are durations unless their description names another unit.

    A name that does not exist is refused, with the names it may have meant. Only JSON is read more kindly,
    since that is how an incident carries its policy in its own state: a name that a newer version wrote is
    ignored there, because a refusal would stop a running incident.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # --- Whom a page wakes, and when the next one is woken ----------------------------------------
    next_channel_within: BySeverity = _named(
        _minutes({1: 2, 2: 2, 3: 5}),
        "E3: an unanswered page goes to the same person's next channel after this. Long enough to wake up "
        "and press a button, short enough that a silent phone costs little.",
    )
    provider_at_once: Count = _named(
        50,
        "E3: pages under way at one provider, of one worker; the others wait for their turn, the worst first. Mail "
        "servers take 50 connections of one sender (Postfix's default). Unit: pages.",
        ge=1,
        le=300,
    )
    provider_patience: Duration = _named(
        3 * _SECOND, "E3: a page not taken after this much waiting was left without an answer; a quick no is an answer."
    )
    provider_unanswered: Count = _named(
        3,
        "E3: a provider that left so many pages in a row without an answer is left alone, and the next channels are "
        "used at once: one may be lost on its way, three are none by chance. Unit: pages.",
        ge=1,
        le=50,
    )
    provider_rest: Duration = _named(
        15 * _SECOND,
        "E3: for this long; then one page asks again. Shorter than the first pause before somebody without another "
        "channel is paged again (40 s).",
    )
    bundle_within: Duration = _named(
        2 * _SECOND,
        "E6: further pages to a contact within this of the last one go out together, as one. Short: the second may be "
        "another team's, and must not wait. At most 3 s: the page's own time ends soon after.",
        le=3 * _SECOND,
    )
    next_level_within: BySeverity = _named(
        _minutes({1: 5, 2: 5, 3: 10}),
        "E3: still unanswered, the team's next level is paged after this, counted from the level's first page.",
    )
    beyond_team_within: BySeverity = _named(
        _minutes({1: 10, 2: 10, 3: None}),
        "E3: still unanswered, incident response and the team's manager are paged after this, counted from"
        " the first page. At severity 3 it is no time: they follow after the last level.",
    )
    call_leader_within: BySeverity = _named(
        _minutes({1: 15, 2: 15, 3: None}),
        "E3, C11: still unanswered, a call leader is paged after this, counted from the first page. Never "
        "at severity 3: so few people carry this rota that it must be worth it.",
    )
    shout_again_every: Round = _named(
        30 * _MINUTE,
        "E3: after 'nobody was reachable' the whole round is repeated this often. Silence must never win.",
    )
    stop_paging_when_clear_for: Duration = _named(
        2 * _MINUTE,
        "E6: paging stops when the alarm has been clear for this long and nobody has come. A flapping "
        "alarm does not get away, a blip wakes nobody further.",
    )
    join_within: Duration = _named(
        5 * _MINUTE,
        "C1, design §5: in a full response, who acknowledged and has not joined after this is paged once "
        "more, then incident response is told.",
    )
    shift_told_before: Duration = _named(
        30 * _MINUTE,
        "E3, C11: this long before somebody's shift ends in an open incident, they and who follows are told: time to "
        "finish a sentence and to hand over in words, and not so early that it is forgotten.",
    )
    working_morning_hour: Count = _named(
        9,
        "E6: the local hour, Monday to Friday, at which severity 4 and 5 reach their owner. Unit: hour of the day.",
        ge=0,
        le=23,
    )

    # --- When one service's trouble becomes everybody's -------------------------------------------
    aggregate_services: Count = _named(
        3, "D3, E2: this many services in alarm at once make an event multi-service. Unit: services.", ge=1
    )
    aggregate_teams: Count = _named(
        2,
        "D3, E2: they must belong to at least this many teams: one team's three services are one team's "
        "event. Unit: teams.",
        ge=1,
    )
    aggregate_overlap: Duration = _named(
        30 * _MINUTE,
        "D3: an alarm counts towards simultaneity for at most this long after it began; one that has burnt"
        " for a week says nothing about now.",
    )
    flap_changes: int = _named(
        6,
        "D1: an alarm that changed its state more often than this within `flap_within` flaps: it is held in ALARM, and"
        " said so. Six is three times to and fro; less is an alarm near its threshold. Unit: changes.",
        ge=2,
    )
    flap_within: Duration = _named(30 * _MINUTE, "D1: the window in which the changes of an alarm are counted.")
    flap_quiet_for: Duration = _named(
        15 * _MINUTE, "D1: a flapping alarm must keep still for this long until its word counts again."
    )
    crowd: int = _named(
        50,
        "D1: alarms of one service in one region kept one by one; more are kept together as one more alarm, so that ten"
        " thousand hosts do not fill the state. Unit: alarms.",
        ge=1,
    )
    aggregate_sources_for: Duration = _named(
        3 * _MINUTE,
        "D3: two kinds of source in alarm on one service for this long start a full response. The wait "
        "lets two views of one blip clear.",
    )
    reports_customers: Count = _named(
        3,
        "D5: this many different customers reporting within reports_within open an incident. One may be "
        "alone with a mistake of their own, three are not. Unit: customers.",
        ge=1,
    )
    reports_count: Count = _named(
        10, "D5: so does this many reports by case or phone, whoever they come from. Unit: reports.", ge=1
    )
    reports_within: Duration = _named(15 * _MINUTE, "D5: the window in which reports are counted together.")
    reports_false_alarms: float = _named(
        0.25,
        "D5: once it is learned how many reports are usual, an uptick is what happens at most this often by chance in a"
        " service's region. Unit: times a week.",
        gt=0,
        le=7,
    )
    case_remembered: Duration = _named(
        _DAY,
        "D5: a support case told again within this is the same report; case systems tell every change of a case.",
    )
    watch_blind_after: int = _named(
        3,
        "D4: after this many attempts in a row that brought nothing to judge, somebody is told: nobody goes blind"
        " unseen. Unit: attempts.",
        ge=1,
    )
    reopen_within: Duration = _named(
        60 * _MINUTE,
        "Design §2: an alarm this soon after closing reopens the incident; a later one opens a new one, linked.",
    )

    # --- What is known, by when -------------------------------------------------------------------
    impact_within: Duration = _named(
        10 * _MINUTE,
        "C3: an engaged team owes an impact statement this long after joining; 'not known yet' counts as one.",
    )
    impact_chase_by_leader: Duration = _named(
        10 * _MINUTE,
        "C3: a statement still missing this long after the person was reminded is chased by incident response.",
    )
    message_clock_skew: Duration = _named(
        5 * _MINUTE,
        "Design §3: a message's own time may lie this far in the future; beyond that its clock is wrong.",
    )

    # --- What customers are told ------------------------------------------------------------------
    external_hold: Duration = _named(
        5 * _MINUTE,
        "C9: the first external draft goes out unless somebody holds it for this long. Speed comes first, "
        "and a person has had a fair look.",
    )
    external_every: Round = _named(
        20 * _MINUTE,
        "C9: support is asked for the next external message this often; each says when the next comes.",
    )
    external_calm_after: Duration = _named(
        2 * _HOUR, "C9: after this long, counted from the first external message, the slower rhythm begins."
    )
    external_calm_every: Round = _named(30 * _MINUTE, "C9: the slower rhythm of external messages.")
    external_unattended: Count = _named(
        2,
        "C9: at most this many 'still working' messages go out in a row with nobody behind them, then "
        "support's next level and a call leader are paged: customers notice a machine. Unit: messages.",
        ge=0,
    )
    internal_every: Round = _named(
        15 * _MINUTE,
        "C8: field and account teams get the internal status this often: more often than customers, so "
        "that nobody hears it from a customer first.",
    )

    # --- Mitigation -------------------------------------------------------------------------------
    deployment_window: Duration = _named(
        60 * _MINUTE,
        "M2: deployments started at most this long before the first alarm, or still running, are suspects.",
    )
    suspicion_proposals: Count = _named(
        3,
        "M2: the nearest this many suspects become proposals, the rest are a list: more than a few choices"
        " at night are none. Unit: proposals.",
        ge=0,
    )
    proposal_expires: Duration = _named(
        30 * _MINUTE,
        "M1: an undecided proposal expires after this; what it was based on has changed by then.",
    )
    clear_within: Duration = _named(
        15 * _MINUTE, "M3: an executed mitigation that has not cleared the alarms within this has failed."
    )
    verification_window: Duration = _named(
        10 * _MINUTE,
        "M3: alarms stay clear, and customers are asked, for this long before an event counts as mitigated.",
    )

    # --- Closing and learning ---------------------------------------------------------------------
    short_term_every: Round = _named(
        _HOUR,
        "R8, X1: owners of short-term fixes are asked this often until the fix is in place, day and night.",
    )
    coe_due: Duration = _named(
        5 * _DAY, "R1: a COE is due this long after it was assigned when a customer-facing RCA rests on it."
    )
    coe_due_without_rca: WorkingDays = _named(
        10, "R1: otherwise it is due after this many days of work. Unit: working days, Monday to Friday."
    )
    rca_due: Duration = _named(
        7 * _DAY, "R7: the RCA is promised to customers this long after the first mitigation, at most."
    )
    rca_draft_due: Duration = _named(2 * _DAY, "R7: its draft is due this long after the first mitigation.")
    rca_manager_due: Duration = _named(4 * _DAY, "R7: a draft still missing by then is taken to the author's manager.")
    rca_approval_due: Duration = _named(5 * _DAY, "R7: its approval is due by then, with two days left to repair it.")
    rca_recall_within: Duration = _named(
        10 * _MINUTE,
        "R7: an approved RCA can be recalled for this long; it is delivered once, with no second try.",
    )
    slip_days: Duration = _named(
        2 * _DAY, "R10: an action item's date may slip by this in total without asking anybody."
    )
    slip_share: Share = _named(
        0.2,
        "R10: or by this share of the span first promised, where that is more: four weeks may take one "
        "more. Unit: a share, 0 to 1.",
    )
    slip_cap: Duration = _named(
        14 * _DAY,
        "R10: but never by more than this in total without the manager's consent: 'never by months'.",
    )
    validate_within: Duration = _named(
        14 * _DAY, "R11: an implemented action item is to be validated within this; unproven is not done."
    )
    acknowledged_late: Duration = _named(
        10 * _MINUTE,
        "X3: a team that took longer than this to acknowledge is suggested a post-mortem: by then its manager was"
        " paged.",
    )
    hypotheses_effort: Duration = _named(
        20 * _MINUTE,
        "M5: hypotheses get fifteen to twenty minutes of effort at the end, while everybody is there; not a date.",
    )
    patch_every: Round = _named(
        7 * _DAY,
        "M1, R8: who decided a mitigation owns it, and is asked this often what replaces it, while the incident is "
        "open: a patch is temporary, and the week is when work is planned.",
    )
    in_force_every: Round = _named(
        30 * _DAY,
        "R8: the owner of a short-term fix in force is asked for its successor this often: 'never for ever'.",
    )
    remind_before: Duration = _named(
        _DAY,
        "R1, R8: a date is recalled this long before it, when there is time left to keep it or to say that it moves.",
    )
    overdue_every: Round = _named(
        _DAY, "R8, R10: what is overdue is asked for this often at first: every working group has a daily round."
    )
    overdue_manager_after: Duration = _named(
        _DAY, "R8, R10: the manager hears what has been overdue for this long; before, its owner may just be late."
    )
    overdue_calm_after: Duration = _named(
        7 * _DAY, "R8, R10: overdue for this long, it is asked for more rarely: a reminder nobody reads is none."
    )
    overdue_calm_every: Round = _named(7 * _DAY, "R8, R10: the slower rhythm of what is overdue.")
    plan_fresh_for: Round = _named(
        30 * _DAY,
        "R8: who belongs to a team is asked again this often: action items live for years, and people change teams.",
    )
    coe_review_team: Duration = _named(
        3 * _DAY, "L1: the team reviews a COE within this, while everybody still remembers."
    )
    coe_review_organisation: Duration = _named(
        7 * _DAY, "L1: the wider organisation reviews it within this: each reads one at its weekly meeting."
    )
    coe_rework: Duration = _named(
        3 * _DAY, "L1: a returned COE is due again after this: comments are answered, not written anew."
    )
    operations_weekday: Count = _named(
        2,
        "L1: the operational metrics meeting is on Wednesdays. Unit: day of the week, 0 (Monday) to 6 (Sunday).",
        ge=0,
        le=6,
    )
    coe_paragraphs: Count = _named(
        3, "R2: a story of fewer paragraphs than this does not stand alone. Unit: paragraphs.", ge=1, le=20
    )
    coe_times: Count = _named(
        3, "R2: fewer times of day than this are no life of an event. Unit: different times.", ge=1, le=20
    )
    coe_short_term: Duration = _named(
        3 * _DAY,
        "R8: short-term is hours; what is due later than this after the event is not worked on around the clock.",
    )
    coe_promise_within: Duration = _named(
        183 * _DAY, "R9: significant prevention comes in weeks to months; half a year is where months end."
    )
    stall_part: Share = _named(
        0.05,
        "L3: a campaign's progress is a twentieth of those affected at the start: more than metrics waver, and at one"
        " step a month still the better part of two years. Unit: a share, 0 to 1.",
    )
    stall_after: Round = _named(
        28 * _DAY,
        "L3: no such progress for this long is a stall: four weeks hold a planning round of everybody who has to act.",
    )
    stall_every: Round = _named(
        7 * _DAY, "L3: a campaign that stalls says so this often at most: moving up is planned in weeks."
    )

    # --- The system's own limits ------------------------------------------------------------------
    snapshot_timeline: Count = _named(
        200,
        "Design §2: this many last timeline entries stay in an incident's state. A state over 2 MiB stops "
        "a workflow for good. Unit: entries.",
        ge=10,
        le=500,
    )
    crowd_members: int = _named(
        20_000,
        "D1: alarms remembered of a partition's crowds, a dozen bytes each. Who comes after that finds its crowd in"
        " ALARM already; its OK changes nothing. Unit: alarms.",
        ge=0,
    )
    metrics_kept: int = _named(
        500,
        "D6: metrics of a partition of which the last told value is kept for the dashboard, a hundred bytes each. Unit:"
        " metrics.",
        ge=0,
        le=2000,
    )
    reports_kept: int = _named(
        1000,
        "D5: customer reports of the last two hours kept as evidence, the newest. All are counted. Unit: reports.",
        ge=1,
        le=1000,
    )
    report_histories: int = _named(
        60,
        "D5: services and regions of a partition of which it is learned how many reports are usual, at most 4 KB each;"
        " for others the fixed numbers decide. Unit: series.",
        ge=0,
        le=200,
    )
    cases_kept: int = _named(5000, "D5: support cases remembered, two dozen bytes each. Unit: cases.", ge=0, le=20_000)
    unreadable_kept: int = _named(
        50, "Design §3: what could not be read of a partition's messages, kept and shown. Unit: messages.", ge=1, le=500
    )
    answers_kept: int = _named(
        50,
        "Design §2: first answers kept of a partition's updates, for senders who ask again. Unit: answers.",
        ge=1,
        le=500,
    )
    text_limit: Count = _named(
        4096,
        "Design §2: free text in one message, at most; the rest belongs behind a link. Unit: bytes of UTF-8.",
        ge=160,
        le=8192,
    )
    mirror_rest: Round = _named(
        3 * _SECOND, "C4: lines of a record that come within this reach tickets and rooms outside together."
    )
    mirror_patience: int = _named(
        3, "Design §6.3: a ticket or room that was not reached so many times in a row is named in the timeline.", ge=1
    )
    owed_retry_first: Round = _named(
        5 * _SECOND, "Design §6.1: a failed effect is tried again after this, then twice as long each time."
    )
    owed_retry_most: Round = _named(
        10 * _MINUTE, "Design §6.1: and never less often than this, for as long as it is owed."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_people_write(cls, data: Any, info: ValidationInfo) -> Any:
        """Refuse misspelt names helpfully, and fill in the severities that an override leaves out."""
        if not isinstance(data, Mapping):
            return data
        unknown = [name for name in data if name not in cls.model_fields]
        if unknown and info.mode == "python":
            raise _refuse("; ".join(unknown_policy_name(name) for name in unknown))
        return {name: cls._filled(name, value) for name, value in data.items() if name not in unknown}

    @model_validator(mode="after")
    def _can_happen(self) -> "Policy":
        if self.aggregate_teams > self.aggregate_services:
            raise _refuse(
                f"aggregate_teams ({self.aggregate_teams}) is more than aggregate_services "
                f"({self.aggregate_services}): so few services never have so many teams"
            )
        return self

    @classmethod
    def _filled(cls, name: str, value: Any, base: BySeverity | None = None) -> Any:
        template = cls.model_fields[name].default
        return (base or template)._with(value, template) if isinstance(template, BySeverity) else value

    def overridden(self, overrides: Mapping[str, Any] | None) -> "Policy":
        """Return this policy with some numbers replaced; what is not named stays.

        Args:
            overrides: Name to value, as people write them in YAML. A number by severity may be given for some
                severities only, or as one duration for all that have one by default.

        Raises:
            pydantic.ValidationError: With a sentence for each name or value that cannot be read.
        """
        given = dict(overrides or {})
        merged = {name: getattr(self, name) for name in type(self).model_fields}
        for name, value in given.items():
            base = merged.get(name)
            merged[name] = self._filled(name, value, base) if isinstance(base, BySeverity) else value
        return Policy.model_validate(merged)

    def described(self) -> list[tuple[str, str, str]]:
        """List every number as name, value and reason, for the CLI and the guides."""
        return [
            (name, _written(getattr(self, name)), field.description or "")
            for name, field in type(self).model_fields.items()
        ]


def unknown_policy_name(name: object) -> str:
    """Say that there is no such number, and which it may have been."""
    return f"there is no policy number {shown(name)}{did_you_mean(name, Policy.model_fields)}"


def _written(value: Any) -> str:
    if isinstance(value, timedelta):
        return short(value)
    if isinstance(value, BySeverity):
        return ", ".join(f"{s}: {'never' if d is None else short(d)}" for s, d in sorted(value.root.items()))
    return str(value)

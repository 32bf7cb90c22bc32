"""Customers report: counted per service and region, judged, and handed to an incident as evidence (D5).

While little is known of what is usual, fixed numbers decide (policy `reports_…`). Once a week or so has taught what is
usual, `model.detect.uptick` does: ten cases in a quarter of an hour are an event for one service and a Monday morning
for another. Cases and calls are counted apart from social posts, which alone wake nobody.

The moment of arrival counts, so that a sender's clock may be minutes off. A report that says it is older is believed:
it belongs to its own hour, and cases of the last weeks, sent oldest first, teach what is usual and open nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from model import messages
from model.detect.opening import covering, forward, is_open, open_incident, tell_reports
from model.detect.partition import Detection, Heard, Resolved
from model.detect.uptick import LONGEST, WINDOWS, History, Judged, Rule
from model.incident import ReportFact
from model.matter import unique
from model.policy import Policy
from model.text import cut

DIRECT = "direct"
"""Reports by case or phone: somebody took the trouble."""
SOCIAL = "social"
NAMED = 5
"""Customers named in an incident's title; the evidence has all."""
_MARK = 10
_SEPARATOR = "\t"  # no name has one


def decide(state: Detection, report: messages.Report, arrived_at: datetime, resolved: Resolved, now: datetime) -> None:
    """Count a report, and open an incident or tell the open one where that is due."""
    home = resolved.facts.partition
    if home != state.partition:
        state.owe(forward(state, home, "report", report), now)
        return
    if _known_case(state, report, now):
        state.repeats += 1
        return
    rule = _rule(state.policy)
    heard = _heard(report, _when(report, arrived_at, state.policy))
    if not heard.test:
        _count(state, rule, heard, now)
    if now - heard.at >= LONGEST * rule.every:
        return
    state.reports = [r for r in [*state.reports, heard] if now - r.at < LONGEST * rule.every]
    del state.reports[: -state.policy.reports_kept]
    event = _event(state, rule, heard, now)
    known = covering(state, heard.service, heard.test)
    if known and is_open(known):
        over = event.why if event and event.direct else ""
        tell_reports(state, known.id, heard.fact, over, now)
    elif event:
        _open(state, heard, event, resolved, now)


@dataclass(frozen=True)
class _Event:
    """Why reports are an event.

    Attributes:
        direct: By case or phone: customers are hit. Social noise alone is not enough for that.
        within: How far back the reports go that make it one.
    """

    why: str
    direct: bool
    within: timedelta


def _open(state: Detection, heard: Heard, event: _Event, resolved: Resolved, now: datetime) -> None:
    evidence = [r.fact for r in _of(state, heard) if now - r.at <= event.within]
    open_incident(
        state,
        [],
        now,
        services=[heard.service],
        regions=unique(r.region for r in evidence),
        plan=resolved.plan,
        title=event.why,
        severity=2 if event.direct else 4,
        detected_by="reports",
        customers_hit=event.why if event.direct else "",
        reports=evidence,
        test=heard.test,
    )


def _heard(report: messages.Report, at: datetime) -> Heard:
    return Heard(
        at=at,
        service=report.service,
        region=report.region,
        source=report.source,
        count=report.count,
        customer=report.customer,
        text=report.text,
        link=cut(report.link, messages.MACHINE_WORDS),
        case=report.case,
        test=report.test,
    )


def _when(report: messages.Report, arrived_at: datetime, policy: Policy) -> datetime:
    """Return when a report counts: as it arrives, unless it says that it is older than a clock may be wrong."""
    late = report.at is not None and arrived_at - report.at > policy.message_clock_skew
    return report.at if late and report.at else arrived_at


def _known_case(state: Detection, report: messages.Report, now: datetime) -> bool:
    """Whether this case was counted already; remembers it. It may be told again with every change of it."""
    if not report.case:
        return False
    while state.cases and now - state.cases[first := next(iter(state.cases))] >= state.policy.case_remembered:
        del state.cases[first]
    said = f"{report.test} {report.service} {report.case}"
    mark = hashlib.sha256(said.encode()).hexdigest()[:_MARK]
    if mark in state.cases:
        return True
    state.cases[mark] = now
    while len(state.cases) > state.policy.cases_kept:
        del state.cases[next(iter(state.cases))]
    return False


def _rule(policy: Policy) -> Rule:
    """Return the rule: its shortest window is the one in which reports are counted together."""
    return Rule(policy.reports_within / min(WINDOWS), a_week=policy.reports_false_alarms)


def _kind(report: ReportFact) -> str:
    return SOCIAL if report.source == SOCIAL else DIRECT


def _place(report: ReportFact) -> str:
    return _SEPARATOR.join((_kind(report), report.region, report.service))


def _histories(state: Detection, service: str, kind: str) -> dict[str, History]:
    """Return the histories of a service by region."""
    found = {}
    for place, history in state.histories.items():
        its_kind, region, its_service = place.split(_SEPARATOR, 2)
        if (its_kind, its_service) == (kind, service):
            found[region] = history
    return found


def _count(state: Detection, rule: Rule, heard: Heard, now: datetime) -> None:
    """Add to the history of a service and region; where there is no room for one, the fixed numbers go on deciding."""
    place, tick = _place(heard), rule.tick_of(heard.at)
    if place not in state.histories:
        if len(state.histories) >= state.policy.report_histories and not _forgotten(state, rule, now):
            return
        state.histories[place] = History()
    history = state.histories[place]
    rule.reach(history, tick)
    rule.add(history, tick, heard.count)


def _forgotten(state: Detection, rule: Rule, now: datetime) -> bool:
    """Make room: forget the series of which nothing came for longest, where that is longer than it is remembered."""
    place = min(state.histories, key=lambda name: state.histories[name].tick)
    if rule.tick_of(now) - state.histories[place].tick <= rule.memory:
        return False
    del state.histories[place]
    return True


def _of(state: Detection, heard: Heard) -> list[Heard]:
    """List the recent reports about a service; tests apart from the others."""
    return [r for r in state.reports if (r.service, r.test) == (heard.service, heard.test)]


def _event(state: Detection, rule: Rule, heard: Heard, now: datetime) -> _Event | None:
    """Say why the reports are an event, if they are one: by what is learned, or fixed numbers where nothing is."""
    mine, within = _of(state, heard), state.policy.reports_within
    unknown = [r for r in mine if now - r.at <= within and not _learned(state, r)]
    for why, direct in ((_many(unknown, state.policy), True), (_noise(unknown, state.policy), False)):
        if why:
            return _Event(why, direct, within)
    return _uptick(state, rule, heard, DIRECT, now) or _uptick(state, rule, heard, SOCIAL, now)


def _many(reports: Sequence[ReportFact], policy: Policy) -> str:
    """Say that so many customers, or reports by case or phone, are an event, whatever is usual."""
    direct = [r for r in reports if r.source != SOCIAL]
    customers = {r.customer for r in direct if r.customer}
    within = _said(policy.reports_within)
    if len(customers) >= policy.reports_customers:
        return f"{len(customers)} customers reported within {within} ({_named(direct)})"
    counted = sum(r.count for r in direct)
    return f"{counted} reports by case or phone within {within}" if counted >= policy.reports_count else ""


def _noise(reports: Sequence[ReportFact], policy: Policy) -> str:
    posts = sum(r.count for r in reports if r.source == SOCIAL)
    return f"{posts} social posts within {_said(policy.reports_within)}" if posts >= policy.reports_count else ""


def _learned(state: Detection, report: Heard) -> bool:
    history = state.histories.get(_place(report))
    return not report.test and history is not None and history.learned


def _uptick(state: Detection, rule: Rule, heard: Heard, kind: str, now: datetime) -> _Event | None:
    """Say whether more came than at this time of the week: in the report's region, or in all of the service's."""
    if heard.test:
        return None
    regions = {}
    for region, history in _histories(state, heard.service, kind).items():
        rule.reach(history, rule.tick_of(now))
        if history.learned:
            regions[region] = history
    here = [regions[heard.region]] if heard.region in regions else []
    for together in (here, list(regions.values())):
        for found in rule.judge(together):
            recent = [r for r in _of(state, heard) if now - r.at <= found.window and _kind(r) == kind]
            enough = found.came >= state.policy.reports_count
            enough = enough or (kind == DIRECT and _people(recent) >= state.policy.reports_customers)
            if found.score >= 1 and enough:
                return _Event(_words(found, recent, kind), kind == DIRECT, found.window)
    return None


def _people(reports: Sequence[ReportFact]) -> int:
    """Count who reported: one customer may be alone with a mistake of their own; who gives no name is somebody else."""
    return len({r.customer for r in reports if r.customer}) + sum(r.count for r in reports if not r.customer)


def _words(found: Judged, recent: Sequence[Heard], kind: str) -> str:
    what = "reports by case or phone" if kind == DIRECT else "social posts"
    named = _named(recent)
    due = f"{found.due:.1f}" if found.due >= 0.05 else "none"
    whom = f" ({named})" if named else ""
    return f"{found.came:.0f} {what} in {_said(found.window)}, {due} expected at this hour of the week{whom}"


def _named(reports: Sequence[ReportFact]) -> str:
    customers = sorted({r.customer for r in reports if r.customer})
    more = f" and {len(customers) - NAMED} more" if len(customers) > NAMED else ""
    return ", ".join(customers[:NAMED]) + more


def _said(duration: timedelta) -> str:
    minutes = duration.total_seconds() / 60
    return f"{minutes / 60:g} hours" if minutes >= 120 else f"{minutes:g} minutes"

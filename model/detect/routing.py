"""From alarms and reports to incidents: opened, joined, promoted, reopened (D1, D3, D5, E2)."""

from datetime import datetime
from typing import Literal

from model import messages
from model.absorption import HANDOVER_WITHIN, Absorption, Promotion, SplitOff
from model.catalogue.plan import Plan
from model.detect import crowd, damping, reports
from model.detect.correlation import Group, several_services
from model.detect.opening import covering, forward, is_open, open_incident, tell_alarms, title_of
from model.detect.partition import UNMAPPED, Arrived, Detection, Known, Resolved, Told, Watched, key_of, metric_key
from model.effects import Signal
from model.handing import fewer_alarms
from model.incident import AlarmFact
from model.matter import unique


def services_of(arrived: Arrived) -> list[tuple[str, str, str]]:
    """Return the service, region and metric the catalogue must be asked for."""
    if arrived.alarm:
        return [(arrived.alarm.service, arrived.alarm.region, arrived.alarm.metric)]
    if arrived.report:
        return [(arrived.report.service, arrived.report.region, "")]
    if arrived.split:
        return [(arrived.split.service, "", "")]
    if arrived.declare:
        region = arrived.declare.region
        return [(service, region, "") for service in arrived.declare.services] or [("", region, "")]
    return []


def decide(state: Detection, arrived: Arrived, resolved: dict[str, Resolved], now: datetime) -> None:
    """Decide what one message means, with the catalogue's answer for its services."""
    if arrived.alarm:
        _decide_alarm(state, arrived.alarm, arrived.at, resolved[arrived.alarm.service], now)
    elif arrived.report:
        reports.decide(state, arrived.report, arrived.at, resolved[arrived.report.service], now)
    elif arrived.declare:
        _open_declared(state, arrived.declare, arrived.declared_as, resolved, now)
    elif arrived.split:
        _split_off(state, arrived.split, arrived.declared_as, resolved[arrived.split.service], now)


def _decide_alarm(
    state: Detection, alarm: messages.Alarm, arrived_at: datetime, resolved: Resolved, now: datetime
) -> None:
    home = resolved.facts.partition
    if home != state.partition:
        state.owe(forward(state, home, "alarm", alarm), now)
        return
    taken = crowd.stands_for(state, alarm)
    if taken is None:
        return
    alarm = taken
    key = key_of(alarm.service, alarm.region, alarm.alarm, alarm.test)
    known = state.alarms.get(key)
    skew = state.policy.message_clock_skew
    at = min(max(alarm.at or arrived_at, arrived_at - skew), arrived_at)
    _note_metric(state, alarm, at)
    held = damping.damping(_flapped(state, key, at), now, _flap_rule(state))
    if known and (held.damped or alarm.state == "ALARM"):
        _hold(state, known, alarm.state, held, now)
        return
    if alarm.state == "OK":
        if known:
            _cleared(state, key, known, at, now)
        return
    fact = AlarmFact(
        alarm=alarm.alarm,
        service=alarm.service,
        region=alarm.region,
        metric=alarm.metric,
        source=alarm.source,
        since=at,
        severity=alarm.severity or resolved.facts.kpi_severity or 3,
        summary=alarm.summary,
        link=alarm.link,
        value=alarm.value,
        threshold=alarm.threshold if alarm.threshold is not None else resolved.facts.kpi_threshold,
        unit=resolved.facts.kpi_unit,
        flapping=held.why,
    )
    watched = Watched(fact=fact, team=resolved.facts.team, test=alarm.test, plan=resolved.plan)
    watched.silenced = is_silent(state, fact.service, fact.region, now)
    state.alarms[key] = watched
    if not watched.silenced:
        place(state, watched, now)
        if len(state.alarms) > state.policy.alarms_in_full:
            fact.summary = fact.link = ""


def _note_metric(state: Detection, alarm: messages.Alarm, at: datetime) -> None:
    """Keep what an alarm says of its metric: the dashboard shows it when the alarm is over, too (D6)."""
    if not alarm.metric or alarm.test:
        return
    key = metric_key(alarm.service, alarm.region, alarm.metric)
    told = state.metrics.pop(key, Told())
    told.ok_since = at if alarm.state == "OK" else None
    if alarm.value is not None:
        told.value, told.at = alarm.value, at
    state.metrics[key] = told
    while len(state.metrics) > state.policy.metrics_kept:
        del state.metrics[next(iter(state.metrics))]


def _flap_rule(state: Detection) -> damping.Rule:
    return damping.Rule(state.policy.flap_changes, state.policy.flap_within, state.policy.flap_quiet_for)


def _flapped(state: Detection, key: str, at: datetime) -> damping.Flapping:
    """Note that an alarm changed its state."""
    before = state.damped.pop(key, None) or state.flaps.pop(key, damping.Flapping())
    after = damping.changed(before, at, _flap_rule(state))
    (state.damped if after.since else state.flaps)[key] = after
    while len(state.flaps) > state.policy.flaps_kept:
        del state.flaps[next(iter(state.flaps))]
    return after


def _hold(state: Detection, known: Watched, said: Literal["ALARM", "OK"], held: damping.Damping, now: datetime) -> None:
    """Keep a flapping alarm in ALARM; its incident hears that it flaps once."""
    news = held.damped and not known.fact.flapping
    known.said = said
    known.fact.flapping = held.why
    if news and known.incident:
        tell_alarms(state, known.incident, [known.fact], None, now)


def _cleared(state: Detection, key: str, known: Watched, at: datetime, now: datetime) -> None:
    del state.alarms[key]
    known.fact.state, known.fact.since, known.fact.flapping = "OK", at, ""
    if known.incident:
        tell_alarms(state, known.incident, [known.fact], None, now)


def believe_again(state: Detection, now: datetime) -> list[datetime]:
    """Take flapping alarms that kept still for long enough at their last word.

    Returns:
        When that is so for the others.
    """
    rule, due = _flap_rule(state), []
    for key, flap in list(state.damped.items()):
        held = damping.damping(flap, now, rule)
        if held.until:
            due.append(held.until)
            continue
        del state.damped[key]
        if known := state.alarms.get(key):
            known.fact.flapping = ""
            if known.said == "OK":
                _cleared(state, key, known, flap.changes[-1], now)
    while state.flaps and now - state.flaps[key := next(iter(state.flaps))].changes[-1] > rule.within:
        del state.flaps[key]
    return due


def is_silent(state: Detection, service: str, region: str, now: datetime) -> bool:
    """Whether a silence covers a service in a region."""
    return any(s.until > now and s.service == service and s.region in ("", region) for s in state.silences)


def place(state: Detection, watched: Watched, now: datetime) -> None:
    """Find the incident an alarm belongs to, or open one."""
    known = covering(state, watched.fact.service, watched.test) or _joinable(state, watched)
    if known is None or known.kind == "single_service":
        group = _group(state, watched, now)
        if group and make_event(state, group, watched.test, now):
            return
    if known is None:
        open_incident(state, [watched], now)
        return
    _join(state, known, [watched], now)


def _group(state: Detection, watched: Watched, now: datetime) -> Group | None:
    """Return the multi-service event that an alarm is part of."""
    if not correlates(state):
        return None
    apart = {
        service for known in state.incidents.values() if known.apart and is_open(known) for service in known.services
    }
    together = state.alarms.active(watched.test)
    if apart:
        together = [alarm for alarm in together if alarm.service not in apart]
    group = several_services(together, state.policy, now, watched.fact.region)
    return group if group and watched.fact.service in group.services else None


def correlates(state: Detection) -> bool:
    """Whether alarms of this partition make events together; what nobody knows does not."""
    return state.partition != UNMAPPED


def _joinable(state: Detection, watched: Watched) -> Known | None:
    """Return the open multi-service event of the alarm's region; of what nobody knows, any open incident."""
    anyhow = not correlates(state)
    for known in state.incidents.values():
        one_event = anyhow or (known.kind == "multi_service" and watched.fact.region in known.regions)
        if one_event and known.test == watched.test and is_open(known):
            return known
    return None


def _join(state: Detection, known: Known, alarms: list[Watched], now: datetime) -> None:
    plan = Plan()
    for watched in alarms:
        watched.incident = known.id
        plan = plan.merged(watched.plan) if watched.plan else plan
        watched.plan = None
    known.services = unique([*known.services, *(w.fact.service for w in alarms)])
    known.regions = unique([*known.regions, *(w.fact.region for w in alarms)])
    tell_alarms(state, known.id, [w.fact for w in alarms], plan, now)


def make_event(state: Detection, group: Group, test: bool, now: datetime) -> bool:
    """Promote the oldest incident of an event and let it take the others in.

    Returns:
        Whether there was an incident to promote.
    """
    mine = [w for w in state.alarms.values() if w.test == test and not w.silenced and w.fact.service in group.services]
    open_ones = sorted(
        (
            k
            for k in state.incidents.values()
            if k.test == test and is_open(k) and set(k.services) & set(group.services)
        ),
        key=lambda k: (k.opened_at, k.id),
    )
    if not open_ones:
        return False
    target = next((k for k in open_ones if k.kind == "multi_service"), open_ones[0])
    others = [k for k in open_ones if k is not target]
    plan = Plan()
    newcomers = []
    for watched in mine:
        owner = state.incidents.get(watched.incident)
        if owner is None or not is_open(owner):
            newcomers.append(watched)
            plan = plan.merged(watched.plan) if watched.plan else plan
            watched.plan = None
        watched.incident = target.id
    target.kind = "multi_service"
    target.services = unique(
        [*target.services, *(s for k in others for s in k.services), *(w.fact.service for w in newcomers)]
    )
    target.regions = unique(
        [*target.regions, *(r for k in others for r in k.regions), *(w.fact.region for w in newcomers)]
    )
    promotion = Promotion(
        alarms=fewer_alarms(w.fact for w in newcomers), plan=plan, absorbed=[k.id for k in others], reason=group.reason
    )
    state.owe(Signal(workflow_id=target.id, name="promote", payload=promotion.model_dump(mode="json")), now)
    for other in others:
        _absorb(state, other, target, group.reason, now)
    return True


def take_in(state: Detection, target: Known, others: list[Known], reason: str, now: datetime) -> None:
    """Let one incident take others in, because a person said so."""
    target.kind, target.apart = "multi_service", False
    target.services = unique([*target.services, *(service for other in others for service in other.services)])
    target.regions = unique([*target.regions, *(region for other in others for region in other.regions)])
    promotion = Promotion(absorbed=[other.id for other in others], reason=reason)
    state.owe(Signal(workflow_id=target.id, name="promote", payload=promotion.model_dump(mode="json")), now)
    for other in others:
        _absorb(state, other, target, reason, now)


def _split_off(state: Detection, said: messages.Split, name: str, resolved: Resolved, now: datetime) -> None:
    """Open an incident for one service of an event; the event hands over who is on it, and goes on without it."""
    event = covering(state, said.service, said.test)
    if event is None or len(event.services) < 2:
        return  # what was asked for has come about meanwhile
    event.services.remove(said.service)
    alarms = [w for w in state.alarms.values() if w.incident == event.id and w.fact.service == said.service]
    open_incident(
        state,
        alarms,
        now,
        id=name,
        services=[said.service],
        regions=unique(w.fact.region for w in alarms) or event.regions,
        plan=resolved.plan,
        title=title_of(alarms[0].fact) if alarms else f"{said.service}: {said.reason}",
        linked_to=event.id,
        awaiting={event.id: now + HANDOVER_WITHIN},
    )
    state.incidents[name].apart = True
    split = SplitOff(service=said.service, into=name, reason=said.reason, by=said.by)
    state.owe(Signal(workflow_id=event.id, name="split_off", payload=split.model_dump(mode="json")), now)


def _absorb(state: Detection, other: Known, target: Known, reason: str, now: datetime) -> None:
    for watched in state.alarms.values():
        if watched.incident == other.id:
            watched.incident = target.id
    other.phase, other.ended = "absorbed", True
    absorption = Absorption(into=target.id, reason=reason)
    state.owe(Signal(workflow_id=other.id, name="absorb", payload=absorption.model_dump(mode="json")), now)


def _open_declared(
    state: Detection, message: messages.Declare, name: str, resolved: dict[str, Resolved], now: datetime
) -> None:
    plan = Plan()
    for answer in resolved.values():
        plan = plan.merged(answer.plan)
    teams = {resolved[service].facts.team for service in message.services}
    big = len(message.services) > 1 and len(teams) > 1
    regions = (
        [message.region]
        if message.region
        else unique(region for service in message.services for region in resolved[service].facts.regions[:1])
    )
    severity = min(message.severity or 3, 2 if big or message.customers_impacted else 5)
    open_incident(
        state,
        [],
        now,
        id=name,
        services=list(message.services),
        regions=regions,
        plan=plan,
        title=message.title,
        kind="multi_service" if big else "single_service",
        severity=severity,
        detected_by="person",
        opened_by=message.by,
        test=message.test,
        customers_hit=f"declared by {message.by}" if message.customers_impacted else "",
    )


def gone(state: Detection, known: Known, now: datetime) -> None:
    """Take an incident for over; its alarms find another, or open one."""
    known.ended = True
    known.closed_at = known.closed_at or now
    for watched in list(state.alarms.values()):
        if watched.incident == known.id and not watched.silenced:
            watched.incident = ""
            place(state, watched, now)

"""Aggregate alarms: simultaneity of state, not of arrival (D3, design §5)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from model.policy import Policy


@dataclass(frozen=True, slots=True)
class Active:
    """One alarm that is in ALARM, as far as correlation looks at it."""

    key: str
    service: str
    team: str
    region: str
    source: str
    since: datetime


@dataclass(frozen=True)
class Group:
    """Alarms that make one event, and why."""

    services: tuple[str, ...]
    regions: tuple[str, ...]
    reason: str


def several_services(active: Iterable[Active], policy: Policy, now: datetime, region: str = "") -> Group | None:
    """Return the multi-service event these alarms make, if they make one.

    Enough services of enough teams in alarm at once in a region, else in the whole partition, each for no
    longer than `aggregate_overlap`. The order in which the alarms came does not matter.

    Args:
        active: The alarms.
        policy: How many services and teams are enough.
        now: The moment.
        region: Where the question comes from. Its own event counts before those of other regions, so that two regions
            can be in trouble apart from each other.
    """
    oldest = now - policy.aggregate_overlap
    by_region: dict[str, list[Active]] = defaultdict(list)
    for alarm in active:
        if alarm.since >= oldest:
            by_region[alarm.region].append(alarm)
    scopes = [by_region[name] for name in sorted(by_region, key=lambda name: (name != region, name))]
    everywhere = [alarm for scope in scopes for alarm in scope]
    return next((group for scope in [*scopes, everywhere] if (group := _together(scope, policy))), None)


def _together(scope: Sequence[Active], policy: Policy) -> Group | None:
    services = {alarm.service for alarm in scope}
    if len(services) < policy.aggregate_services:
        return None
    teams = {alarm.team for alarm in scope}
    if len(teams) < policy.aggregate_teams:
        return None
    named, regions = tuple(sorted(services)), tuple(sorted({alarm.region for alarm in scope}))
    where = " and ".join(regions)
    reason = f"{len(named)} services of {len(teams)} teams in alarm at once in {where}: {', '.join(named)}"
    return Group(named, regions, reason)


def several_sources(active: Iterable[Active], policy: Policy) -> list[tuple[datetime, Group]]:
    """Return, per service and region, since when it is a full response by several kinds of source, soonest first.

    Two kinds of source (service, subsystem, canary, traffic) in alarm together for `aggregate_sources_for`.
    """
    starts: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
    for alarm in active:
        sources = starts[alarm.service, alarm.region]
        sources[alarm.source] = min(alarm.since, sources.get(alarm.source, alarm.since))
    found = []
    for (service, region), sources in sorted(starts.items()):
        if len(sources) > 1:
            together = sorted(sources.values())[1] + policy.aggregate_sources_for
            minutes = int(policy.aggregate_sources_for.total_seconds() // 60)
            named = " and ".join(sorted(sources))
            reason = f"{service} in {region} is in alarm by {named} for {minutes} min"
            found.append((together, Group((service,), (region,), reason)))
    return sorted(found, key=lambda item: (item[0], item[1].services))

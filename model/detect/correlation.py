"""Aggregate alarms: simultaneity of state, not of arrival (D3, design §5)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from model.policy import Policy


@dataclass(frozen=True)
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


def several_services(active: Iterable[Active], policy: Policy, now: datetime) -> Group | None:
    """Return the multi-service event these alarms make, if they make one.

    Enough services of enough teams in alarm at once in a region, else in the whole partition, each for no
    longer than `aggregate_overlap`. The order in which the alarms came does not matter.
    """
    fresh = sorted(
        (a for a in active if now - a.since <= policy.aggregate_overlap),
        key=lambda a: (a.service, a.region, a.key),
    )
    by_region: dict[str, list[Active]] = defaultdict(list)
    for alarm in fresh:
        by_region[alarm.region].append(alarm)
    scopes: list[Sequence[Active]] = [by_region[region] for region in sorted(by_region)]
    for scope in [*scopes, fresh]:
        services = tuple(sorted({alarm.service for alarm in scope}))
        teams = {alarm.team for alarm in scope}
        if len(services) >= policy.aggregate_services and len(teams) >= policy.aggregate_teams:
            regions = tuple(sorted({alarm.region for alarm in scope}))
            where = " and ".join(regions)
            reason = (
                f"{len(services)} services of {len(teams)} teams in alarm at once in {where}: {', '.join(services)}"
            )
            return Group(services, regions, reason)
    return None


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

"""What the system knows for the closing checklist, said when an event reaches its end (M4, M5, X2).

It answers nothing by itself: people tick the items. Only what a plan and the ticket hold is looked at.
"""

from datetime import datetime

from model.coordinate.audience import impacted
from model.effects import Deployment, Lookup
from model.incident import Incident
from model.matter import unique
from model.mitigate import patches

LINKS = 5
"""Links named one by one; the ticket has all of them."""


def look_back(incident: Incident, now: datetime) -> None:
    """Say what may be lost, who shares what failed, where to look deeper; ask whether something undoes the patches."""
    for said in (data_preserved(incident), shared_components(incident), hypotheses(incident)):
        line = f"note: {said}"
        if said and all(entry.text != line for entry in incident.timeline):
            incident.say("observed", line, now=now)
    # Its answer is known by the first one that has come: what is asked at the start (M2).
    if mitigated(incident) and incident.suspicion:
        order = Lookup(
            incident=incident.id,
            services=mitigated(incident),
            since=incident.opened_at,
            until=now,
            test=incident.test,
        )
        incident.owe(order, now=now, key=f"{incident.id}/lookup/recurrence/{now:%Y%m%d%H%M%S}")


def mitigated(incident: Incident) -> list[str]:
    """Return the services in which a patch is in force."""
    return unique(patch.service for patch in patches.in_force(incident))


def data_preserved(incident: Incident) -> str:
    """Return what of the ticket lies elsewhere, where it may rotate away (X2)."""
    links = unique(entry.link for entry in incident.timeline)
    if not links:
        return ""
    more = f" and {len(links) - LINKS} more" if len(links) > LINKS else ""
    return f"data-preserved: these links may lose their data, copy what matters: {', '.join(links[:LINKS])}{more}"


def shared_components(incident: Incident) -> str:
    """Return who has in it, or depends on, what failed or was patched, as far as this incident's plan knows (M4)."""
    failed = mitigated(incident) or impacted(incident)
    services = incident.plan.services
    said = []
    for name in failed:
        users = [other.id for other in services.values() if name in other.depends_on]
        if users:
            said.append(f"on {name} depend {', '.join(users)}")
        for word in services[name].internal_names if name in services else []:
            others = [other.id for other in services.values() if other.id != name and word in other.internal_names]
            if others:
                said.append(f"{word} of {name} is in {', '.join(others)} too")
    return f"shared-components: {'; '.join(said)}: are they on the brink of the same?" if said else ""


def hypotheses(incident: Incident) -> str:
    """Return where to look deeper: what was patched, then what failed (M5)."""
    candidates = unique([*mitigated(incident), *impacted(incident)])
    if not candidates:
        return ""
    effort = int(incident.policy.hypotheses_effort.total_seconds() // 60)
    how = f"{effort} min of effort, then `check` them with the `services` to dive into"
    return f"hypotheses: {how}; candidates: {', '.join(candidates)}"


def undone_by(incident: Incident, deployments: list[Deployment] | None) -> str:
    """Return what may undo the patches: deployments since the start in what was mitigated (M4)."""
    where = ", ".join(mitigated(incident))
    jobs = "which pipelines and recurring jobs come next, their owners know"
    if deployments is None:
        return f"recurrence: no source of deployments is configured; {jobs}"
    start = incident.opened_at
    since = [d for d in deployments if d.service in mitigated(incident) and (d.started >= start or not d.finished)]
    if not since:
        return f"recurrence: nothing was deployed to {where} since {start:%H:%M}; {jobs}"
    listed = ", ".join(f"{d.service}@{d.version} started {d.started:%H:%M}" for d in since)
    return f"recurrence: {listed}: does it undo the patch? And {jobs}"

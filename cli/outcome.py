"""What came of a drill, in a few lines a newcomer can read."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.say import Cell, line, table
from model.drill import Connected, ConnectedRow, Drill, DrillResult, EngagementRow, IncidentRow, Problem
from model.times import ago
from worker.drill.player import Played

LATE = 5.0
"""Seconds from which on it is said that a story was late: its steps are minutes apart, and some meet a deadline."""
_KINDS = {"single_service": "single-service event", "multi_service": "full response"}


def show(out: Console, drill: Drill, result: DrillResult) -> None:
    """Write what came of a drill: per incident, then what did not go as expected."""
    for row in result.incidents:
        line(out)
        _incident(out, row)
    if not result.incidents:
        line(out, "\nNo incident was opened.")
    if result.connected is not None:
        _outside(out, result.connected)
    _refusals(out, drill, result.problems)
    if result.problems:
        _problems(out, result.problems)
    line(out)
    how = "As expected" if not result.problems else f"{len(result.problems)} did not go as expected"
    virtual, wall = ago(timedelta(seconds=result.virtual_seconds)), f"{result.wall_seconds:.1f} s"
    line(out, f"{how}: {len(drill.steps)} steps, {virtual} played in {wall}.", "bad" if result.problems else "good")


def _incident(out: Console, row: IncidentRow) -> None:
    kind = _KINDS.get(row.kind, row.kind)
    head = Text.assemble((row.id, "bold"), f"  SEV{row.severity} {kind}, ", (row.phase, "bold blue"))
    line(out, head)
    if row.absorbed_into:
        line(out, f"  is part of {row.absorbed_into} now")
        return
    where = f"{', '.join(row.services) or 'no service named'} in {', '.join(row.regions) or 'no region named'}"
    line(out, f"  {where}; {_life(row)}")
    rows = [_team(row, team) for team in row.engagements]
    if rows:
        table(out, ("team", "acknowledged", "joined", "paged"), rows, indent=2)
    _what_was_done(out, row)


def _what_was_done(out: Console, row: IncidentRow) -> None:
    for it in row.mitigations:
        acts = [f"proposed by {it.proposed_by}"]
        said = {"approve": "approved", "reject": "rejected"}.get(it.verdict or "", it.verdict)
        acts += [f"{said} by {it.decided_by or 'allclear'}"] if said else []
        acts += [f"executed {_clock(it.executed_at, row.opened_at)}"] if it.executed_at else []
        acts += [f"verified {_clock(it.verified_at, row.opened_at)}"] if it.verified_at else []
        line(out, f"  {it.kind} {it.target}: {', '.join(acts)}")
    for coe in row.coes:
        about = f", {coe.subject}" if coe.subject else ""
        line(out, f"  COE of {coe.team}{about}: {coe.status}, {coe.author}")
    if row.rca:
        given = row.rca.published_at
        late = " late" if given and given > row.rca.due_at and row.rca.status != "late" else ""
        when = f" {given:%b %d}" if given else ""
        line(out, f"  RCA: {row.rca.status}{late}{when}, due {row.rca.due_at:%b %d}")
    for item in row.actions:
        due = f", due {item.due_at:%b %d}" if item.due_at else ""
        line(out, f"  action {item.n} ({item.horizon}): {item.title}: {item.status}, {item.owner}{due}")


def _life(row: IncidentRow) -> str:
    moments = [
        (f"detected by {row.detected_by}", row.opened_at),
        ("mitigated", row.mitigated_at),
        ("closed", row.closed_at),
        ("all clear", row.all_clear_at),
    ]
    return ", ".join(f"{what} {_clock(at, row.opened_at)}" for what, at in moments if at)


def _team(row: IncidentRow, team: EngagementRow) -> tuple[Cell, ...]:
    if team.acknowledged_at:
        after = ago(_whole(team.acknowledged_at) - _whole(team.paged[0].at)) if team.paged else ""
        waited = f" (after {after})" if after else ""
        said = Text(f"{team.acknowledged_by} {_clock(team.acknowledged_at, row.opened_at)}{waited}", style="green")
    elif team.released_at:
        said = Text("not needed")
    else:
        said = Text("nobody", style="bold red" if team.paged else "")
    joined = _clock(team.joined_at, row.opened_at) if team.joined_at else ""
    return team.team, said, joined, _paged(row, team)


def _paged(row: IncidentRow, team: EngagementRow) -> str:
    """Return who was paged when, each person once."""
    people: dict[str, list[str]] = {}
    for page in team.paged:
        people.setdefault(page.person, []).append(f"{_clock(page.at, row.opened_at)} {page.channel}")
    return "; ".join(f"{person} {', '.join(pages)}" for person, pages in people.items())


def _whole(at: datetime) -> datetime:
    """Cut to whole seconds, as times are shown."""
    return at.replace(microsecond=0)


def _clock(at: datetime, opened: datetime) -> str:
    """Return a time of day, with the day where it is another one."""
    return f"{at:%H:%M}" if at.date() == opened.date() else f"{at:%b %d %H:%M}"


def _outside(out: Console, connected: Connected) -> None:
    line(out)
    line(out, "Outside, as it is there now:", "head")
    table(out, ("system", "of", "where", "holds"), [_held(row) for row in connected.systems], indent=2)
    if connected.late_seconds >= LATE:
        line(out, f"The story was up to {connected.late_seconds:g} s late: what is outside took its time.", "note")


def _held(row: ConnectedRow) -> tuple[Cell, ...]:
    words = {"mail": "sent", "slack": "messages", "matrix": "messages"}.get(row.system, "comments")
    holds = [f"{row.count} {words}"] if row.count is not None else []
    if row.closed is not None and words == "comments":
        holds.append("closed" if row.closed else "open")
    holds += [f"{row.behind} lines behind"] if row.behind else []
    wrong = bool(row.behind or row.error)
    said = Text(", ".join([*holds, *([row.error] if row.error else [])]), style="bad" if wrong else "")
    return row.system.replace("_", " "), row.matter, row.place, said


def _refusals(out: Console, drill: Drill, problems: Sequence[Problem]) -> None:
    """Name the steps that had to be refused: that they were is part of the story."""
    wrong = {problem.step for problem in problems}
    refused = [step for number, step in enumerate(drill.steps, start=1) if step.refused and number not in wrong]
    if refused:
        line(out)
    for step in refused:
        by = step.payload.get("by", "") if isinstance(step.payload, dict) else ""
        words = f': "{step.refused}"' if isinstance(step.refused, str) else ""
        line(out, f"Refused, as it must be: `{step.message}` by {by or 'nobody'} after {ago(step.at)}{words}")


def _problems(out: Console, problems: Sequence[Problem]) -> None:
    line(out)
    rows = [
        (str(it.step), it.at, it.message, it.expected, Text(" ".join(it.got.split()), style="bad")) for it in problems
    ]
    line(out, Text("Not as expected:", style="bad"))
    table(out, ("step", "after", "message", "expected", "got"), rows, indent=2)


def show_next(out: Console, file: Path, played: Played) -> None:
    """Say where the tickets lie, and what to try next."""
    result = played.result
    tickets = [played.tickets[row.id] for row in result.incidents if not row.absorbed_into]
    for path in tickets:
        if path.exists():
            line(out, f"Ticket: {path}")
    others = sorted(it for it in file.parent.glob("*.yaml") if it.name not in (file.name, "catalog.yaml"))
    service = next((row for row in result.incidents if row.services and row.regions), None)
    tries = [("allclear up", "the same for real, on this machine")]
    if others:
        tries.append((f"allclear drill {others[0]}", "another story"))
    if service:
        typed = f"allclear catalog explain {service.services[0]} {service.regions[0]}"
        tries.append((typed, "whom it would wake now"))
    line(out, "Next:")
    table(out, ("", ""), [(Text(typed, style="code"), why) for typed, why in tries], indent=2)

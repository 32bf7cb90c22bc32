"""`allclear catalog`: is it right, whom would it wake, and which numbers are in force."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli import here
from cli.explain import Story, Wake, explain
from cli.say import FAILED, UNUSABLE, Cell, Stop, as_json, console, count, failed, line, table
from cli.talk import Json
from model.catalogue.catalog import GLOBAL, Catalog, Finding, check, gap_findings
from model.policy import did_you_mean
from model.text import Refused
from model.times import ago, iso, parse_moment
from worker.catalogue import calendars_read, counted
from worker.files import read_yaml

_UNIT = re.compile(r"\s*Unit: (.+?)\.?$")


def add(app: typer.Typer) -> None:
    """Add `catalog` with its commands."""
    catalog = typer.Typer(
        help="Check the catalogue, and see whom it would wake and by which numbers.", no_args_is_help=True
    )
    app.add_typer(catalog, name="catalog", rich_help_panel="Look")
    catalog.command("check", epilog="Example: allclear catalog check catalog.yaml")(_check)
    catalog.command("explain", epilog="Example: allclear catalog explain checkout-api eu-west --severity 2")(_explain)
    catalog.command("policy", epilog="Example: allclear catalog policy")(_policy)


def _check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A catalogue; without it, the one of ALLCLEAR_CATALOG.")
    ] = None,
    json: Json = False,
) -> int:
    """Name everything that is wrong in a catalogue, all at once."""
    path = file or here.settings().catalog
    try:
        data = read_yaml(path)
    except Refused as error:
        raise Stop(str(error), UNUSABLE) from None
    findings = _findings(path, data, _moment(None))
    errors = sum(it.level == "error" for it in findings)
    if json:
        as_json([it.model_dump() for it in findings])
    else:
        _show_findings(console(), path, findings, errors)
        if not errors:
            line(console(), f"{path} can be used: {counted(Catalog.load(data))}.", "good")
    return FAILED if errors else 0


def _findings(path: Path, data: Any, at: datetime) -> list[Finding]:
    findings = check(data)
    if any(it.level == "error" for it in findings):
        return check(data, at)
    catalog, said = asyncio.run(calendars_read(here.settings(), path, Catalog.load(data), at))
    unread = [Finding(level="warning", where="on-call calendars", text=text) for text in said]
    return [*findings, *unread, *gap_findings(catalog, at)]


def _show_findings(out: Console, path: Path, findings: Sequence[Finding], errors: int) -> None:
    rows: list[tuple[Cell, ...]] = [
        (Text(it.level, style="bad" if it.level == "error" else "warn"), it.where, it.text) for it in findings
    ]
    if rows:
        table(out, ("", "where", "what"), rows)
    if errors:
        warnings = len(findings) - errors
        also = f", {count(warnings, 'warning')}" if warnings else ""
        line(out, f"{path} cannot be used: {count(errors, 'error')}{also}.", "bad")


def _explain(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A service of the catalogue.")],
    region: Annotated[str | None, typer.Argument(metavar="REGION", help="Where its alarm is raised.")] = None,
    severity: Annotated[
        int | None, typer.Option("--severity", min=1, max=5, help="What the alarm says; else its metric's, else 3.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="A key metric, for its severity.")] = "",
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHEN", help="A moment such as 2026-03-07T02:00:00Z; else now.")
    ] = None,
    json: Json = False,
) -> int:
    """Whom would an alarm of this service wake now, when, and over which channel?

    The real rules run ahead in virtual time, as if nobody answered. Nobody is paged.
    """
    settings, moment = here.settings(), _moment(at)
    catalog, said = asyncio.run(calendars_read(settings, settings.catalog, here.catalog(settings), moment))
    for text in said:
        failed(text)
    found = catalog.service_by(service)
    name = found.id if found else service
    where = region or (found.regions[0] if found and found.regions else GLOBAL)
    story = explain(catalog, name, where, at=moment, severity=severity, metric=metric)
    _warn(catalog, story)
    if json:
        as_json(_as_data(story))
    else:
        _show(console(), catalog, story, is_given=severity is not None)
    return 0


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return parse_moment(text)
    except ValueError as error:
        raise Stop(f"--at: {error}", UNUSABLE) from None


def _warn(catalog: Catalog, story: Story) -> None:
    facts = story.facts
    if not facts.service_known:
        near = did_you_mean(facts.service, catalog.services)
        failed(f"the catalogue has no service {facts.service!r}{near}; its alarms wake {facts.team}")
    elif not facts.known:
        near = did_you_mean(facts.region, [r for regions in catalog.partitions.values() for r in regions])
        failed(f"no partition has the region {facts.region!r}{near}; its alarms count as unmapped")


def _as_data(story: Story) -> dict[str, Any]:
    return {
        "service": story.facts.service,
        "region": story.facts.region,
        "team": story.facts.team,
        "severity": story.severity,
        "wakes": [_wake_data(it) for it in story.wakes],
        "exhausted_after": None if story.exhausted is None else story.exhausted.total_seconds(),
        "everybody": story.everybody,
        "on_call": [
            {"level": number, "now": people, "next": _turn_data(story, number)}
            for number, people in enumerate(story.on_call, 1)
        ],
        "multi_service_adds": {"wakes": [_wake_data(it) for it in story.also], "tells": story.managers},
    }


def _turn_data(story: Story, level: int) -> dict[str, Any] | None:
    return next(({"people": it.people, "at": iso(it.at)} for it in story.next if it.level == level), None)


def _wake_data(wake: Wake) -> dict[str, Any]:
    return {**asdict(wake), "after": wake.after.total_seconds(), "at": iso(wake.at)}


def _show(out: Console, catalog: Catalog, story: Story, *, is_given: bool) -> None:
    facts = story.facts
    line(out, f"{facts.service} in {facts.region}, SEV{story.severity}, nobody answers:", "head")
    began = story.wakes[0].at - story.wakes[0].after if story.wakes else None
    rows: list[tuple[Cell, ...]] = [
        (ago(it.after), f"{it.at:%a %H:%M}", _who(catalog, it.person), it.channel, _why(catalog, it))
        for it in story.wakes
    ]
    if story.exhausted is not None and began:
        row = ago(story.exhausted), f"{began + story.exhausted:%a %H:%M}", Text("nobody answered", style="bad")
        rows.append((*row, "all" if story.everybody else "", _at_last(catalog, story)))
    table(out, ("after", "UTC", "who", "by", "for"), rows, indent=2)
    if story.severity >= 4:
        line(out, "Severity 4 and 5 never wake anybody: they wait for the owner's next working morning.")
    _show_on_call(out, story)
    _show_more(out, catalog, story)
    if not is_given:
        _show_severities(out, catalog, story)


def _show_on_call(out: Console, story: Story) -> None:
    turns = {it.level: it for it in story.next}
    levels = []
    for number, people in enumerate(story.on_call, 1):
        turn = turns.get(number)
        then = f", from {turn.at:%a %d %b %H:%M} UTC {', '.join(turn.people) or 'nobody'}" if turn else ""
        levels.append(f"level {number} {', '.join(people) or 'nobody'}{then}")
    if levels:
        line(out, f"On call for {story.facts.team}: {'; '.join(levels)}.")


def _show_more(out: Console, catalog: Catalog, story: Story) -> None:
    if story.also:
        who = ", ".join(f"{it.person} ({it.team})" for it in story.also)
        line(out, f"A multi-service event also wakes, at once: {who}.")
    if story.managers:
        line(out, f"and tells, without waking: {', '.join(_who(catalog, it) for it in story.managers)}.")


def _show_severities(out: Console, catalog: Catalog, story: Story) -> None:
    service = catalog.services.get(story.facts.service)
    kpis = [f"{it.name} SEV{it.severity}" for it in (service.kpis if service else []) if it.severity]
    if kpis:
        line(out, f"An alarm that names no severity has its metric's ({', '.join(kpis)}), else SEV3: `--severity 2`.")


def _who(catalog: Catalog, person: str) -> str:
    found = catalog.people.get(person)
    return f"{person} ({found.name})" if found and found.name else person


def _why(catalog: Catalog, wake: Wake) -> str:
    team = catalog.teams.get(wake.team)
    is_manager = team is not None and wake.level > len(team.on_call)
    return f"{wake.team}, {'manager' if is_manager else f'level {wake.level}'}"


def _at_last(catalog: Catalog, story: Story) -> str:
    if not story.everybody:
        return "exhausted"
    again = ago(catalog.policy.shout_again_every)
    return f"exhausted: {', '.join(story.everybody)} at once, again after {again}, then ever more rarely"


def _policy(json: Json = False) -> int:
    """List every number that decides who is woken, who decides and what leaves the house, with its reason."""
    rows = []
    for name, value, reason in here.catalog(here.settings()).policy.described():
        unit = _UNIT.search(reason)
        rows.append((name, value, unit.group(1) if unit else "time", _UNIT.sub("", reason)))
    if json:
        as_json([dict(zip(("name", "value", "unit", "reason"), row, strict=True)) for row in rows])
    else:
        _show_policy(console(), rows)
    return 0


def _show_policy(out: Console, rows: Sequence[tuple[str, str, str, str]]) -> None:
    if not out.is_terminal:
        table(out, ("number", "value", "unit", "why"), rows)
        return
    for name, value, unit, reason in rows:
        out.print(Text.assemble((name, "code"), "  ", (value, "bold"), "" if unit == "time" else f" {unit}"))
        out.print(Padding(Text(reason, style="note"), (0, 0, 0, 4)))

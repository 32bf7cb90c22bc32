"""What goes to `Detection`: alarms and reports by machines or by hand, an incident declared, alarms silenced."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text
from temporalio.client import Client
from temporalio.service import RPCError

from cli import fields, find, here
from cli.say import UNUSABLE, Cell, Stop, as_json, console, count, line, table
from cli.talk import As, Json, show
from link.starting import open_detection, signal_detection
from model import messages
from model.catalogue.catalog import GLOBAL, UNMAPPED, Catalog
from model.catalogue.plan import facts_for
from model.detect.partition import Detection, Heard, Watched
from model.incident import alarm_key
from model.message import Message
from model.messages import Answer
from model.policy import did_you_mean
from model.times import ago

ROWS, WORDS = 20, 5
"""Rows of a table on a terminal; where each is somebody's words, the last few."""
NAMED = 2
"""Alarms of a service that are named."""
GRAVE = 2
"""Severities that are shown in red."""
LOOK_FOR = 3.0
"""Seconds in which an alarm's incident is looked for; it takes a tenth of one."""

_PANEL = "Raise an alarm"
_Service = Annotated[str, typer.Argument(metavar="SERVICE", help="A service of the catalogue.")]
_Region = Annotated[str | None, typer.Argument(metavar="REGION", help="Its region; its only one needs no name.")]
_Incidents = Annotated[list[str], typer.Argument(metavar="INCIDENT...", help="Two or more, by their last characters.")]
_By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who or what sends it.")]
_All = Annotated[bool, typer.Option("--all", help="Every row, however many.")]
_Test = Annotated[bool, typer.Option("--test", help="Goes through everything and leaves the house nowhere.")]


def add(app: typer.Typer, incident: typer.Typer) -> None:
    """Add `alarm`, `report`, `silence` and `detection`, and `declare` to the incident's commands."""
    place = {"service": _Service, "region": _Region}
    machine = {"by": (_By, None), "test": (_Test, False), "json": (Json, False)}
    human = {"by": (As, None), "json": (Json, False)}
    derived = {"alarm": "Its stable name; else the metric.", "state": "ALARM or OK; else ALARM."}
    alarm = fields.command(messages.Alarm, _alarm, place, machine, derived)
    alarm.__doc__ = "Say that an alarm is in ALARM, or OK again; what it opens pages people."
    app.command("alarm", rich_help_panel=_PANEL, epilog=_ALARM_EXAMPLES)(alarm)
    heard = {"source": "How they were heard: case, phone, social; else case."}
    report = fields.command(messages.Report, _report, place, machine, heard)
    example = fields.example("allclear report", messages.Report, ["service", "region"])
    app.command("report", rich_help_panel=_PANEL, epilog=f"Example: {example}")(report)
    silence = fields.command(messages.Silence, _silence, {**place, **fields.words(messages.Silence)}, human)
    app.command("silence", rich_help_panel=_PANEL, epilog=_SILENCE_EXAMPLE)(silence)
    app.command("detection", rich_help_panel="Look", epilog="Example: allclear detection --json")(_detection)
    declare = fields.command(
        messages.Declare, _declare, fields.words(messages.Declare), {**human, "test": (_Test, False)}
    )
    declared = fields.example("allclear incident declare", messages.Declare, ["title"])
    incident.command("declare", epilog=f"Example: {declared}")(declare)
    merge = fields.command(messages.Merge, _merge, {"incidents": _Incidents}, human)
    incident.command("merge", epilog='Example: allclear incident merge 7F3A 9KLM --reason "one router behind both"')(
        merge
    )
    split = fields.command(messages.Split, _split, {"service": _Service, **fields.words(messages.Split)}, human)
    incident.command("split", epilog='Example: allclear incident split search-api "its index is old"')(split)


_ALARM_EXAMPLES = (
    "Example: allclear alarm checkout-api eu-west --metric error-rate --value 4\n\n"
    "and when it is over: allclear alarm checkout-api eu-west --metric error-rate --state OK"
)
_SILENCE_EXAMPLE = 'Example: allclear silence checkout-api eu-west "planned move" --until 2h'


def _alarm(typed: dict[str, Any]) -> int:
    typed["alarm"] = typed["alarm"] or typed["metric"] or "by-hand"
    typed["state"] = (typed["state"] or "ALARM").upper()
    return _signal("alarm", messages.Alarm, typed)


def _report(typed: dict[str, Any]) -> int:
    typed["source"] = typed["source"] or "case"
    return _signal("report", messages.Report, typed)


def _signal(name: str, message: type[Message], typed: dict[str, Any]) -> int:
    """Hand a machine's message to Temporal, and say where it went."""
    settings, json = here.settings(), typed.pop("json")
    catalog = here.catalog(settings)
    typed["service"] = _service(catalog, typed["service"])
    typed["region"] = typed["region"] or _only_region(catalog, typed["service"])
    payload = fields.read(message, typed)
    facts = facts_for(catalog, payload["service"], payload["region"], str(payload.get("metric", "")))

    async def send() -> str:
        client = await here.connected(settings)
        await signal_detection(client, facts.partition, name, payload)
        return await _where_it_went(client, facts.partition, payload) if name == "alarm" else ""

    incident = here.in_loop(send())
    if json:
        as_json({"accepted": True, "partition": facts.partition, "incident": incident or None})
        return 0
    out = console()
    if not facts.service_known:
        near = did_you_mean(payload["service"], catalog.services)
        line(out, f"The catalogue has no service '{payload['service']}'{near}: incident response is called.", "warn")
    elif not facts.known:
        line(out, f"The catalogue has no region '{payload['region']}': the alarm counts as unmapped.", "warn")
    line(out, _told(name, payload, incident, facts.partition))
    return 0


def _told(name: str, payload: dict[str, Any], incident: str, partition: str) -> str:
    if name == "report":
        return f"Reported to detection/{partition}, where reports are counted: `allclear detection` shows them"
    said = f"{payload['alarm']} of {payload['service']} in {payload['region']}: {payload['state']}"
    if incident:
        return f"{said}. {incident} has it: `allclear incident show {find.short_name(incident)}`"
    if payload["state"] == "OK":
        return f"{said}. `allclear incident list` shows what is open"
    return f"{said}. Temporal has it; it is silenced, or no worker has looked at it yet: `allclear detection`"


async def _where_it_went(client: Client, partition: str, payload: dict[str, Any]) -> str:
    """Return the incident that an alarm opened or joined, as soon as `Detection` has decided."""
    prefix = "test/" if payload.get("test") else ""
    key = prefix + alarm_key(payload["service"], payload["region"], payload["alarm"])
    last = asyncio.get_running_loop().time() + LOOK_FOR
    while payload["state"] == "ALARM" and asyncio.get_running_loop().time() < last:
        try:
            state = await _snapshot(client, f"detection/{partition}")
        except RPCError:
            return ""
        watched = state.alarms.get(key)
        if watched and (watched.incident or watched.silenced):
            return watched.incident
        await asyncio.sleep(0.05)
    return ""


async def _snapshot(client: Client, detection: str) -> Detection:
    handle = client.get_workflow_handle(detection)
    found: Detection = await handle.query("snapshot", result_type=Detection, rpc_timeout=find.ANSWER_WITHIN)
    return found


def _service(catalog: Catalog, typed: str) -> str:
    found = catalog.service_by(typed)
    return found.id if found else typed


def _only_region(catalog: Catalog, service: str) -> str:
    found = catalog.services.get(service)
    return found.regions[0] if found and len(found.regions) == 1 else GLOBAL


def _declare(typed: dict[str, Any]) -> int:
    typed["services"] = [_service(here.catalog(here.settings()), name) for name in typed["services"] or []]
    first = typed["services"][0] if typed["services"] else ""
    return _update("declare", messages.Declare, typed, first)


def _merge(typed: dict[str, Any]) -> int:
    settings = here.settings()

    async def services() -> list[str]:
        client = await here.connected(settings)
        return (await find.snapshot(client, await find.named(client, typed["incidents"][0]))).services

    first = here.in_loop(services()) if typed["incidents"] else []
    return _update("merge", messages.Merge, typed, first[0] if first else "")


def _split(typed: dict[str, Any]) -> int:
    typed["service"] = _service(here.catalog(here.settings()), typed["service"])
    return _update("split", messages.Split, typed, typed["service"])


def _silence(typed: dict[str, Any]) -> int:
    typed["service"] = _service(here.catalog(here.settings()), typed["service"])
    return _update("silence", messages.Silence, typed, typed["service"])


def _update(name: str, message: type[Message], typed: dict[str, Any], service: str) -> int:
    settings, by, json = here.settings(), typed.pop("by"), typed.pop("json")
    partition = _partition(here.catalog(settings), service, str(typed.get("region") or ""))
    payload = {**fields.read(message, typed), "by": here.person(settings, by)}

    async def send() -> Answer:
        client = await here.connected(settings)
        await open_detection(client, partition)
        return await here.say_to(client, f"detection/{partition}", name, payload)

    show(here.in_loop(send()), json=json)
    return 0


def _partition(catalog: Catalog, service: str, region: str) -> str:
    """Return whose `Detection` a person speaks to: the service's, else the first."""
    facts = facts_for(catalog, service, region, "")
    home = {GLOBAL, *(name for regions in catalog.partitions.values() for name in regions)}
    if region and region not in home:
        raise Stop(f"no partition has the region {region!r}{did_you_mean(region, home)}", UNUSABLE)
    if service and not facts.service_known:
        raise Stop(f"the catalogue has no service {service!r}{did_you_mean(service, catalog.services)}", UNUSABLE)
    return facts.partition if facts.known else catalog.partition_of(region) or next(iter(catalog.partitions), UNMAPPED)


def _detection(everything: _All = False, json: Json = False) -> int:
    """Show what is in alarm, silenced, unknown to the catalogue or unreadable."""
    settings = here.settings()

    async def ask() -> list[Detection]:
        client = await here.connected(settings)
        names = await find.partitions(client)
        return list(await asyncio.gather(*(_snapshot(client, name) for name in names)))

    found = here.in_loop(ask())
    if json:
        as_json([it.model_dump(mode="json", include=_SHOWN) for it in found])
        return 0
    for it in found:
        _show(it, everything)
    if not found:
        line(console(), "Nothing is watched yet: the first alarm, or `allclear up`, begins it.")
    return 0


_SHOWN = {"partition", "alarms", "incidents", "silences", "reports", "unreadable", "repeats", "opened"}


def _show(state: Detection, everything: bool = False) -> None:
    out = console()
    unmapped = " (what the catalogue does not know)" if state.partition == UNMAPPED else ""
    open_ones = [known for known in state.incidents.values() if not known.ended]
    counts = f"{len(state.alarms)} in alarm, {count(len(open_ones), 'incident')} open"
    line(out, f"{state.partition}{unmapped}: {counts}", "head")
    now = datetime.now(UTC)
    if out.is_terminal:
        _rows(("for", "", "in alarm", "incident", "alarms"), _by_place(state, now), everything)
    else:
        _rows(("since (UTC)", "", "in alarm", "alarm", "incident", "summary"), _by_alarm(state), True)
    silences = [
        (f"{it.until:%b %d %H:%M}", f"{it.service} in {it.region or 'every region'}", it.by, it.reason)
        for it in state.silences
    ]
    _rows(("silent until", "service", "by", "reason"), silences, everything)
    reports = [
        (ago(now - it.at), f"{it.service} in {it.region}", it.customer or f"{it.count} × {it.source}", _words(it))
        for it in reversed(state.reports)
    ]
    _rows(("reported", "service", "by", "words"), reports, everything or not out.is_terminal, WORDS)
    unreadable = [(ago(now - it.at), it.name, f"{it.why}: {it.payload}") for it in reversed(state.unreadable)]
    _rows(("unread", "", "why, and what came"), unreadable, everything or not out.is_terminal, WORDS)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[Cell]], everything: bool, most: int = ROWS) -> None:
    """Write the first rows; a storm must not push out of sight what it began with."""
    out = console()
    shown = rows if everything else rows[:most]
    if shown:
        table(out, heads, shown, indent=2)
    if len(rows) > len(shown):
        line(out, f"  … and {len(rows) - len(shown)} more: `allclear detection --all`", "note")


def _by_alarm(state: Detection) -> list[Sequence[Cell]]:
    return [
        (
            f"{it.fact.since:%b %d %H:%M}",
            f"SEV{it.fact.severity}",
            f"{it.fact.service} in {it.fact.region}",
            it.fact.alarm,
            "silenced" if it.silenced else it.incident,
            _said(it),
        )
        for it in sorted(state.alarms.values(), key=lambda it: it.fact.since)
    ]


def _by_place(state: Detection, now: datetime) -> list[Sequence[Cell]]:
    """Return a row for each service and region, the worst first: its alarms are one matter to who looks."""
    places: dict[tuple[str, str, bool, str], list[Watched]] = {}
    for it in state.alarms.values():
        where = "silenced" if it.silenced else find.short_name(it.incident)
        places.setdefault((it.fact.service, it.fact.region, it.test, where), []).append(it)
    rows = []
    for (service, region, test, where), alarms in places.items():
        since, severity = min(it.fact.since for it in alarms), min(it.fact.severity for it in alarms)
        crowd = len(state.crowds.get(f"{'test/' * test}{service}/{region}", ()))
        rows.append((severity, since, f"{service} in {region}", where, _alarms(alarms, crowd)))
    return [
        (ago(now - since), Text(f"SEV{severity}", style="bad" if severity <= GRAVE else ""), place, where, words)
        for severity, since, place, where, words in sorted(rows)
    ]


def _alarms(alarms: Sequence[Watched], crowd: int) -> str:
    if len(alarms) == 1:
        said = _said(alarms[0])
        return f"{alarms[0].fact.alarm}: {said}" if said else alarms[0].fact.alarm
    named = ", ".join(f"{it.fact.alarm} (flapping)" if it.fact.flapping else it.fact.alarm for it in alarms[:NAMED])
    more = f" and {len(alarms) - NAMED} more" if len(alarms) > NAMED else ""
    return f"{named}{more}{f'; of these one stands for {crowd}' if crowd else ''}"


def _said(it: Watched) -> str:
    words = ("a test" * it.test, "flapping" if it.fact.flapping else "", it.fact.summary)
    return "; ".join(word for word in words if word)


def _words(it: Heard) -> str:
    return " ".join(text for text in (it.text, it.link) if text)

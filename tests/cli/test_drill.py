"""`allclear drill`: what a newcomer sees first, and what programs read."""

import io
import json
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from cli import outcome, timeline
from cli.say import console
from model.drill import Connected, ConnectedRow, Drill, DrillResult
from model.incident import Incident
from model.matter import Entry, What
from tests.cli.typing import TOP, run, run_for_real

SCENARIO = "scenarios/self-recovered.yaml"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALARM = "{at: 0s, alarm: {alarm: err, service: checkout-api, region: eu-west, state: ALARM, severity: 2}}"

HEAD = "title: x\nstart: 2026-03-02T09:00:00Z\nuntil: 1h\n"

KEYS = {
    "": "title problems wall_seconds virtual_seconds incidents",
    "incidents": "id kind severity phase services regions detected_by absorbed_into opened_at mitigated_at closed_at "
    "all_clear_at timeline engagements messages mitigations checklist coes rca actions",
    "timeline": "at what by text",
    "engagements": "team reason paged acknowledged_at acknowledged_by joined_at released_at",
    "paged": "at person channel level",
    "messages": "at audience to text",
}
"""Design §4: others test against these names."""


def scenario(folder: Path, *steps: str, **more: str) -> str:
    head = {"title": "A test", "start": "2026-03-02T09:00:00Z", "until": "10m", **more}
    lines = [f"{key}: {value}" for key, value in head.items()]
    path = folder / "scenario.yaml"
    path.write_text("\n".join([*lines, "steps:", *(f"  - {step}" for step in steps)]))
    return str(path)


def test_the_demo_as_a_person_pipes_it(tmp_path):
    typed = run_for_real("drill", SCENARIO, "--keep", str(tmp_path))
    assert typed.code == 0
    assert typed.err == "", "no noise of a server"
    assert "\x1b" not in typed.out, "no colours in a pipe"
    lines = [line for line in typed.out.splitlines() if line.startswith("Mon 02 ")]
    for line in lines:
        assert re.match(r"Mon 02 \d\d:\d\d:\d\d \| INC-…-\w{4,} \| [a-z_]+ +\| \w+ +\| \S", line), line
    assert len({line.index(" | ", 60) for line in lines if len(line) > 64}) == 1, "aligned"
    assert lines == sorted(lines, key=lambda line: line[:15]), "in order"
    said = "\n".join(lines)
    for what in (
        "ana by email",
        "ana by sms",
        "checkout-api@2.3.1",
        "red herring",
        "https://logs.example.test",
        "all_clear",
    ):
        assert what in said
    assert re.search(r"checkout +ana 09:03 \(after [23] min\) +09:04 +ana 09:00 email, 09:02 sms", typed.out)
    assert 'Refused, as it must be: `close` by dee after 25 min: "in alarm"' in typed.out
    assert re.search(r"As expected: 16 steps, 3 h played in \d+\.\d s", typed.out)
    (path,) = re.findall(r"^Ticket: (.+)$", typed.out, re.M)
    ticket = Path(path)
    assert ticket.parent == tmp_path
    assert ticket.read_text().startswith("# ")
    assert "allclear up" in typed.out
    assert "allclear catalog explain checkout-api eu-west" in typed.out


def test_json_is_one_object_with_the_keys_of_the_contract(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    typed = run_for_real("drill", SCENARIO, "--json")
    assert (typed.code, typed.err) == (0, "")
    result = typed.json
    (incident,) = result["incidents"]
    assert set(result) == set(KEYS[""].split())
    assert set(incident) == set(KEYS["incidents"].split())
    for name in ("timeline", "engagements", "messages"):
        assert all(set(row) == set(KEYS[name].split()) for row in incident[name])
        assert incident[name]
    assert set(incident["engagements"][0]["paged"][0]) == set(KEYS["paged"].split())
    moments = re.findall(r'"(?:at|\w+_at)": ("[^"]+")', json.dumps(result))
    assert len(moments) > 30
    assert all(re.fullmatch(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', moment) for moment in moments)
    assert (incident["phase"], incident["kind"], incident["severity"]) == ("all_clear", "single_service", 2)
    assert (result["problems"], result["virtual_seconds"]) == ([], 10800.0)
    assert not list(tmp_path.glob("allclear-drill-*")), "nobody was told of the folder, so it went again"


def test_what_did_not_go_as_expected(tmp_path):
    path = scenario(
        tmp_path,
        ALARM,
        "{at: 2m, close: {by: ana, reason: false_alarm}}",
        "{at: 3m, acknowledge: {by: ana}, expect: refused}",
        "{at: 4m, acknowledge: {by: eva}, expect: refused}",
    )
    typed = run("drill", path, "--keep", str(tmp_path / "kept"))
    assert typed.code == 1
    assert "2 did not go as expected: 4 steps" in typed.out
    rows = [line.split()[:3] for line in typed.out.split("Not as expected:")[1].splitlines()[2:4]]
    assert rows == [["2", "2", "min"], ["3", "3", "min"]]
    assert "not the light way out" in typed.out
    again = run("drill", path, "--keep", str(tmp_path / "kept"), "--json")
    assert again.code == 1
    assert [(it["step"], it["message"]) for it in again.json["problems"]] == [(2, "close"), (3, "acknowledge")]
    assert len(list((tmp_path / "kept").glob("INC-*.md"))) == 2, "a drill's folder takes another drill"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("[", "not YAML"),
        ("just words", "a drill is a mapping with title, start, steps and until"),
        ("title: x\nsteps: []\nuntil: 1h", "start: Field required"),
        (f"{HEAD}steps: [{{at: 1m, shrug: {{}}}}]", "no message is called shrug"),
        ("title: x\nstart: noon\nsteps: []\nuntil: 1h", "'noon' is not a moment"),
        (f"{HEAD}steps: []\ncatalog: no.yaml", "no.yaml: there is no such file"),
        (f"{HEAD}steps: []\ncatalog: {{teams: []}}", "its catalogue cannot be"),
        (f"{HEAD}steps: []\npolicy: {{slip: 1}}", "no policy number 'slip'"),
        (f"{HEAD}steps: []\npolicy: {{slip_days: x}}", "slip_days: 'x' is not"),
    ],
)
def test_a_file_that_cannot_be_played(tmp_path, text, said):
    path = tmp_path / "drill.yaml"
    if text is not None:
        path.write_text(text)
    for options in ([], ["--json"]):
        typed = run("drill", str(path), *options)
        assert (typed.code, typed.out) == (2, "")
        assert said in typed.err
        assert "Traceback" not in typed.err


def test_it_never_writes_into_a_real_record(tmp_path):
    (tmp_path / "allclear.db").touch()
    typed = run("drill", SCENARIO, "--keep", str(tmp_path))
    assert typed.code == 2
    assert "holds the record of an installation" in typed.err
    assert run("drill", SCENARIO, "--keep", str(tmp_path / "allclear.db")).code == 2
    assert "it is skipping or real-time" in run("drill", SCENARIO, "--driver", "warp").err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "email=a@b.test"], "add --connected"),
        (["--connected"], "a drill reaches nobody unasked: say with --to"),
        (["--connected", "--to", "ana"], "'ana' is neither `catalogue` nor channel=address"),
        (["--connected", "--to", "email=a@b.test", "--to", "email=c@b.test"], "email has two addresses"),
        (["--connected", "--to", "catalogue"], "nothing outside is configured"),
    ],
)
def test_a_drill_that_is_connected_reaches_only_whom_it_is_told_to(options, said, tmp_path):
    typed = run("drill", SCENARIO, "--json", "--keep", str(tmp_path), *options)
    assert (typed.code, typed.out) == (2, "")
    assert said in typed.err


def test_a_connected_drill_says_what_is_wrong_before_the_story_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLCLEAR_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("ALLCLEAR_SMTP_PORT", "1")
    asked = ["drill", SCENARIO, "--json", "--keep", str(tmp_path), "--connected", "--to"]
    assert "127.0.0.1:1 cannot be used: Connection refused" in run(*asked, "email=a@b.test").err
    assert "--to: nothing is configured for matrix; there is email" in run(*asked, "matrix=@a:b.test").err
    monkeypatch.setenv("ALLCLEAR_MODE", "shadow")
    assert "what is in the shadow sends nothing" in run(*asked, "email=a@b.test").err


def test_what_systems_outside_hold_is_shown():
    rows = [
        ConnectedRow(system="mail", place="me@example.test", count=12),
        ConnectedRow(system="request_tracker", matter="INC-1", place="ticket 17", count=43, closed=False),
        ConnectedRow(system="matrix", matter="INC-1", place="#drill-inc-1", count=44, closed=False, behind=2),
        ConnectedRow(system="jira", matter="INC-1", place="OPS-7", error="Jira answered 503"),
    ]
    connected = Connected(late_seconds=7.5, systems=rows)
    result = DrillResult(title="x", wall_seconds=1, virtual_seconds=60, incidents=[], connected=connected)
    out = io.StringIO()
    outcome.show(console(out), Drill(title="x", start=NINE, steps=[], until=timedelta(minutes=1)), result)
    said = [re.sub(" +", " ", line.strip()) for line in out.getvalue().splitlines()]
    for line in (
        "mail me@example.test 12 sent",
        "request tracker INC-1 ticket 17 43 comments, open",
        "matrix INC-1 #drill-inc-1 44 messages, 2 lines behind",
        "jira INC-1 OPS-7 Jira answered 503",
        "The story was up to 7.5 s late: what is outside took its time.",
    ):
        assert line in said
    assert "connected" not in DrillResult(title="x", wall_seconds=1, virtual_seconds=60, incidents=[]).model_dump()


def test_server_noise_goes_to_the_log_and_our_words_to_people(tmp_path):
    code = textwrap.dedent(f"""
        import os, subprocess, sys
        from pathlib import Path
        from cli.hush import hushed
        print("before")
        with hushed(Path({str(tmp_path / "log")!r})) as out:
            os.write(1, b"core\\n"); os.write(2, b"core warns\\n")
            subprocess.run("echo child; echo child warns >&2", shell=True)
            print("python prints"); print("python warns", file=sys.stderr)
            print("ours", file=out)
        print("after"); print("our error", file=sys.stderr)
    """)
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["before", "ours", "after"]
    assert done.stderr.splitlines() == ["our error"]
    logged = (tmp_path / "log").read_text()
    assert all(f"{who}\n" in logged for who in ("core", "core warns", "child", "child warns", "python prints"))


def entry(seq: int, minutes: int, what: What = "observed", text: str = "x") -> Entry:
    return Entry(seq=seq, at=NINE + timedelta(minutes=minutes), what=what, by="ana", text=text)


def incident(name: str) -> Incident:
    return Incident(id=f"INC-20260302-{name}", opened_at=NINE)


async def test_lines_of_several_incidents_stand_in_their_order():
    out = io.StringIO()
    shown = timeline.Timeline(console(out))
    shown.hear(incident("AAAA"), [entry(1, 0), entry(2, 20), entry(3, 60 * 24 * 31)])
    shown.hear(incident("BBBB"), [entry(1, 10)])
    shown.write()
    lines = out.getvalue().splitlines()
    assert [line[:31] for line in lines] == [
        "Mon 02 09:00:00 | INC-…-AAAA | ",
        "Mon 02 09:10:00 | INC-…-BBBB | ",
        "Mon 02 09:20:00 | INC-…-AAAA | ",
        "April 2026",
        "Thu 02 09:00:00 | INC-…-AAAA | ",
    ]


@pytest.mark.parametrize("width", [60, 80, 109, 110, 200])
async def test_a_terminal_of_any_width(width, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = io.StringIO()
    screen = console(out)
    screen._force_terminal, screen._width = True, width
    screen._color_system = None
    shown = timeline.Timeline(screen)
    shown.hear(
        incident("AAAA"), [entry(1, 0, "exhausted", "nobody of checkout answered, [bold]whoever[/] they are " * 3)]
    )
    shown.write()
    lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("Mon 02 09:00:00 ")
    assert "[bold]whoever[/]" in " ".join(" ".join(lines).split()) or width == 60, "no markup from outside"
    assert len({len(line) - len(line.lstrip()) for line in lines[1:]}) <= 1, "words wrap below themselves"


def test_every_kind_of_entry_that_has_a_look_exists():
    assert set(timeline.STYLES) <= set(get_args(What))

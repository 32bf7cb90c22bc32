"""A ticket shows what happened to somebody who was not there, and no text from outside can disturb it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities import Failed
from activities.tickets.markdown import MarkdownTickets, render
from model.incident import Engagement, Incident, Paged, Phase, Responder, Statement
from model.text import clean, one_line
from store import Store
from tests.store.samples import ID, NINE, fresh, incident, later, opened, put

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


def tokens(markdown: str) -> list[Token]:
    return [child for token in MARKDOWN.parse(markdown) for child in (token, *(token.children or []))]


def rows(markdown: str) -> list[list[str]]:
    """Return every table row as a reader sees it."""
    found: list[list[str]] = []
    for token in MARKDOWN.parse(markdown):
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline" and token.level > 3:
            found[-1].append("".join(child.content for child in token.children or []))
    return found


def engaged(team: str, **facts: object) -> Engagement:
    return Engagement.model_validate({"team": team, "reason": "err", "called_at": NINE, "clock_from": NINE, **facts})


def paged(minutes: float, channel: str, *, failed: bool = False) -> Paged:
    at = later(minutes)
    failed_at = at if failed else None
    return Paged(at=at, team="checkout", channel=channel, contact=0, level=1, call=1, key="k", failed_at=failed_at)


def test_the_facts_are_on_top() -> None:
    it = incident(
        severity=2,
        kind="multi_service",
        phase=Phase.REFLECT,
        leader="kim",
        customers_hit="3% of calls",
        mitigated_at=later(31),
        closed_at=later(60 * 25),
        close_reason="no_impact",
        regions=["eu-west", "us-east"],
        suspicion="deployments: none",
    )
    assert render(it, []).startswith(f"# {ID}: calls fail\n")
    facts = {row[0]: row[1] for row in rows(render(it, [])) if len(row) == 2}
    assert facts == {
        "": "",
        "Severity": "SEV2",
        "Phase": "reflect",
        "Kind": "multi service",
        "Services": "checkout-api",
        "Regions": "eu-west, us-east",
        "Customers hit": "3% of calls",
        "Detected by": "service",
        "Opened": "2026-03-02 09:00:00",
        "Mitigated": "2026-03-02 09:31:00 (31 min after it opened)",
        "Closed": "2026-03-03 10:00:00 (1 d 1 h after it opened): no impact",
        "Lead": "kim",
        "Looked at first": "deployments: none",
    }


def test_a_young_incident_has_no_empty_cells() -> None:
    it = incident(services=[])
    it.engagements["checkout"] = engaged("checkout")
    facts = rows(render(it, []))
    assert ["Services", "–"] in facts
    assert ["Mitigated", "–"] in facts
    assert ["Customers hit", "no sign of it"] in facts
    assert ["checkout", "err", "–", "–", "–", "–"] in facts


def test_a_test_and_an_absorbed_incident_say_so() -> None:
    ticket = render(incident(test=True, absorbed_into="INC-20260302-9KQX"), [])
    assert "**This is a test.**" in ticket
    assert "**This is now INC-20260302-9KQX.**" in ticket


def test_every_team_has_its_row_and_its_first_page_is_the_one_that_got_through() -> None:
    it = incident()
    it.engagements["checkout"] = engaged(
        "checkout", acknowledged_at=later(3), acknowledged_by="ana", joined_at=later(4)
    )
    it.engagements["dns"] = engaged("dns", released_at=later(60 * 24))
    it.people["ana"] = Responder(pages=[paged(0, "email", failed=True), paged(2, "sms")])
    it.people["ben"] = Responder(pages=[paged(5, "sms")])
    shown = rows(render(it, []))
    assert ["checkout", "err", "09:02:00 ana, sms", "09:03:00 ana", "09:04:00", "–"] in shown
    assert ["dns", "err", "–", "–", "–", "2026-03-03 09:00:00"] in shown


def test_a_team_nobody_could_reach_is_shown_as_that() -> None:
    it = incident()
    it.engagements["checkout"] = engaged("checkout")
    it.people["ana"] = Responder(pages=[paged(0, "sms", failed=True)])
    assert ["checkout", "err", "09:00:00 ana, sms (not reached)", "–", "–", "–"] in rows(render(it, []))


def test_statements_are_all_there_also_the_revised_ones() -> None:
    it = incident()
    for minute, impacted in ((5, "unknown"), (9, "yes")):
        said = {"at": later(minute), "team": "checkout", "by": "ana", "impacted": impacted, "text": "looking"}
        it.statements.append(Statement.model_validate(said))
    it.statements[0].again_at = later(20)
    shown = rows(render(it, []))
    assert ["09:05:00", "checkout", "unknown", "–", "looking", "ana", "09:20:00", ""] in shown
    assert ["09:09:00", "checkout", "yes", "–", "looking", "ana", "–", ""] in shown


def test_the_timeline_names_the_day_when_it_changes_and_who_only_claims_to_be_somebody() -> None:
    it = incident()
    it.say("opened", "SEV3", now=NINE)
    it.say("joined_by_alarm", "payments", now=later(1.5), by="ana", claimed=True)
    it.say("observed", "next morning", now=later(60 * 24), by="ana", link="https://ci.example.test/run/7?a=1&b=2")
    assert rows(render(it, it.timeline))[-3:] == [
        ["2026-03-02 09:00:00", "allclear", "opened", "SEV3", ""],
        ["09:01:30", "ana (claimed)", "joined by alarm", "payments", ""],
        ["2026-03-03 09:00:00", "ana", "observed", "next morning", "ci.example.test"],
    ]


def test_a_link_leads_where_it_was_meant_to() -> None:
    address = "https://ci.example.test/run?a=1&copy;=2&q=(x)|`y`>"
    it = incident()
    it.say("observed", "graph", now=NINE, link=address)
    links = [token.attrs["href"] for token in tokens(render(it, it.timeline)) if token.type == "link_open"]
    assert links == ["https://ci.example.test/run?a=1&copy;=2&q=(x)%7C%60y%60%3E"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "run 17", "//evil.test", "http://[bad", "https://", "](x)"],
)
def test_what_is_no_web_address_is_shown_and_cannot_be_clicked(address: str) -> None:
    it = incident()
    it.say("observed", "graph", now=NINE, link=address)
    ticket = render(it, it.timeline)
    assert rows(ticket)[-1][-1] == address
    assert not [token for token in tokens(ticket) if token.type == "link_open"]


def test_a_pasted_log_is_kept_line_by_line_below() -> None:
    log = "error: ```\r\nTraceback | (most recent)\n\n# no heading\n\tFile x\n```\n</code><b>\n- [ ] item"
    it = incident()
    it.say("observed", log, now=later(5), by="ana")
    ticket = render(it, it.timeline)
    assert rows(ticket)[-1][3] == "error: ``` … (no. 1 below)"
    [block] = [token for token in tokens(ticket) if token.type == "code_block"]
    assert block.content.rstrip("\n") == log.replace("\r", "")
    assert "### No. 1, 2026-03-02 09:05:00, ana" in ticket


def everywhere(text: str) -> Incident:
    """Return an incident that shows a text in every place where one from outside can stand."""
    it = incident(
        title=text,
        customers_hit=text,
        services=[text],
        regions=[text],
        leader=text,
        suspicion=text,
        absorbed_into=text,
        linked_to=text,
        absorbed=[text],
        broken_tenets=[text],
        detected_by=text,
        closed_at=NINE,
        close_reason=text,
    )
    it.engagements["checkout"] = engaged("checkout", reason=text, acknowledged_at=NINE, acknowledged_by=text)
    it.engagements[text] = engaged(text)
    it.people[text] = Responder(pages=[paged(0, text)])
    it.statements.append(Statement(at=NINE, team=text, by=text, impacted="yes", customers=text, text=text, link=text))
    it.say("observed", one_line(clean(text)), now=NINE, by=text, claimed=True, link=text)
    return it


SYNTAX = [
    "|", "`", "```", "~~", "**", "_", "#", "\\", "&", "&lt;", "&#124;", "<b>", "<!--", "-->", "</td>", "]",
    "[x](http://y.test)", "![x](y)", "<http://y.test>", "!", "(", ")", "{{ 1 }}", "{% x %}", "$x$", ":--",
    "|--|", "---", "===", "1.", "-", ">", "+", "a", " ", "    ", "\n", "\n\n", "\r\n", "\t", "\0", "\u2028",
    "\u202e",
]  # fmt: skip
HOSTILE = st.one_of(st.text(), st.lists(st.sampled_from(SYNTAX)).map("".join)).map(lambda it: f"a{it}z")


@given(text=HOSTILE)
def test_no_text_changes_the_shape_of_a_ticket_and_all_of_it_is_shown(text: str) -> None:
    it = everywhere(text)
    ticket = render(it, it.timeline)
    harmless = everywhere("harmless")
    assert [token.type for token in tokens(ticket)] == [
        token.type for token in tokens(render(harmless, harmless.timeline))
    ]
    literally = one_line(clean(text))
    assert rows(ticket)[-1][3:] == [literally, literally]
    [heading] = [token for token in tokens(ticket) if token.type == "text"][:1]
    assert heading.content == f"{ID}: {literally}"


async def test_the_file_follows_the_record(store: Store, tmp_path: Path) -> None:
    tickets = MarkdownTickets(store, tmp_path / "tickets" / "2026")
    it = incident()
    it.say("opened", "SEV3", now=NINE)
    await put(store, it)
    await tickets.refresh(ID)
    it.say("closed", "false_alarm", now=later(9), by="ana")
    await put(store, it)
    await tickets.refresh(ID)
    [file] = (tmp_path / "tickets" / "2026").iterdir()
    assert file.name == f"{ID}.md"
    assert "As of 2026-03-02 09:09:00." in file.read_text(encoding="utf-8")
    assert rows(file.read_text(encoding="utf-8"))[-1] == ["09:09:00", "ana", "closed", "false_alarm", ""]


async def test_refreshing_again_changes_nothing_also_at_once(store: Store, tmp_path: Path) -> None:
    tickets = MarkdownTickets(store, tmp_path / "tickets")
    await put(store, incident())
    await tickets.refresh(ID)
    before = (tmp_path / "tickets" / f"{ID}.md").read_bytes()
    await asyncio.gather(*(tickets.refresh(ID) for _ in range(5)))
    assert {file.read_bytes() for file in (tmp_path / "tickets").iterdir()} == {before}


async def test_a_ticket_of_nothing_recorded_is_a_reason(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=f"the record does not have {ID} yet") as caught:
        await MarkdownTickets(store, tmp_path / "tickets").refresh(ID)
    assert caught.value.again


async def test_a_disk_that_does_not_take_it_is_a_reason_and_leaves_no_drafts(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    (folder / f"{ID}.md").mkdir(parents=True)
    await put(store, incident())
    with pytest.raises(Failed, match=f"the ticket {ID}.md cannot be written: ") as caught:
        await MarkdownTickets(store, folder).refresh(ID)
    assert str(tmp_path) not in caught.value.reason
    assert [file.name for file in folder.iterdir()] == [f"{ID}.md"]


async def test_a_store_in_trouble_is_a_reason(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/allclear.db") as nothing_migrated:
        with pytest.raises(Failed, match="run `allclear migrate`"):
            await MarkdownTickets(nothing_migrated, tmp_path).refresh(ID)


@pytest.mark.parametrize("name", ["../7F3A", f"{ID}/coe/checkout", f"{ID}/action/1", "campaign/endpoints"])
async def test_only_incidents_have_tickets_and_none_leaves_its_folder(store: Store, tmp_path: Path, name: str) -> None:
    await store.record({"id": name}, [])
    await MarkdownTickets(store, tmp_path / "tickets").refresh(name)
    assert not list(tmp_path.rglob("*.md"))

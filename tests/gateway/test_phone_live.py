"""The page a phone opens, with a real worker behind it: one tap is an act of a proven person."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from link.signing import sign
from link.starting import QUEUE
from model.incident import Incident
from model.matter import Entry
from tests.gateway.house import ALARM, SECRET, House, an_incident, until
from tests.gateway.test_phone import text_of


async def begun(house: House, **facts: Any) -> Incident:
    """Begin an incident that has paged its owner."""
    it = an_incident(house.catalog, **facts)
    await house.client.start_workflow("Incident", it, id=it.id, task_queue=QUEUE)

    async def paged() -> Incident | None:
        now = await state(house, it.id)
        return now if "ana" in now.people else None

    return await until(paged)


async def state(house: House, incident: str) -> Incident:
    found: Incident = await house.client.get_workflow_handle(incident).query("snapshot", result_type=Incident)
    return found


async def tap(http: httpx.AsyncClient, page: httpx.Response, act: str, **fields: str) -> httpx.Response:
    """Send the form of a page as a browser would."""
    for form in re.findall(r'<form method="post">.*?</form>', page.text, re.DOTALL):
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        if hidden["act"] == act:
            return await http.post(page.url, data={**hidden, **fields}, follow_redirects=True)
    raise AssertionError(f"the page has no form for {act}")


async def open_page(http: httpx.AsyncClient, incident: str, person: str) -> httpx.Response:
    page = await http.get(f"/i/{incident}?t={sign(SECRET, incident, person)}")
    assert page.status_code == 200
    return page


def lines(it: Incident, what: str) -> list[Entry]:
    return [entry for entry in it.timeline if entry.what == what]


async def test_one_tap_acknowledges_in_the_persons_own_proven_name(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        after = await tap(http, page, "acknowledge")
    assert "recorded last" not in text_of(page)
    assert "acknowledged for checkout" in text_of(after)
    assert "You took it at" in text_of(after)
    it = await state(staffed, it.id)
    assert it.engagements["checkout"].acknowledged_by == "ana"
    assert [(e.by, e.claimed) for e in lines(it, "acknowledged")] == [("ana", False)]


async def test_looking_changes_nothing(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        for _ in range(3):
            await open_page(http, it.id, "ana")
            await http.head(f"/i/{it.id}?t={sign(SECRET, it.id, 'ana')}")
    now = await state(staffed, it.id)
    assert now.engagements["checkout"].acknowledged_at is None


async def test_one_tap_joins(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        after = await tap(http, await open_page(http, it.id, "ana"), "join")
    assert "You are in since" in text_of(after)
    assert f"https://call.example.test/{it.id}" in after.text
    assert (await state(staffed, it.id)).people["ana"].joined_at


async def test_not_us_puts_the_team_on_standby_with_its_evidence(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        after = await tap(http, page, "release", text="all <green> since 08:00")
    assert "checkout is on standby" in text_of(after)
    assert "all <green> since 08:00" in text_of(after)
    assert (await state(staffed, it.id)).engagements["checkout"].released_at


async def test_a_note_is_in_the_ticket_once_however_often_it_is_sent(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        told = [
            text_of(await tap(http, page, "observe", text=text))
            for text in ("disk full", "disk full", "disk full on host 17")
        ]
    assert all("in the ticket" in text for text in told)
    observed = [e.text for e in lines(await state(staffed, it.id), "observed") if e.by == "ana"]
    assert observed == ["note: disk full", "note: disk full on host 17"]


async def test_a_refusal_is_shown_in_its_own_words(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "<b>stranger</b>")
        after = await tap(http, page, "acknowledge")
    assert "'<b>stranger</b>' is not on call for" in text_of(after)
    assert "<b>stranger" not in after.text
    assert (await state(staffed, it.id)).engagements["checkout"].acknowledged_at is None


async def test_moments_are_shown_by_the_readers_own_clock(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        ana, cho = [text_of(await open_page(http, it.id, person)) for person in ("ana", "cho")]
    assert "Europe/Paris" in ana
    assert "You are Ana Ng here" in ana
    assert "Asia/Seoul" in cho
    assert re.findall(r"since (\d\d:\d\d|\d\d \w{3} \d\d:\d\d)\.", ana) != re.findall(
        r"since (\d\d:\d\d|\d\d \w{3} \d\d:\d\d)\.", cho
    )


async def test_from_an_alarm_to_the_link_in_its_page_to_the_acknowledgement(staffed: House) -> None:
    async with staffed.gateway() as http:
        sent = await http.post(
            "/alarms/allclear", json={**ALARM, "service": "search-api", "summary": "Nothing is found"}
        )
        assert sent.status_code == 202

        async def paged() -> str:
            pages = [item.text for item in await staffed.store.outbox() if item.person == "ida"]
            found = re.search(r"Ack: (\S+)", " ".join(pages))
            return found[1] if found else ""

        link = await until(paged)
        page = await http.get(link)
        assert "Nothing is found" in text_of(page)
        after = await tap(http, page, "acknowledge")
        assert "You took it at" in text_of(after)
        incident = urlsplit(link).path.removeprefix("/i/")
        told = await until(lambda: acknowledged_in_the_record(http, incident))
    assert told["engagements"]["search"]["acknowledged_by"] == "ida"


async def acknowledged_in_the_record(http: httpx.AsyncClient, incident: str) -> dict[str, Any] | None:
    answer = await http.get(f"/api/incidents/{incident[-4:]}")
    if answer.status_code != 200:
        return None
    told: dict[str, Any] = answer.json()
    # The facts and the lines are read one after the other: both must have it.
    said = any(line["what"] == "acknowledged" for line in told["timeline"])
    return told if said and told["engagements"]["search"]["acknowledged_by"] else None

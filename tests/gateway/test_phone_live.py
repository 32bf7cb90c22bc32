"""The page a phone opens, with a real worker behind it: one tap is an act of a proven person."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from temporalio.client import Client

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


async def press(http: httpx.AsyncClient, page: httpx.Response, act: str, **fields: str) -> httpx.Response:
    """Send the form of a page that has an act and these hidden fields or buttons, and follow nothing."""
    for form in re.findall(r'<form method="post"[^>]*>.*?</form>', page.text, re.DOTALL):
        hidden = {
            name: html.unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
        }
        offered = set(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        chosen = {(name, value) for name, value in fields.items() if f'name="{name}" value=' in form}
        written = all(f'name="{name}"' in form for name in fields)
        if hidden["act"] == act and written and chosen <= offered:
            return await http.post(page.url, data={**hidden, **fields})
    raise AssertionError(f"the page has no form for {act} with {fields}")


async def tap(http: httpx.AsyncClient, page: httpx.Response, act: str, **fields: str) -> httpx.Response:
    """Send the form of a page as a browser would."""
    answer = await press(http, page, act, **fields)
    return await http.get(page.url.join(answer.headers["location"])) if answer.is_redirect else answer


async def open_page(http: httpx.AsyncClient, incident: str, person: str) -> httpx.Response:
    page = await http.get(f"/i/{incident}?t={sign(SECRET, incident, person)}")
    assert page.status_code == 200
    return page


def sealed(page: httpx.Response) -> str:
    """Return the call as the page's first form carries it."""
    return html.unescape(re.findall(r'name="call" value="([^"]*)"', page.text)[0])


async def say(house: House, it: Incident, update: str, **payload: Any) -> None:
    await house.client.get_workflow_handle(it.id).execute_update(update, payload)


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
        after = await tap(http, page, "release", reason="all <green> since 08:00")
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


async def test_a_proposal_is_approved_by_whom_it_waits_for(staffed: House) -> None:
    it = await begun(staffed)
    await say(staffed, it, "propose", by="ana", kind="roll_back", target="checkout-api@2.3.1", why="started with it")
    async with staffed.gateway() as http:
        theirs = await open_page(http, it.id, "eva")
        page = await open_page(http, it.id, "ana")
        after = await tap(http, page, "decide", verdict="approve", proposal="1", reason="errors began with it")
        again = await tap(http, page, "decide", verdict="reject", proposal="1")
    assert "1: roll back checkout-api@2.3.1" in text_of(page)
    assert "roll back" not in text_of(theirs), "it is not hers to decide"
    assert "roll_back checkout-api@2.3.1 goes ahead" in text_of(after)
    assert "1: roll back" not in text_of(after)
    assert "Proposal 1 is" in text_of(again)
    [proposal] = (await state(staffed, it.id)).proposals
    assert (proposal.verdict, proposal.decided_by) == ("approve", "ana")
    [decided] = lines(await state(staffed, it.id), "decided")
    assert (decided.by, decided.claimed) == ("ana", False)
    assert "errors began with it" in decided.text


async def test_a_last_resort_is_decided_by_link_and_not_by_who_proposed_it(staffed: House) -> None:
    it = await begun(staffed)
    await say(
        staffed, it, "propose", by="ana", kind="change_config", target="checkout-api", why="limit", confidence="tried"
    )
    async with staffed.gateway() as http:
        hers, his = await open_page(http, it.id, "ana"), await open_page(http, it.id, "ben")
        assert "Approve</button>" not in hers.text
        assert "takes a second person" in text_of(hers)
        after = await tap(http, his, "decide", verdict="reject", proposal="1", reason="not sure enough")
    assert "Proposal 1 is rejected".casefold() in text_of(after).casefold()


async def test_an_impact_statement_that_is_owed_is_asked_for_on_top(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await tap(http, await open_page(http, it.id, "ana"), "join")
        assert "Is checkout impacted?" in text_of(page)
        after = await tap(
            http, page, "state_impact", impacted="yes", team="checkout", customers="3 % fail", text="since 08:00"
        )
    assert "checkout: impacted yes" in text_of(after)
    assert "Is checkout impacted?" not in text_of(after)
    now = await state(staffed, it.id)
    [said] = now.statements
    assert (said.team, said.by, said.impacted, said.customers) == ("checkout", "ana", "yes", "3 % fail")
    assert now.customers_hit == "3 % fail"


async def test_a_message_to_customers_is_held_by_who_may(staffed: House) -> None:
    it = await begun(staffed)

    async def written() -> Incident | None:
        now = await state(staffed, it.id)
        return now if now.desk.waiting and now.desk.waiting.text else None

    draft = (await until(written)).desk.waiting
    assert draft
    assert draft.text
    async with staffed.gateway() as http:
        theirs = await open_page(http, it.id, "ana")
        page = await open_page(http, it.id, "sam")
        assert draft.text.external.split("\n")[0] in text_of(page)
        after = await tap(http, page, "notify", draft=str(draft.n), verdict="hold", text="wait for the facts")
    assert "Hold this message" not in theirs.text
    assert f"draft {draft.n} is held" in text_of(after)
    assert "Hold this message" not in after.text
    [held] = lines(await state(staffed, it.id), "held")
    assert (held.by, held.claimed) == ("sam", False)
    assert "wait for the facts" in held.text


async def test_a_message_to_customers_is_sent_by_who_may(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "sam")
        after = await tap(http, page, "notify", verdict="send")
    assert "goes to acme" in text_of(after)
    assert "about to go" not in text_of(after)
    [draft] = (await state(staffed, it.id)).desk.drafts
    assert (draft.by, draft.claimed) == ("sam", False)
    assert draft.status in ("going", "sent")


async def test_what_customers_see_is_said_once_it_looks_clear(staffed: House) -> None:
    it = await begun(staffed)
    await say(staffed, it, "acknowledge", by="ana")
    fact = next(iter(it.alarms.values())).model_copy(update={"state": "OK"})
    changed = {"alarms": [fact.model_dump(mode="json")]}
    await staffed.client.get_workflow_handle(it.id).signal("alarms_changed", changed)

    async def clear() -> bool:
        return (await state(staffed, it.id)).phase == "verify"

    await until(clear)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "sam")
        asked = await tap(http, page, "confirm_recovery", recovered="true")
        after = await tap(http, page, "confirm_recovery", recovered="true", customer="acme", text="all went through")
    assert "Say who sees it" in text_of(asked)
    assert "confirmed" in text_of(after)
    assert (await state(staffed, it.id)).recovered_for == ["acme"]


async def test_a_small_event_that_is_clear_is_closed_with_one_tap(staffed: House) -> None:
    it = await begun(staffed)
    fact = next(iter(it.alarms.values())).model_copy(update={"state": "OK"})
    changed = {"alarms": [fact.model_dump(mode="json")]}
    await staffed.client.get_workflow_handle(it.id).signal("alarms_changed", changed)

    async def clear() -> bool:
        return (await state(staffed, it.id)).phase == "verify"

    await until(clear)
    async with staffed.gateway() as http:
        hers, his = [await open_page(http, it.id, person) for person in ("ana", "sam")]
        said = await tap(http, hers, "close", reason="self_recovered", text="one host came back")
    assert "Nothing is in alarm: if it is over, close it with a reason" in text_of(hers)
    assert "close it with a reason" not in text_of(his), "support may not"
    assert "reopens it" in text_of(said)
    closed = await state(staffed, it.id)
    assert closed.close_reason == "self_recovered"
    [line] = lines(closed, "closed")
    assert (line.by, line.claimed, line.text) == ("ana", False, "self_recovered one host came back")


async def test_whose_shift_ends_says_what_is_open_or_stays(staffed: House) -> None:
    plan = an_incident(staffed.catalog).plan
    ends = datetime.now(UTC) + timedelta(minutes=20)
    turning = plan.teams["checkout"].model_copy(update={"until": ends})
    it = await begun(staffed, plan=plan.model_copy(update={"teams": {**plan.teams, "checkout": turning}}))
    await say(staffed, it, "acknowledge", by="ana")
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        asked = await tap(http, page, "hand_off")
        told = await tap(http, page, "hand_off", text="latency on host 17")
        stays = await tap(http, page, "hand_off", stays="true")
        after = await open_page(http, it.id, "ana")
    assert "Your shift for checkout ends soon: what is open?" in text_of(page)
    assert "Say what is open, or that you stay." in text_of(asked)
    assert "will read it" in text_of(told)
    assert "you stay for checkout until the next shift ends" in text_of(stays)
    assert "what is open?" not in text_of(after)
    assert [line.text for line in lines(await state(staffed, it.id), "shift")] == [
        "checkout: ana hands over to who follows. latency on host 17",
        "checkout: ana stays on.",
    ]


async def test_clicking_the_call_is_joining_it(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        assert f'href="https://call.example.test/{it.id}"' not in page.text, "nobody gets there uncounted"
        form_action = page.headers["Content-Security-Policy"].split("form-action ")[1].split(";")[0]
        assert form_action == "'self' https:", "or a browser would stop on the way to the call"
        answer = await press(http, page, "join", call=sealed(page))
        after = await open_page(http, it.id, "ana")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"https://call.example.test/{it.id}"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert (await state(staffed, it.id)).people["ana"].joined_at
    assert f'href="https://call.example.test/{it.id}"' in after.text, "who has joined needs no more than the link"


async def test_the_call_of_a_page_joins_with_one_tap_and_a_preview_joins_nobody(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await http.get(f"/i/{it.id}?t={sign(SECRET, it.id, 'ana')}&call=1")
        assert not (await state(staffed, it.id)).people["ana"].joined_at, "a filter that follows links is nobody"
        answer = await press(http, page, "join", call=sealed(page))
    assert answer.headers["location"] == f"https://call.example.test/{it.id}"
    assert (await state(staffed, it.id)).people["ana"].joined_at


async def test_who_is_expected_on_the_call_gets_there_from_the_top(staffed: House) -> None:
    it = await begun(staffed)
    await say(staffed, it, "acknowledge", by="ana")
    await say(staffed, it, "make_big", by="kim", reason="two more services look wrong")
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
        assert "You are expected on the call" in text_of(page)
        assert page.text.count("Join the call</button>") == 1
        answer = await press(http, page, "join", call=sealed(page))
    assert answer.headers["location"] == f"https://call.example.test/{it.id}"
    assert (await state(staffed, it.id)).people["ana"].joined_at


async def test_who_may_not_join_hears_why_and_gets_the_link_all_the_same(staffed: House) -> None:
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "<b>stranger</b>")
        answer = await press(http, page, "join", call=sealed(page))
        after = await http.get(page.url.join(answer.headers["location"]))
    assert "is not on call for" in text_of(after)
    assert f'href="https://call.example.test/{it.id}"' in after.text


async def test_when_temporal_is_gone_the_call_is_open_all_the_same(
    staffed: House, dead: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.phone.CALL_WITHIN", timedelta(seconds=0.2))
    it = await begun(staffed)
    async with staffed.gateway() as http:
        page = await open_page(http, it.id, "ana")
    await until(lambda: staffed.store.incident(it.id))
    async with staffed.gateway(client=dead) as http:
        answer = await press(http, page, "join", call=sealed(page))
    assert answer.status_code == 503
    assert "may not be counted" in text_of(answer)
    assert f'href="https://call.example.test/{it.id}"' in answer.text


async def test_a_form_leads_to_no_call_but_the_incidents_own(staffed: House) -> None:
    it, other = await begun(staffed), await begun(staffed)
    async with staffed.gateway() as http:
        page, there = await open_page(http, it.id, "ana"), await open_page(http, other.id, "ana")
        hidden = {"t": sign(SECRET, it.id, "ana"), "act": "join", "key": "k"}
        for call in ("https://elsewhere.example.test", sealed(there), ""):
            answer = await http.post(page.url, data={**hidden, "call": call})
            assert answer.headers["location"].startswith("?"), call


async def test_other_pages_of_the_reader_are_listed_with_links_of_their_own(staffed: House) -> None:
    it = await begun(staffed)
    more = await begun(staffed, title="<i>Orders</i> are late", opened_at=it.opened_at + timedelta(seconds=1))

    async def recorded() -> bool:
        known = await staffed.store.incident(more.id)
        return bool(known and "ana" in known.people)

    await until(recorded)
    async with staffed.gateway() as http:
        page, bens = await open_page(http, it.id, "ana"), await open_page(http, it.id, "ben")
        assert "Also waiting for you" in text_of(page)
        assert "<i>Orders</i> are late" in text_of(page)
        assert more.id not in bens.text
        (link,) = re.findall(rf'href="({more.id}[^"]*)"', page.text)
        there = await http.get(page.url.join(html.unescape(link)))
        await tap(http, there, "acknowledge")

        async def known() -> bool:
            return more.id not in (await open_page(http, it.id, "ana")).text

        await until(known)
    assert (await state(staffed, more.id)).engagements["checkout"].acknowledged_by == "ana"


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

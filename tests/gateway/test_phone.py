"""The page a phone opens, where no worker runs: from the record, careful with what people wrote."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from temporalio.client import Client

from gateway.elsewhere import MOST, pages_elsewhere
from gateway.phone import Phone, phone_routes
from link.signing import page_link, sign
from model.catalogue.entries import Bridges
from model.incident import Engagement, Incident, Paged, Responder
from store import open_store
from tests.gateway.house import SECRET, House, an_incident, record

NOBODY = "INC-20260302-ZZZZ"


def path_of(incident: str, person: str = "ana", **signing: Any) -> str:
    return f"/i/{incident}?t={sign(SECRET, incident, person, **signing)}"


async def recorded(house: House, **facts: Any) -> Incident:
    it = an_incident(house.catalog, **facts)
    it.say("opened", "SEV2 checkout-api in eu-west", now=it.opened_at)
    it.say("observed", "error: 503 from host 17", now=it.opened_at, by="ana", link="https://example.test/log")
    await record(house.store, it)
    return it


def text_of(page: httpx.Response) -> str:
    body = re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


async def test_without_a_worker_the_page_shows_what_was_recorded(house: House) -> None:
    now = datetime.now(UTC)
    it = await recorded(
        house,
        leader="kim",
        customers_hit="a canary fails",
        opened_at=now - timedelta(minutes=12),
        engagements={"checkout": Engagement(team="checkout", reason="owner", called_at=now, clock_from=now)},
    )
    async with house.gateway() as http:
        page = await http.get(path_of(it.id))
    said = text_of(page)
    assert page.status_code == 200
    for words in (
        f"SEV2 {it.id}", "Payments fail", "Open for 12 min", "checkout-api", "eu-west", "a canary fails",
        "Kim", "checkout being paged", "error: 503 from host 17", "recorded last", "Acknowledge",
        "I’m in", "Not us",
    ):  # fmt: skip
        assert words in said, words


async def test_a_person_sees_what_they_did_already(house: House) -> None:
    now = datetime.now(UTC)
    it = await recorded(house, people={"ana": Responder(acknowledged_at=now, joined_at=now)})
    async with house.gateway() as http:
        hers, his = [text_of(await http.get(path_of(it.id, person))) for person in ("ana", "ben")]
    assert "You took it at" in hers
    assert "You are in since" in hers
    assert "You took it" not in his


async def test_a_closed_incident_takes_words_only(house: House) -> None:
    it = await recorded(house, phase="reflect", closed_at=datetime.now(UTC))
    async with house.gateway() as http:
        said = text_of(await http.get(path_of(it.id)))
    assert "It is closed" in said
    assert "Acknowledge" not in said
    assert "Not us" not in said
    assert "Write into the ticket" in said


async def test_an_absorbed_incident_leads_to_the_one_it_became(house: House) -> None:
    other = await recorded(house, title="All of it fails")
    it = await recorded(house, phase="absorbed", absorbed_into=other.id)
    async with house.gateway() as http:
        page = await http.get(path_of(it.id))
        (onward,) = re.findall(rf'href="({other.id}[^"]*)"', page.text)
        there = await http.get(page.url.join(html.unescape(onward)))
    assert "Acknowledge" not in text_of(page)
    assert "All of it fails" in text_of(there)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


async def test_what_people_wrote_is_shown_and_never_run(house: House) -> None:
    it = an_incident(house.catalog, title=HOSTILE, customers_hit=HOSTILE, services=[HOSTILE], leader=HOSTILE)
    it.say("observed", HOSTILE, now=it.opened_at, by=HOSTILE, link="javascript:alert(1)")
    await record(house.store, it)
    async with house.gateway() as http:
        page = await http.get(path_of(it.id, HOSTILE))
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "javascript:" not in page.text
    assert HOSTILE in html.unescape(page.text)


async def test_the_page_loads_nothing_and_tells_nobody_its_address(house: House) -> None:
    it = await recorded(house)
    async with house.gateway() as http:
        for page in (await http.get(path_of(it.id)), await http.get(f"/i/{it.id}")):
            policy = page.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy
            assert "script-src" not in policy
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert page.headers["Cache-Control"] == "no-store"
            assert not re.findall(r"<(?:script|link|img|iframe)\b|\bsrc=|\bon\w+=|\bstyle=", page.text)


async def test_a_link_without_proof_opens_nothing(house: House) -> None:
    it, other = await recorded(house), await recorded(house)
    old = datetime.now(UTC) - timedelta(days=8)
    token = sign(SECRET, it.id, "ana")
    async with house.gateway() as http:
        for path in (
            f"/i/{it.id}",
            f"/i/{it.id}?t=nonsense",
            f"/i/{other.id}?t={token}",
            f"/i/{it.id}?t={token[:-3]}",
            path_of(it.id, now=old),
            path_of(NOBODY, now=old),
        ):
            page = await http.get(path)
            assert page.status_code == 403, path
            assert "Payments fail" not in page.text
            assert "allclear ack INC-" in text_of(page)
        assert "expired" in text_of(await http.get(path_of(it.id, now=old)))


async def test_a_post_without_proof_does_nothing(house: House) -> None:
    it = await recorded(house)
    form = {"t": "nonsense", "act": "acknowledge", "key": "k"}
    async with house.gateway() as http:
        # The proof is the form's: one in the address only is not enough, so no site can make a phone post.
        for path in (f"/i/{it.id}", path_of(it.id)):
            assert (await http.post(path, data=form)).status_code == 403
        assert (await http.post(path_of(it.id), content=b"")).status_code == 403


async def test_an_incident_nobody_knows_is_said_kindly(house: House) -> None:
    async with house.gateway() as http:
        page = await http.get(path_of(NOBODY))
    assert page.status_code == 404
    assert NOBODY in text_of(page)


async def test_an_id_may_be_typed_in_any_case(house: House) -> None:
    it = await recorded(house)
    async with house.gateway() as http:
        assert (await http.get(path_of(it.id).replace("INC-", "inc-"))).status_code == 200


async def test_without_temporal_and_without_a_record_the_page_says_so(house: House, dead: Client) -> None:
    async with house.gateway(client=dead) as http:
        page = await http.get(path_of(NOBODY))
    assert page.status_code == 503
    assert f"allclear ack {NOBODY}" in text_of(page)


async def test_without_the_store_the_page_says_so(house: House, tmp_path: Any) -> None:
    house.store = open_store(f"sqlite:///{tmp_path}/empty.db")
    async with house.gateway() as http:
        page = await http.get(path_of(NOBODY))
    await house.store.close()
    assert page.status_code == 503


async def test_what_cannot_be_sent_stays_in_its_field(
    house: House, dead: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.phone.SEND_WITHIN", timedelta(seconds=0.2))
    it = await recorded(house)
    form = {
        "t": sign(SECRET, it.id, "ana"),
        "act": "observe",
        "key": "once",
        "text": "disk <full>\r\non host 17",
    }
    async with house.gateway(client=dead) as http:
        page = await http.post(f"/i/{it.id}", data=form)
    assert page.status_code == 503
    assert "it counts once" in text_of(page)
    assert "disk &lt;full&gt;" in page.text
    assert 'value="once"' in page.text


@pytest.mark.parametrize("text", ["", "   ", "\r\n"])
async def test_an_empty_text_is_asked_for(house: House, text: str) -> None:
    it = await recorded(house)
    form = {"t": sign(SECRET, it.id, "ana"), "act": "release", "key": "k", "reason": text}
    async with house.gateway() as http:
        page = await http.post(f"/i/{it.id}", data=form, follow_redirects=True)
    assert "Write a few words first." in text_of(page)


@pytest.mark.parametrize(
    ("form", "status"),
    [({"act": "reopen"}, 400), ({}, 400), ({"act": "observe", "text": "x" * 70_000}, 413)],
    ids=["another update", "nothing", "a book"],
)
async def test_what_the_page_cannot_do_is_not_done(house: House, form: dict[str, str], status: int) -> None:
    it = await recorded(house)
    async with house.gateway() as http:
        page = await http.post(f"/i/{it.id}", data={"t": sign(SECRET, it.id, "ana"), **form})
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")


async def test_nobody_can_put_words_into_the_page_by_its_address(house: House) -> None:
    it = await recorded(house)
    async with house.gateway() as http:
        plain = await http.get(path_of(it.id) + "&m=All+is+well")
        assert "All is well" not in plain.text
        form = {"t": sign(SECRET, it.id, "ana"), "act": "release", "key": "k"}
        answer = await http.post(f"/i/{it.id}", data=form)
        (memory,) = parse_qs(urlsplit(answer.headers["location"]).query)["m"]
        other = await recorded(house)
        elsewhere = await http.get(path_of(other.id) + f"&m={memory}")
    assert answer.status_code == 303
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Write a few words" not in elsewhere.text


async def test_the_link_of_a_page_opens_it(house: House) -> None:
    it = await recorded(house)
    link = page_link("http://127.0.0.1:8600/", SECRET, it.id, "ana")
    async with house.gateway(sender=("203.0.113.7", 1), token="machines only") as http:
        assert "Payments fail" in text_of(await http.get(link))


def only_the_phone(house: House, client: Client, **options: Any) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(phone_routes(Phone(client, house.store, SECRET, **options)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8600")


async def test_while_no_workflow_answers_the_catalogue_says_what_waits_and_where_the_call_is(
    house: House, dead: Client
) -> None:
    now = datetime.now(UTC)
    called = {
        team: Engagement(team=team, reason="owner", called_at=now, clock_from=now) for team in ("checkout", "gone")
    }
    it = await recorded(house, engagements=called, people={"ana": Responder(pages=[a_page(now)])})
    async with only_the_phone(house, dead, catalog=lambda: house.catalog) as http:
        page = await http.get(path_of(it.id))
    said = text_of(page)
    assert "You are paged for checkout" in said
    assert "Join the call" in said
    assert "You are Ana Ng here" in said


async def test_a_secret_call_is_the_same_for_everybody_and_in_no_other_incident(house: House, dead: Client) -> None:
    bridges = Bridges(tech="https://meet.example.test/{incident}-{call}-{secret}")
    catalog = house.catalog.model_copy(update={"bridges": bridges})
    now = datetime.now(UTC)
    both = {name: Responder(acknowledged_at=now, joined_at=now) for name in ("ana", "kim")}
    it, other = await recorded(house, people=both), await recorded(house, people=both)
    async with only_the_phone(house, dead, catalog=lambda: catalog) as http:
        pages = [
            await http.get(path_of(id, person)) for id, person in ((it.id, "ana"), (it.id, "kim"), (other.id, "ana"))
        ]
    hers, his, elsewhere = [re.findall(r'href="https://meet[^"]*-tech-([a-z2-7]{16})"', page.text) for page in pages]
    assert len(hers) == 1
    assert hers == his
    assert hers != elsewhere
    assert "{secret}" not in pages[0].text


async def test_who_comes_for_the_call_finds_its_button_on_top_and_is_not_counted_for_looking(house: House) -> None:
    now = datetime.now(UTC)
    called = {"checkout": Engagement(team="checkout", reason="owner", called_at=now, clock_from=now)}
    it = await recorded(house, engagements=called, people={"ana": Responder(pages=[a_page(now)])})
    async with only_the_phone(house, house.client, catalog=lambda: house.catalog) as http:
        plain, wanted = await http.get(path_of(it.id)), await http.get(path_of(it.id) + "&call=1")
    forms = [re.findall(r'name="act" value="(\w+)"', page.text) for page in (plain, wanted)]
    assert forms[0][0] == "acknowledge"
    assert forms[1][0] == "join"
    assert wanted.text.count("Join the call</button>") == 1
    recorded_since = await house.store.incident(it.id)
    assert recorded_since
    assert recorded_since.people["ana"].joined_at is None


def a_page(at: datetime) -> Paged:
    return Paged(at=at, team="checkout", channel="sms", contact=0, level=1, call=1, key="k", confirmed=True)


async def test_a_storm_lists_the_pages_that_wait_and_says_when_it_did_not_look_at_all(house: House) -> None:
    now = datetime.now(UTC)
    called = {"checkout": Engagement(team="checkout", reason="owner", called_at=now, clock_from=now)}
    storm = [
        await recorded(house, title=f"Storm {n}", engagements=called, people={"ana": Responder(pages=[a_page(now)])})
        for n in range(8)
    ]
    await recorded(house, title="Over", phase="reflect", people={"ana": Responder(pages=[a_page(now)])})
    async with house.gateway() as http:
        few = text_of(await http.get(path_of(storm[0].id)))
        for _ in range(MOST):
            await recorded(house)
        many = text_of(await http.get(path_of(storm[0].id)))
    assert "Also waiting for you: 7 more" in few
    assert "Storm 7" in few
    assert "Over" not in few
    assert "There may be more" not in few
    assert "There may be more: 7 more incidents are open" in many


async def test_other_pages_are_left_out_and_it_is_said_when_the_record_does_not_answer(
    house: House, tmp_path: Any
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/empty.db")
    found = await pages_elsewhere(store, "ana", NOBODY)
    await store.close()
    assert not found.pages
    assert "does not answer" in found.missing


DECISION = {"act": "decide", "proposal": "3", "verdict": "reject", "reason": "it is <older> than that"}


async def test_a_decision_that_cannot_be_sent_waits_on_the_page_to_be_sent_again(
    house: House, dead: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.phone.SEND_WITHIN", timedelta(seconds=0.2))
    it = await recorded(house)
    form = {**DECISION, "t": sign(SECRET, it.id, "ana"), "key": "once"}
    async with house.gateway(client=dead) as http:
        page = await http.post(f"/i/{it.id}", data=form)
    assert page.status_code == 503
    again = page.text[page.text.index("Not sent yet") :].split("</form>")[0]
    assert "reject 3" in again
    assert "it is &lt;older&gt; than that</textarea>" in again
    for name, value in (("act", "decide"), ("key", "once"), ("proposal", "3"), ("verdict", "reject")):
        assert f'name="{name}" value="{value}"' in again, name


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ({"act": "decide", "proposal": "1"}, "Say which: approve or reject."),
        ({"act": "notify", "draft": "1"}, "Say which: send or hold."),
        ({"act": "state_impact", "text": "all well"}, "Say whether: yes, no or unknown."),
        ({"act": "confirm_recovery", "recovered": "true"}, "Say who sees it"),
    ],
    ids=lambda given: given["act"] if isinstance(given, dict) else "",
)
async def test_a_form_without_its_answer_is_asked_for_it(house: House, form: dict[str, str], asked: str) -> None:
    it = await recorded(house)
    async with house.gateway() as http:
        told = {"t": sign(SECRET, it.id, "ana"), "key": "k", **form}
        page = await http.post(f"/i/{it.id}", data=told, follow_redirects=True)
    assert asked in text_of(page)

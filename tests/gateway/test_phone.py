"""The page a phone opens, where no worker runs: from the record, careful with what people wrote."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from temporalio.client import Client

from link.signing import page_link, sign
from model.incident import Engagement, Incident, Responder
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
        "kim", "checkout being paged", "error: 503 from host 17", "recorded last", "Acknowledge",
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


async def test_what_cannot_be_sent_stays_in_its_field(house: House, dead: Client) -> None:
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
    form = {"t": sign(SECRET, it.id, "ana"), "act": "release", "key": "k", "text": text}
    async with house.gateway() as http:
        page = await http.post(f"/i/{it.id}", data=form, follow_redirects=True)
    assert "Write a few words first." in text_of(page)


@pytest.mark.parametrize(
    ("form", "status"),
    [({"act": "close"}, 400), ({}, 400), ({"act": "observe", "text": "x" * 70_000}, 413)],
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

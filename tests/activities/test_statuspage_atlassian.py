"""The public page at Atlassian Statuspage, against a server that keeps incidents as its API's description says."""

import asyncio
import json
import logging
import os
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema_rs
import pytest
import trustme

from activities import Failed
from activities.posting import Poster
from activities.statuspage.atlassian import LARGEST, REST, Statuspage
from activities.statuspage.publish import Publishing
from model.coordinate.wording import Names, reviewed
from model.effects import Errand, Publication
from model.text import Refused
from tests.activities.paging.provider import DROPS, HANGS, Provider, Request, Says, serving
from tests.store.samples import ID, later
from worker.settings import Settings
from worker.statuspages import status_page_of, trials

PAGE, KEY = "gytm4qzbx9t6", "89a229ce1a8dbcf9ff30430fbe35eb4c"
WITHIN = timedelta(seconds=2)
CONTRACT = "statuspage.openapi.json"


class There:
    """Statuspage: one page, its components, and incidents with their updates."""

    def __init__(self) -> None:
        self.incidents: list[dict[str, Any]] = []
        self.components: dict[str, dict[str, Any]] = {}
        for name in ("Checkout", "Payments", "Payments API", "Search"):
            self.component(name)
        self.component("Europe", group=True)

    def component(self, name: str, status: str = "operational", *, group: bool = False) -> str:
        known = next((id for id, it in self.components.items() if it["name"] == name), f"c{len(self.components)}")
        self.components[known] = {"id": known, "name": name, "status": status, "group": group}
        return known

    def status(self, name: str) -> str:
        return next(str(it["status"]) for it in self.components.values() if it["name"] == name)

    def by_hand(self, name: str, status: str, *components: str) -> None:
        """Somebody writes an incident in the web interface."""
        self.incidents.insert(0, {"id": f"i{len(self.incidents)}", "name": name, "status": status, "metadata": {}})
        ids = [id for id, it in self.components.items() if it["name"] in components]
        self.incidents[0] |= {"components": [self.components[id] for id in ids], "incident_updates": []}

    def __call__(self, request: Request) -> Says:
        where = urlsplit(request.path)
        path = where.path.removeprefix(f"/v1/pages/{PAGE}")
        if request.headers.get("authorization") != f"OAuth {KEY}":
            return said(401, {"error": "Could not authenticate"})
        if path == where.path:
            return said(404, {"error": "not found"})
        match request.method, path.strip("/").split("/"):
            case "GET", [""]:
                return said(200, {"id": PAGE, "name": "Example Cloud"})
            case "GET", ["components"]:
                return said(200, list(self.components.values()))
            case "GET", ["incidents", "unresolved"]:
                return said(200, [it for it in self.incidents if it["status"] != "resolved"])
            case "GET", ["incidents"]:
                return said(200, self.incidents[: int(parse_qs(where.query)["limit"][0])])
            case "POST", ["incidents"]:
                self.incidents.insert(0, {"id": f"i{len(self.incidents)}", "metadata": {}, "incident_updates": []})
                return self._write(self.incidents[0], request.json, 201)
            case "PATCH", ["incidents", id]:
                found = next((it for it in self.incidents if it["id"] == id), None)
                return self._write(found, request.json, 200) if found else said(404, {"error": "not found"})
        return said(404, {"error": "not found"})

    def _write(self, incident: dict[str, Any], body: Any, code: int) -> Says:
        told = body["incident"]
        errors = [
            *(["name"] if len(told.get("name", incident.get("name", ""))) not in range(1, 256) else []),
            *(["body"] if len(told["body"]) > 25_000 else []),
            *(["metadata"] if not all(isinstance(value, dict) for value in told["metadata"].values()) else []),
            *(["components"] if set(told.get("component_ids", [])) - set(self.components) else []),
        ]
        if errors:
            return said(422, {"error": [f"{name} is invalid" for name in errors]})
        for id, status in told.get("components", {}).items():
            self.components[id]["status"] = status
        ids = told.get("component_ids", [])
        incident |= {name: told[name] for name in ("name", "status", "metadata") if name in told}
        incident["components"] = [dict(self.components[id]) for id in ids]
        update = {"status": told["status"], "body": told["body"], "told": told["deliver_notifications"]}
        incident["incident_updates"].insert(0, update)
        return said(code, incident)


def said(code: int, body: Any) -> Says:
    return Says(code, json.dumps(body), {"content-type": "application/json"})


@pytest.fixture
def there() -> There:
    return There()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def provider(there: There, authority: trustme.CA) -> AsyncIterator[Provider]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with serving(Provider(answer=there), tls) as it:
        yield it


@pytest.fixture
def poster(authority: trustme.CA) -> Poster:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Poster(WITHIN, trusting, LARGEST)


@pytest.fixture
def page(provider: Provider, poster: Poster) -> Statuspage:
    return Statuspage(PAGE, KEY, url=provider.url, poster=poster)


def entry(
    text: str = "Payments fail for some.", status: Any = "wrong", about: str = "Checkout", minutes: int = 0
) -> Publication:
    words = [reviewed(said, Names(), "sam") for said in (about, text)]
    return Publication(
        incident=ID, draft=1, about=words[0], services=about.split(" and "), text=words[1], status=status, by="sam",
        at=later(minutes),
    )  # fmt: skip


async def refusal(page: Statuspage, order: Publication | None = None) -> Failed:
    with pytest.raises(Failed) as caught:
        await page.publish(order or entry(), "k/1")
    assert KEY not in caught.value.reason
    return caught.value


async def test_an_event_is_one_incident_from_its_first_entry_to_its_last(page: Statuspage, there: There) -> None:
    await page.publish(entry(), "k/1")
    assert there.status("Checkout") == "degraded_performance"
    await page.publish(entry("We are watching it.", "mitigated"), "k/2")
    await page.publish(entry("It is over.", "resolved"), "k/3")
    [incident] = there.incidents
    assert (incident["name"], incident["status"]) == ("Checkout", "resolved")
    updates = [(it["status"], it["body"]) for it in reversed(incident["incident_updates"])]
    assert updates == [
        ("investigating", "Payments fail for some."),
        ("monitoring", "We are watching it."),
        ("resolved", "It is over."),
    ]
    assert there.status("Checkout") == "operational"


async def test_the_same_entry_again_is_not_told_twice_also_when_it_is_over(page: Statuspage, there: There) -> None:
    for order, key in ((entry(), "k/1"), (entry("It is over.", "resolved"), "k/2")):
        for _ in range(2):
            await page.publish(order, key)
    await page.publish(entry(), "k/1")
    [incident] = there.incidents
    assert [it["status"] for it in incident["incident_updates"]] == ["resolved", "investigating"]


async def test_a_worker_that_dies_between_sent_and_recorded_makes_no_second_incident(
    page: Statuspage, provider: Provider, there: There
) -> None:
    made = asyncio.Event()

    def dies(request: Request) -> Says:
        answer = there(request)
        if request.method != "POST":
            return answer
        made.set()
        return HANGS

    provider.answer = dies
    dying = asyncio.create_task(page.publish(entry(), "k/1"))
    await made.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    provider.answer = there
    await page.publish(entry(), "k/1")
    [incident] = there.incidents
    assert len(incident["incident_updates"]) == 1


async def test_two_events_are_two_incidents_and_others_are_left_alone(page: Statuspage, there: There) -> None:
    there.by_hand("Maintenance went wrong", "identified", "Search")
    await page.publish(entry(), "k/1")
    await page.publish(entry(about="Search").model_copy(update={"incident": "INC-20260302-9KQX"}), "k/1")
    assert [it["name"] for it in there.incidents] == ["Search", "Checkout", "Maintenance went wrong"]
    assert there.incidents[2]["incident_updates"] == []


async def test_nobody_reads_our_names_there(page: Statuspage, provider: Provider) -> None:
    await page.publish(entry(), f"{ID}/publish/1")
    assert not any(ID.encode() in request.body for request in provider.requests)


async def test_components_follow_what_customers_call_them(page: Statuspage, there: There) -> None:
    await page.publish(entry(about="checkout and Payments API"), "k/1")
    changed = {it["name"] for it in there.components.values() if it["status"] != "operational"}
    assert changed == {"Checkout", "Payments API"}, "and not Payments, which is another one"
    await page.publish(entry(about="Search"), "k/2")
    assert there.incidents[0]["name"] == "Search"
    assert {it["name"] for it in there.incidents[0]["components"]} == {*changed, "Search"}


async def test_what_somebody_set_by_hand_stays(page: Statuspage, there: There) -> None:
    there.component("Checkout", "major_outage")
    there.component("Search", "under_maintenance")
    await page.publish(entry(about="Checkout and Search"), "k/1")
    assert (there.status("Checkout"), there.status("Search")) == ("major_outage", "under_maintenance")
    there.incidents[0]["name"] = "Better words"
    there.incidents[0]["metadata"]["jira"] = {"key": "OPS-1"}
    await page.publish(entry("It is over.", "resolved", about="Checkout"), "k/2")
    assert (there.status("Checkout"), there.status("Search")) == ("operational", "under_maintenance")
    assert there.incidents[0]["name"] == "Better words"
    assert there.incidents[0]["metadata"]["jira"] == {"key": "OPS-1"}


async def test_a_component_of_another_open_incident_is_not_well_yet(page: Statuspage, there: There) -> None:
    await page.publish(entry(), "k/1")
    there.by_hand("Another one", "identified", "Checkout")
    await page.publish(entry("It is over.", "resolved"), "k/2")
    assert there.status("Checkout") == "degraded_performance"


async def test_an_event_that_comes_back_is_the_same_incident(page: Statuspage, there: There) -> None:
    await page.publish(entry("It is over.", "resolved"), "k/1")
    await page.publish(entry("It is back."), "k/2")
    [incident] = there.incidents
    assert incident["status"] == "investigating"


async def test_very_long_words_are_cut_to_what_is_taken(page: Statuspage, there: There) -> None:
    await page.publish(entry("x" * 30_000, about="y" * 300), "k/1")
    [incident] = there.incidents
    assert incident["incident_updates"][0]["body"].endswith("…")


async def test_subscribers_are_told_unless_the_settings_say_otherwise(
    provider: Provider, poster: Poster, there: There
) -> None:
    for number, notify in enumerate((True, False)):
        page = Statuspage(PAGE, KEY, url=provider.url, notify=notify, poster=poster)
        await page.publish(entry(), f"k/{number}")
        assert there.incidents[0]["incident_updates"][0]["told"] is notify


@pytest.mark.parametrize("code", [420, 429])
@pytest.mark.parametrize(("headers", "rest"), [({}, REST), ({"retry-after": "17"}, timedelta(seconds=17))])
async def test_too_many_requests_are_followed_by_rest(
    page: Statuspage, provider: Provider, code: int, headers: dict[str, str], rest: timedelta
) -> None:
    provider.answer = Says(code, "slow down", headers)
    failed = await refusal(page)
    assert (failed.again, failed.retry_after) == (True, rest)


@pytest.mark.parametrize(
    ("says", "again", "words"),
    [
        (Says(500, "oops"), True, "Statuspage answered 500: oops"),
        (Says(200, "<html>Please sign in</html>"), True, "this is not Statuspage: 200, <html>"),
        (Says(200, "{}"), True, "this is not Statuspage"),
        (Says(200, '["?"]'), True, "this is not Statuspage"),
        (Says(302, "", {"location": "https://elsewhere.example"}), False, "redirects are not followed"),
        (Says(403, f"no {KEY}"), False, r"refused the key \(403\): no \*\*\*"),
        (HANGS, True, "gave no answer within"),
        (DROPS, True, "cannot be reached"),
    ],
)
async def test_trouble_is_told_in_words(
    provider: Provider, authority: trustme.CA, says: Says, again: bool, words: str
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    provider.answer = says
    page = Statuspage(PAGE, KEY, url=provider.url, poster=Poster(timedelta(milliseconds=500), trusting))
    with pytest.raises(Failed, match=words) as caught:
        await page.publish(entry(), "k/1")
    assert caught.value.again is again


async def test_an_entry_it_refuses_says_why(page: Statuspage, there: There, provider: Provider) -> None:
    provider.answer = lambda r: said(422, {"error": ["name is taken"]}) if r.method == "POST" else there(r)
    failed = await refusal(page)
    assert not failed.again
    assert "name is taken" in failed.reason


async def test_a_wrong_key_and_a_wrong_page_are_told_apart(provider: Provider, poster: Poster) -> None:
    wrong = await refusal(Statuspage(PAGE, "another", url=provider.url, poster=poster))
    assert (wrong.again, "refused the key (401)" in wrong.reason) == (False, True)
    lost = await refusal(Statuspage("elsewhere", KEY, url=provider.url, poster=poster))
    assert (lost.again, "no such page" in lost.reason) == (False, True)


async def test_a_certificate_of_nobody_gets_no_key(provider: Provider) -> None:
    failed = await refusal(Statuspage(PAGE, KEY, url=provider.url, poster=Poster(WITHIN)))
    assert "certificate is not trusted" in failed.reason
    assert provider.requests == []


async def test_a_key_does_not_travel_unencrypted() -> None:
    assert "needs https" in (await refusal(Statuspage(PAGE, KEY, url="http://statuspage.example.test"))).reason


async def test_no_key_is_logged(page: Statuspage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await page.publish(entry(), "k/1")
    assert KEY not in caplog.text


async def test_the_check_reads_and_names_services_without_a_component(
    page: Statuspage, provider: Provider, there: There
) -> None:
    words = await page.check(["checkout", "Storage", ""])
    assert words == "Statuspage shows us 'Example Cloud' with 5 components; none is called Storage"
    assert {request.method for request in provider.requests} == {"GET"}


async def test_the_activity_publishes_there(page: Statuspage, there: There) -> None:
    outcome = await Publishing(page).publish(Errand(order=entry(), key="k/1"))
    assert (outcome.ok, len(there.incidents)) == (True, 1)


def test_a_page_is_configured_by_its_id_and_a_key(tmp_path: Path) -> None:
    from model.catalogue.catalog import Catalog

    assert not isinstance(status_page_of(Settings(data=tmp_path)), Statuspage)
    (tmp_path / "statuspage").write_text(f"{KEY}\n")
    settings = Settings(statuspage_page=PAGE, keys_folder=tmp_path)
    assert isinstance(status_page_of(settings), Statuspage)
    assert list(trials(settings, Catalog())) == ["statuspage"]
    assert trials(Settings(), Catalog()) == {}
    with pytest.raises(Refused, match="ALLCLEAR_STATUSPAGE_PAGE"):
        status_page_of(Settings(keys_folder=tmp_path))


async def test_every_request_is_as_the_published_contract_has_it(page: Statuspage, provider: Provider) -> None:
    folder = os.environ.get("CONTRACTS", "")
    if not (Path(folder) / CONTRACT).is_file():
        pytest.skip(f"CONTRACTS names no folder with {CONTRACT}")
    contract = json.loads((Path(folder) / CONTRACT).read_text())
    await page.check()
    await page.publish(entry(), "k/1")
    await page.publish(entry("It is over.", "resolved"), "k/2")
    for request in provider.requests:
        found = [
            op for path, op in contract["paths"].items() if _fits(path, request.path) and request.method.lower() in op
        ]
        assert found, request.path
        operation = found[0][request.method.lower()]
        assert set(parse_qs(urlsplit(request.path).query)) <= {it["name"] for it in operation.get("parameters", [])}
        if request.body:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            jsonschema_rs.validator_for({**schema, "components": _known_types(contract)}).validate(request.json)


def _known_types(contract: dict[str, Any]) -> Any:
    """The description writes a type that JSON Schema does not have: `Object`."""
    return json.loads(json.dumps(contract["components"]).replace('"type": "Object"', '"type": "object"'))


def _fits(template: str, path: str) -> bool:
    """Whether a path is one of a template; one without variables comes first."""
    there, here = template.strip("/").split("/"), urlsplit(path).path.removeprefix("/v1").strip("/").split("/")
    return len(there) == len(here) and all(
        (a.startswith("{") and b != "unresolved") or a == b for a, b in zip(there, here, strict=True)
    )

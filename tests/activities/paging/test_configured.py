"""From settings to pagers, and what `allclear doctor` says about them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.doctor import doctor
from model.catalogue.catalog import Catalog
from model.text import Refused
from store import open_store
from tests.activities.paging.orders import KEY, TEXT, order
from tests.activities.paging.provider import Provider, Says
from worker.pagers import pagers_of, trials
from worker.run import connectors
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("own_settings")
SIGNING = "whsec_" + base64.b64encode(b"a key for the tests of settings!").decode()
ROUTING = "e93facc04764012d7bfb002500d5d1a6"
TAKEN = json.dumps({"status": "success", "message": "Event processed"})


@pytest.fixture
def there() -> Says:
    return Says(202, TAKEN)


def settings_with(**given: Any) -> Settings:
    return Settings(**given)


def catalog_of(**people: dict[str, str]) -> Catalog:
    contacts = {id: {"name": id, "contact": [{c: a} for c, a in given.items()]} for id, given in people.items()}
    return Catalog.load(
        {
            "organisation": "Example",
            "partitions": {"public": ["eu-west"]},
            "people": contacts,
            "teams": {"all": {"on_call": [list(people)], "manager": next(iter(people))}},
            "services": {"api": {"team": "all", "regions": ["eu-west"]}},
            "roles": {"incident_response": "all", "support": "all", "call_leaders": [next(iter(people))]},
        }
    )


async def said(settings: Settings, catalog: Catalog) -> dict[str, str]:
    found = {}
    for name, trial in trials(settings, catalog).items():
        try:
            found[name] = await trial()
        except Refused as error:
            found[name] = f"NO: {error}"
    return found


def test_nothing_is_configured_by_default() -> None:
    assert pagers_of(settings_with()) == {}
    assert trials(settings_with(), catalog_of(ana={"email": "ana@example.test"})) == {}


async def test_what_is_configured_takes_its_channel_and_the_outbox_the_rest(provider: Provider, tmp_path: Path) -> None:
    settings = settings_with(
        webhook_keys=SIGNING,
        pagerduty_keys=f"checkout={ROUTING}",
        pagerduty_url=provider.url,
        apprise_urls=f"Push=json://localhost:{provider.port}/push/{{address}}",
        secret="s",
    )
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    try:
        pagers = connectors(settings.model_copy(update={"data": tmp_path}), store).pagers
    finally:
        await store.close()
    assert set(pagers) == {"*", "webhook", "pagerduty", "push"}
    for channel, address in (("webhook", provider.url), ("pagerduty", "checkout"), ("push", "ana")):
        await pagers[channel].page(order(channel, address), TEXT, KEY)
    assert [request.path for request in provider.requests] == ["/", "/v2/enqueue", "/push/ana"]


def test_secrets_may_lie_in_a_folder_as_they_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "pagerduty").write_text(f"checkout={ROUTING}\ndns=other\n")
    (tmp_path / "webhook").write_text(f"{SIGNING}\n")
    settings = settings_with(pagerduty_keys=f"checkout={ROUTING}").model_copy(update={"keys_folder": tmp_path})
    assert settings.paging_names("pagerduty") == {"checkout": ROUTING, "dns": "other"}
    assert set(pagers_of(settings)) == {"webhook", "pagerduty"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pagerduty_keys": ROUTING}, "entry 1 is not name=value"),
        ({"pagerduty_keys": f"a={ROUTING} ={ROUTING}"}, "entry 2 is not name=value"),
        ({"pagerduty_keys": f"a={ROUTING} a=x{ROUTING}"}, "a has two values"),
        ({"webhook_keys": ROUTING}, "a key is whsec_"),
        ({"apprise_urls": f"sms=nonsense://{ROUTING}/{{address}}"}, "knows no such"),
        ({"apprise_urls": f"webhook=json://{ROUTING}/{{address}}", "webhook_keys": SIGNING}, "take one of them"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_their_secrets(given: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        pagers_of(settings_with(**given))
    assert ROUTING not in str(caught.value)


async def test_the_doctor_finds_everybody_well_and_wakes_nobody(provider: Provider) -> None:
    settings = settings_with(
        webhook_keys=SIGNING,
        pagerduty_keys=f"checkout={ROUTING} spare={ROUTING}",
        pagerduty_url=provider.url,
        apprise_urls=f"push=json://localhost:{provider.port}/push/{{address}}",
    )
    catalog = catalog_of(
        ana={"webhook": provider.url}, ben={"pagerduty": "checkout", "sms": "+15550001234"}, cho={"push": "c"}
    )
    found = await said(settings, catalog)
    assert not any(text.startswith("NO") for text in found.values())
    assert "somebody is there" in found["webhook"]
    assert "nothing was sent" in found["push"]
    assert "pagerduty, push, webhook" in found["channels"]
    sent = sorted((request.method, request.body and request.json["event_action"]) for request in provider.requests)
    assert sent == [("HEAD", b""), ("POST", "resolve"), ("POST", "resolve")]


async def test_the_doctor_says_whose_contact_is_wrong_and_how(provider: Provider) -> None:
    provider.answer = lambda request: (
        Says(404) if request.method == "HEAD" else Says(400, '{"errors": ["Invalid key"]}')
    )
    settings = settings_with(webhook_keys=SIGNING, pagerduty_keys=f"checkout={ROUTING}", pagerduty_url=provider.url)
    catalog = catalog_of(
        ana={"webhook": provider.url},
        ben={"webhook": "ben"},
        cho={"pagerduty": "chekout"},
        dee={"email": "d@example.test"},
    )
    found = await said(settings, catalog)
    assert "ana: localhost answered 404" in found["webhook"]
    assert "ben: the address is no web address" in found["webhook"]
    assert "cho: ALLCLEAR_PAGERDUTY_KEYS has no key 'chekout'" in found["pagerduty"]
    assert "checkout: PagerDuty refused the event" in found["pagerduty"]
    assert "THESE ARE NOT WOKEN, their pages stay in the outbox: dee (email)" in found["channels"]


async def test_a_whole_organisation_with_wrong_contacts_is_still_one_line() -> None:
    catalog = catalog_of(**{f"p{n}": {"webhook": f"wrong-{n}"} for n in range(50)})
    line = (await said(settings_with(webhook_keys=SIGNING), catalog))["webhook"]
    assert line.endswith("; and 47 more")
    assert len(line) < 300


async def test_the_doctor_has_a_line_per_channel(provider: Provider, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, temporal_port=1, webhook_keys=SecretStr(SIGNING))
    found = {check.name: check for check in await doctor(settings)}
    assert found["webhook"].ok
    assert "nobody in the catalogue has a contact `webhook`" in found["webhook"].text
    assert not found["channels"].ok
    broken = settings.model_copy(update={"webhook_keys": SecretStr("x")})
    [line] = [check for check in await doctor(broken) if check.name == "paging"]
    assert not line.ok
    assert "ALLCLEAR_WEBHOOK_KEYS" in line.text

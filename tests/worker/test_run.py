"""A worker's life: which cluster, which connectors, which catalogue, and when it refuses to start."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from activities.comms.outbox import OutboxMessenger
from activities.comms.smtp import SmtpMessenger
from activities.oncall.ical import IcalCalendars
from activities.paging.outbox import OutboxPager
from activities.paging.smtp import SmtpPager
from activities.telemetry.deployments_file import FileDeployments
from link import catalog as live
from link.client import connect
from link.signing import unsign
from link.starting import signal_detection
from model.catalogue.catalog import UNMAPPED, Catalog
from model.catalogue.oncall import levels_at
from model.text import Refused
from store import Store, open_store
from store.migrate import upgrade
from tests.worker.conftest import NAMESPACE
from tests.worker.processes import DEADLINE, eventually
from worker import catalogue
from worker.catalogue import CatalogFile
from worker.embedded import Embedded
from worker.files import EXAMPLE_CATALOG
from worker.run import cluster, connectors, open_client, run_worker, working
from worker.settings import Settings

ALARM = {"alarm": "err", "service": "checkout-api", "region": "eu-west", "metric": "error-rate", "severity": 2}


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    upgrade(settings.store_url)
    store = open_store(settings.store_url)
    yield store
    await store.close()


@pytest.fixture
async def client(server: Embedded) -> Client:
    return await connect(server.address, NAMESPACE, secret="secret")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a catalogue of one's own; it is looked at often."""
    monkeypatch.setattr(catalogue, "LOOK", 0.02)
    path = tmp_path / "catalog.yaml"
    path.write_text(EXAMPLE_CATALOG.read_text())
    return path


# Which cluster


def test_none_is_named(tmp_path: Path) -> None:
    assert cluster() is None


def test_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example.test:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "incidents")
    found = cluster()
    assert found is not None
    assert (found.get("target_host"), found.get("namespace")) == ("temporal.example.test:7233", "incidents")


def test_a_file_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.default]\naddress = "a.test:1"\n[profile.drill]\naddress = "b.test:2"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    assert (cluster() or {}).get("target_host") == "a.test:1"
    monkeypatch.setenv("TEMPORAL_PROFILE", "drill")
    assert (cluster() or {}).get("target_host") == "b.test:2"
    monkeypatch.setenv("TEMPORAL_PROFILE", "other")
    with pytest.raises(Refused, match="'other' not found"):
        cluster()


def test_a_file_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/no/such/temporal.toml")
    with pytest.raises(Refused, match="TEMPORAL_CONFIG_FILE"):
        cluster()


async def test_a_cluster_that_does_not_answer_is_said_with_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = settings.model_copy(update={"temporal_port": 1})
    with pytest.raises(Refused, match=r"does not answer at 127\.0\.0\.1:1; start it with `allclear up`"):
        await open_client(nobody)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    with pytest.raises(Refused, match="is it the right one"):
        await open_client(nobody)


@pytest.mark.heavy
async def test_the_server_of_the_data_folder_is_found_whatever_its_port(server: Embedded) -> None:
    client = await open_client(Settings(data=server._folder, namespace=NAMESPACE))
    assert (client.service_client.config.target_host, client.namespace) == (server.address, NAMESPACE)


# Which connectors


async def test_without_settings_everything_stays_in_the_outbox(settings: Settings, store: Store) -> None:
    made = connectors(settings, store)
    assert set(made.pagers) == set(made.messengers) == {"*"}
    assert isinstance(made.pagers["*"], OutboxPager)
    assert made.deployments is None


async def test_a_mail_server_takes_email_and_nothing_else(settings: Settings, store: Store) -> None:
    made = connectors(settings.model_copy(update={"smtp_host": "mail.test"}), store)
    assert isinstance(made.pagers["email"], SmtpPager)
    assert isinstance(made.messengers["email"], SmtpMessenger)
    assert isinstance(made.pagers["*"], OutboxPager)
    assert isinstance(made.messengers["*"], OutboxMessenger)
    assert isinstance(made.inside_pager, OutboxPager)
    assert isinstance(made.inside_messenger, OutboxMessenger)


async def test_a_shadow_sends_nothing_out_of_the_house_whatever_is_configured(settings: Settings, store: Store) -> None:
    configured = {"smtp_host": "mail.test", "webhook_keys": SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
    live_one = connectors(settings.model_copy(update=configured), store)
    shadow = connectors(settings.model_copy(update={**configured, "mode": "shadow"}), store)
    assert set(live_one.pagers) == {"*", "email", "webhook"}
    assert set(shadow.pagers) == set(shadow.messengers) == set(shadow.carriers) == {"*"}
    assert isinstance(shadow.pagers["*"], OutboxPager)
    assert shadow.mirrors == ()


async def test_a_sender_that_is_none_is_refused_at_the_start(settings: Settings, store: Store) -> None:
    with pytest.raises(Refused, match="ALLCLEAR_SMTP_SENDER"):
        connectors(settings.model_copy(update={"smtp_host": "mail.test", "smtp_sender": "nobody"}), store)


async def test_deployments_come_from_the_file(settings: Settings, store: Store, tmp_path: Path) -> None:
    made = connectors(settings.model_copy(update={"deployments": tmp_path / "d.jsonl"}), store)
    assert isinstance(made.deployments, FileDeployments)


async def test_links_lead_to_the_gateway_and_prove_the_person(settings: Settings, store: Store) -> None:
    given = settings.model_copy(update={"public_url": "https://allclear.example.test/", "secret": SecretStr("s")})
    link = connectors(given, store).links("INC-20260302-7F3A", "ana")
    address, _, token = link.partition("?t=")
    assert address == "https://allclear.example.test/i/INC-20260302-7F3A"
    assert unsign("s", token, "INC-20260302-7F3A") == "ana"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8600"),
        ("0.0.0.0", "http://127.0.0.1:8600"),
        ("::", "http://[::1]:8600"),
        ("box.test", "http://box.test:8600"),
    ],
)
def test_the_gateway_is_reached_at_its_own_address_without_a_public_one(host: str, url: str) -> None:
    assert Settings(gateway_host=host).gateway_url == url


# Which catalogue


def test_all_errors_of_a_catalogue_are_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text("partitions: {public: [eu-west]}\nsuspects: [nosuch]\n")
    with pytest.raises(Refused) as caught:
        CatalogFile(path, print).load()
    assert str(path) in str(caught.value)
    assert "suspects" in str(caught.value)
    assert "roles.support" in str(caught.value)


def current() -> Catalog:
    catalog = live.live()
    assert catalog is not None
    return catalog


async def seen(said: list[str], words: str) -> str:
    async def look() -> str:
        return next((line for line in said if words in line), "")

    found: str = await eventually(look, words)
    return found


async def is_open(client: Client, workflow_id: str) -> bool:
    try:
        return (await client.get_workflow_handle(workflow_id).describe()).close_time is None
    except RPCError:
        return False


@pytest.mark.heavy
async def test_a_changed_catalogue_is_taken_and_a_broken_one_is_not(path: Path, client: Client) -> None:
    said: list[str] = []
    file = CatalogFile(path, said.append)
    file.load()
    watching = asyncio.create_task(file.watch(client))
    try:
        text = path.read_text()
        path.write_text("{")
        assert "NOT YAML" in (await seen(said, "THE CATALOGUE WAS NOT TAKEN")).upper()
        assert "checkout-api" in current().services
        said.clear()
        path.write_text(
            text.replace("Example Cloud", "Other Cloud").replace("  public:", "  second: [mars]\n  public:")
        )
        assert "7 services" in await seen(said, "is in force")
        assert current().organisation == "Other Cloud"
        said.clear()
        path.unlink()
        assert "no such file" in await seen(said, "THE CATALOGUE WAS NOT TAKEN")
        assert current().organisation == "Other Cloud"
        await eventually(lambda: is_open(client, "detection/second"), "the new partition is watched")
    finally:
        watching.cancel()


async def test_who_is_on_call_comes_from_the_calendar_that_the_catalogue_names(path: Path) -> None:
    now = datetime.now(UTC)
    entry = f"DTSTART:{now - timedelta(hours=1):%Y%m%dT%H%M%SZ}\r\nDTEND:{now + timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    (path.parent / "rota.ics").write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        f"{entry}\r\nSUMMARY:gus\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    text = path.read_text()
    assert "payments: {on_call: [[eva], [gus]]" in text
    path.write_text(text.replace("payments: {on_call: [[eva], [gus]]", "payments: {on_call: [{ical: rota.ics}, [eva]]"))
    file = CatalogFile(path, print, IcalCalendars(path.parent, path.parent / "copies"))
    file.load()
    await file.read_calendars()
    assert levels_at(current().teams["payments"], now) == [["gus"], ["eva"]]


# Work


@pytest.mark.heavy
async def test_it_refuses_a_namespace_without_search_attributes(
    server: Embedded, settings: Settings, store: Store
) -> None:
    client = await connect(server.address, "default", secret="secret")
    with pytest.raises(Refused, match="temporal operator search-attribute create --namespace default"):
        async with working(client, settings, store):
            pass


@pytest.mark.heavy
async def test_it_refuses_a_namespace_that_is_not_there(server: Embedded, settings: Settings, store: Store) -> None:
    client = await connect(server.address, "nowhere", secret="secret")
    with pytest.raises(Refused, match="namespace nowhere"):
        async with working(client, settings, store):
            pass


@pytest.mark.heavy
async def test_it_works_until_it_is_told_to_stop(
    server: Embedded, settings: Settings, client: Client, store: Store
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(client, settings, stop))
    await signal_detection(client, "public", "alarm", {**ALARM, "state": "ALARM"})
    kept = await eventually(store.outbox, "a page")
    assert (kept[0].lane, kept[0].person) == ("page", "ana")
    for partition in ("public", UNMAPPED):
        assert await is_open(client, f"detection/{partition}")
    stop.set()
    async with asyncio.timeout(DEADLINE):
        await running
    await client.get_workflow_handle("detection/public").terminate("the test is over")
    await client.get_workflow_handle(kept[0].incident_id).terminate("the test is over")

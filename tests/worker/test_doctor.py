"""`allclear doctor`: every line says what to do."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.doctor import Check, doctor
from store.migrate import upgrade
from tests.worker.conftest import NAMESPACE
from worker.embedded import Embedded
from worker.settings import Settings


async def checks(settings: Settings, **more: object) -> dict[str, Check]:
    found = await doctor(settings.model_copy(update=more))
    assert all("\n" not in check.text for check in found)
    return {check.name: check for check in found}


async def test_a_fresh_installation_is_told_what_to_do_and_nothing_is_made(settings: Settings) -> None:
    found = await checks(settings, temporal_port=1)
    assert [check.name for check in found.values() if check.ok] == ["catalogue", "programs", "senders"]
    assert "allclear migrate" in found["store"].text
    assert "allclear up" in found["temporal"].text
    assert "NO PHONE CAN OPEN THE LINKS" in found["links"].text
    assert "attributes" not in found
    assert not settings.data.exists()


@pytest.mark.heavy
async def test_a_whole_installation_is_well(server: Embedded, settings: Settings) -> None:
    upgrade(settings.store_url)
    found = await checks(
        settings,
        data=server._folder,
        store=settings.store_url,
        public_url="https://allclear.example.test",
        gateway_host="0.0.0.0",
        token=SecretStr("t"),
    )
    assert [check for check in found.values() if not check.ok] == []
    assert set(found) >= {"catalogue", "store", "temporal", "attributes", "retention", "links", "senders"}


@pytest.mark.heavy
async def test_a_namespace_that_is_not_ours_gets_the_commands(
    server: Embedded, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    found = await checks(settings)
    assert "search-attribute create --namespace default" in found["attributes"].text
    assert "temporal operator namespace update --namespace default --retention 90d" in found["retention"].text
    assert "programs" not in found
    monkeypatch.setenv("TEMPORAL_NAMESPACE", NAMESPACE)
    found = await checks(settings)
    assert found["attributes"].ok
    assert found["retention"].ok


async def test_what_is_configured_is_tried(settings: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "deployments"
    lines.write_text('{"service": "dns", "version": "1", "started": "2026-03-02T09:00:00Z"}\nnonsense\n')
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        mail = {"smtp_host": "127.0.0.1", "smtp_port": dead.getsockname()[1]}
        found = await checks(settings, temporal_port=1, deployments=lines, **mail)
    assert not found["smtp"].ok
    assert "Connection refused" in found["smtp"].text
    assert not found["deployments"].ok
    assert "line 2" in found["deployments"].text


async def test_a_catalogue_with_errors_and_a_store_nobody_can_read(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "catalog.yaml"
    broken.write_text("suspects: [nosuch]")
    (tmp_path / "file").touch()
    found = await checks(settings, temporal_port=1, catalog=broken, store=f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    assert "ALLCLEAR_CATALOG" in found["catalogue"].text
    assert not found["store"].ok


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://allclear.example.test", True),
        ("http://allclear.example.test", True),
        ("http://localhost:8600", False),
        ("http://[::1]:8600", False),
        ("http://127.1.2.3", False),
        ("allclear.example.test", False),
    ],
)
async def test_links_must_lead_to_somewhere_a_phone_can_go(settings: Settings, url: str, ok: bool) -> None:
    assert (await checks(settings, temporal_port=1, public_url=url))["links"].ok is ok


async def test_senders_elsewhere_need_a_token(settings: Settings) -> None:
    found = await checks(settings, temporal_port=1, gateway_host="0.0.0.0")
    assert not found["senders"].ok
    assert "ALLCLEAR_TOKEN" in found["senders"].text

"""From settings to ticket systems, and what `allclear doctor` would say about them."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from model.text import Refused
from tests.activities.paging.provider import Provider, serving
from tests.activities.tickets.github_stub import REPOSITORY as GITHUB_REPOSITORY
from tests.activities.tickets.github_stub import TOKEN as GITHUB_TOKEN
from tests.activities.tickets.github_stub import GitHub
from tests.activities.tickets.jira_stub import PROJECT, TOKEN, USER, Jira
from tests.activities.tickets.subjects import incident
from worker.settings import Settings
from worker.tickets import mirrors_of, trials

pytestmark = pytest.mark.usefixtures("own_settings")
JIRA: dict[str, Any] = {"jira_user": USER, "jira_token": TOKEN, "jira_project": PROJECT}
SITE = "https://example.atlassian.net"


def settings_with(**given: Any) -> Settings:
    return Settings(**given)


def test_nothing_is_configured_by_default() -> None:
    assert mirrors_of(Settings()) == []
    assert trials(Settings()) == {}


def test_every_system_has_a_name_of_its_own() -> None:
    settings = settings_with(
        **{"jira_url": SITE, **JIRA},
        github_repository="example/incidents",
        github_token=GITHUB_TOKEN,
        rt_url="https://rt.example.test/rt/",
        rt_token="1-14-0123",
        rt_queue="Incidents",
    )
    mirrors = mirrors_of(settings)
    assert [mirror.name for mirror in mirrors] == ["jira", "github", "request_tracker"]
    assert all(mirror.kinds == {"incident", "action_item"} for mirror in mirrors)
    assert set(trials(settings)) == {"jira", "github", "request_tracker"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"jira_url": SITE}, "ALLCLEAR_JIRA_USER, ALLCLEAR_JIRA_TOKEN, ALLCLEAR_JIRA_PROJECT is missing"),
        ({"jira_url": "http://jira.example.test", **JIRA}, "ALLCLEAR_JIRA_URL needs https"),
        ({"jira_url": "jira.example.test", **JIRA}, "ALLCLEAR_JIRA_URL is no web address"),
        ({"jira_url": f"https://me:{TOKEN}@x.test", **JIRA}, "ALLCLEAR_JIRA_URL is no web address"),
        ({"jira_url": "https://[x", **JIRA}, "ALLCLEAR_JIRA_URL is no web address"),
        ({"rt_url": "https://rt.test", "rt_token": "1-2-x"}, "ALLCLEAR_RT_QUEUE is missing"),
        ({"github_repository": "https://github.com/a/b", "github_token": TOKEN}, "is not owner/name"),
        ({"github_repository": "a/b"}, "ALLCLEAR_GITHUB_TOKEN is missing"),
        ({"github_repository": "a/b", "github_app": "Iv1"}, "APP_KEY, ALLCLEAR_GITHUB_INSTALLATION is missing"),
        ({"github_repository": "a/b", "github_app": "Iv1", "github_token": TOKEN}, "both set: keep one"),
        ({"github_repository": "a/b", "github_token": TOKEN, "github_url": "http://ghe.test"}, "_URL needs https"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_their_secrets(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        mirrors_of(Settings(**given))
    assert TOKEN not in str(caught.value)


def test_an_app_is_taken_instead_of_a_token() -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    settings = settings_with(
        github_repository="a/b", github_app="Iv1.client", github_app_key=pem.decode(), github_installation=77
    )
    assert [mirror.name for mirror in mirrors_of(settings)] == ["github"]


async def test_a_configured_system_is_tried_and_follows() -> None:
    there = Jira()
    async with serving(Provider(there)) as provider:
        settings = settings_with(jira_url=provider.url, **JIRA)
        assert "AllClear bot may" in await trials(settings)["jira"]()
        assert there.issues == {}
        [mirror] = mirrors_of(settings)
        assert (await mirror.open(incident())).id in there.issues
        there.may.clear()
        with pytest.raises(Refused, match="lacks in project OPS: BROWSE_PROJECTS"):
            await trials(settings)["jira"]()


async def test_authorities_of_ones_own_are_believed_by_every_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, server = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(server)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    github, jira = GitHub(), Jira()
    async with serving(Provider(github), server) as code, serving(Provider(jira), server) as site:
        github.url = code.url
        settings = settings_with(
            jira_url=site.url, **JIRA,
            github_url=code.url, github_repository=GITHUB_REPOSITORY, github_token=GITHUB_TOKEN,
        )  # fmt: skip
        for trial in trials(settings).values():
            assert await trial()

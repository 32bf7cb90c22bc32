"""From settings to chats, and what `allclear doctor` says about them."""

from pathlib import Path
from typing import Any

import pytest

from activities import Failed
from activities.comms.slack.channels import SlackRooms
from activities.mirror.follow import Following
from gateway.slack import CHANNEL as HEARD_IN
from model.catalogue.catalog import Catalog
from model.catalogue.entries import Contact, Person
from model.effects import Errand, Follow
from model.text import Refused
from tests.activities.comms.slack_stub import TOKEN, Workspace
from tests.activities.paging.provider import Provider, Says
from tests.store.samples import ID, fresh, incident, later, put
from worker.chats import mirrors_of, slack_side, trials
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("own_settings")
MATRIX_TOKEN = "syt_bm90IGEgdG9rZW4_secret"


@pytest.fixture
def there(workspace: Workspace) -> Workspace:
    return workspace


def catalog(**contacts: str) -> Catalog:
    people = {id: Person(id=id, contact=[Contact(channel=channel, address=id)]) for id, channel in contacts.items()}
    return Catalog(people=people)


async def said(settings: Settings, catalog: Catalog) -> dict[str, str]:
    found = {}
    for name, trial in trials(settings, catalog).items():
        try:
            found[name] = await trial()
        except (Refused, Failed) as error:
            found[name] = f"NO: {error}"
    return found


def settings(**given: Any) -> Settings:
    return Settings(**given)


def test_nothing_is_configured_by_default() -> None:
    assert mirrors_of(settings()) == []
    assert slack_side(settings()) is None
    assert trials(settings(), catalog()) == {}


def test_chats_follow_incidents_only(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "slack").write_text(f"{TOKEN}\n")
    (tmp_path / "matrix").write_text(f"{MATRIX_TOKEN}\n")
    (tmp_path / "slack_signing").write_text("new\nold\n")
    both = settings(keys_folder=tmp_path, slack_url=provider.url, matrix_url=provider.url)
    assert {mirror.name: mirror.kinds for mirror in mirrors_of(both)} == {
        "slack": {"incident"}, "matrix": {"incident"},
    }  # fmt: skip
    side = slack_side(both)
    assert side
    assert side[0] == ["new", "old"]
    assert HEARD_IN == "slack"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"slack_token": TOKEN, "slack_url": "http://slack.example.org"}, "ALLCLEAR_SLACK_URL: .*needs https"),
        ({"matrix_url": "https://matrix.example.org"}, "ALLCLEAR_MATRIX_TOKEN"),
        ({"matrix_url": "matrix.example.org", "matrix_token": MATRIX_TOKEN}, "ALLCLEAR_MATRIX_URL: the address is no"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        mirrors_of(settings(**given))
    assert TOKEN not in str(caught.value)
    assert MATRIX_TOKEN not in str(caught.value)


async def test_the_doctor_says_who_can_be_invited_and_whether_they_are_heard(provider: Provider) -> None:
    mute = settings(slack_token=TOKEN, slack_url=provider.url)
    heard = settings(slack_token=TOKEN, slack_url=provider.url, slack_signing_secret="s")
    everybody = catalog(ana="slack", ben="email")
    assert await said(mute, everybody) == {
        "slack": "NO: Slack knows the token as @allclear of Example, but people cannot speak to it: "
        "set ALLCLEAR_SLACK_SIGNING_SECRET"
    }
    assert await said(heard, everybody) == {
        "slack": "Slack knows the token as @allclear of Example; 1 of 2 people can be invited and may speak there"
    }
    assert "nobody in the catalogue has a contact `slack`" in (await said(heard, catalog(ben="email")))["slack"]


async def test_the_doctor_names_what_a_homeserver_said_and_no_token(provider: Provider) -> None:
    unknown = '{"errcode": "M_UNKNOWN_TOKEN", "error": "Unrecognised access token"}'
    provider.answer = Says(401, unknown, {"content-type": "application/json"})
    found = await said(settings(matrix_url=provider.url, matrix_token=MATRIX_TOKEN), catalog())
    assert found == {"matrix": "NO: Matrix refused who we are: M_UNKNOWN_TOKEN (Unrecognised access token)"}


async def test_the_record_is_followed_into_a_channel(provider: Provider, workspace: Workspace, tmp_path: Path) -> None:
    (mirror,) = mirrors_of(settings(slack_token=TOKEN, slack_url=provider.url))
    assert isinstance(mirror, SlackRooms)
    async with fresh(tmp_path) as store:
        it = incident()
        for n, what in enumerate(("alarm", "acknowledged", "statement")):
            it.say(what, f"word {n}", now=later(n), by="ana")  # type: ignore[arg-type]
        await put(store, it)
        errand = Errand[Follow](key=f"{ID}/mirror/slack", order=Follow(matter=ID, system="slack", upto=3))
        outcome = await Following([mirror], store).follow(errand)
    channel = workspace.the(ID.lower())
    assert (outcome.ok, outcome.upto) == (True, 3)
    assert outcome.link == f"https://example.slack.com/archives/{channel.id}"
    assert [text.split(" ", 1)[1] for text in (m["text"] for m in channel.messages[1:])] == [
        "ana acknowledged: word 1", "ana statement: word 2",
    ]  # fmt: skip

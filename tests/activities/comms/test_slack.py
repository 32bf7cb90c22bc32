"""Channels in Slack, against a stub of it: one per incident, every line once, and nothing that calls everybody."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from activities import Failed
from activities.comms import rooms
from activities.comms.slack.channels import CHANNEL, SlackRooms
from activities.comms.slack.voice import SlackVoice
from activities.comms.slack.workspace import Slack
from activities.mirror import Gone, Place
from tests.activities.comms.slack_stub import TOKEN, Channel, Workspace
from tests.activities.comms.subjects import HOSTILE, entry, guest, subject
from tests.activities.paging.provider import DROPS, HANGS, Provider, Says, serving

ID, NAME = "INC-20260302-7F3A", "inc-20260302-7f3a"
IT = subject(ID)
QUICK = timedelta(seconds=2)
KEY = f"{ID}/7"


@pytest.fixture
def there(workspace: Workspace) -> Workspace:
    return workspace


def rooms_of(provider: Provider, token: str = TOKEN, within: timedelta = QUICK, **how: Any) -> SlackRooms:
    return SlackRooms(Slack(token, provider.url, within), **how)


@pytest.fixture
def mirror(provider: Provider) -> SlackRooms:
    return rooms_of(provider)


@pytest.fixture
async def place(mirror: SlackRooms) -> Place:
    made = await mirror.open(IT)
    await mirror.show(made, IT)
    return made


@pytest.fixture
def channel(workspace: Workspace, place: Place) -> Channel:
    return workspace.channels[place.id]


def texts(channel: Channel) -> list[str]:
    return [message["text"] for message in channel.messages]


def notice(channel: Channel) -> dict[str, Any]:
    (pinned,) = [message for message in channel.messages if message["ts"] in channel.pins]
    return pinned


def shown(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


async def test_an_incident_has_one_channel_however_often_it_is_asked_for(
    mirror: SlackRooms, provider: Provider, workspace: Workspace
) -> None:
    for number in range(5):
        workspace.made(f"general-{number}", creator="U9")
    place = await mirror.open(IT)
    assert place == Place(id=workspace.the(NAME).id, url=f"https://example.slack.com/archives/{place.id}")
    assert await mirror.open(IT) == place
    assert await rooms_of(provider).open(IT) == place, "another worker finds it too"
    assert workspace.names().count(NAME) == 1


async def test_a_private_channel_is_found_again_as_well(provider: Provider, workspace: Workspace) -> None:
    place = await rooms_of(provider, private=True).open(IT)
    assert workspace.the(NAME).private
    assert await rooms_of(provider, private=True).open(IT) == place


async def test_a_channel_of_that_name_that_somebody_else_made_is_left_alone(
    mirror: SlackRooms, workspace: Workspace
) -> None:
    theirs = workspace.made(NAME, creator="U9", members={"U9"})
    place = await mirror.open(IT)
    assert workspace.channels[place.id].name == f"{NAME}-2"
    assert await mirror.open(IT) == place
    assert theirs.members == {"U9"}


async def test_a_channel_that_was_archived_by_hand_is_gone_and_another_one_is_made(
    mirror: SlackRooms, workspace: Workspace, place: Place, channel: Channel
) -> None:
    workspace.conversations_archive(place.id)
    with pytest.raises(Gone):
        await mirror.show(place, IT)
    with pytest.raises(Gone):
        await mirror.add(place, entry("phase", "mitigate"), KEY)
    again = await mirror.open(IT)
    assert workspace.channels[again.id].name == f"{NAME}-2"
    await mirror.add(again, entry("phase", "mitigate"), KEY)
    assert texts(workspace.channels[again.id]) == ["09:01 phase: mitigate"]


async def test_a_channel_that_we_were_put_out_of_is_joined_again(
    mirror: SlackRooms, workspace: Workspace, place: Place, channel: Channel
) -> None:
    channel.members.clear()
    with pytest.raises(Gone):
        await mirror.add(place, entry("phase", "mitigate"), KEY)
    assert await mirror.open(IT) == place


async def test_who_joins_sees_where_it_is_and_has_three_buttons(channel: Channel) -> None:
    assert channel.topic == f"SEV2 · coordinate · checkout-api · call https://call.example.test/{ID}"
    said = shown(notice(channel))
    for words in (ID, "Payments fail", "Phase: coordinate", "3 % of payments", f"https://call.example.test/{ID}"):
        assert words in said, words
    buttons = {
        element["action_id"]: element.get("value")
        for block in notice(channel)["blocks"]
        for element in block.get("elements", [])
        if element["type"] == "button" and "url" not in element
    }
    assert buttons == {"acknowledge": ID, "join": ID, "not_us": ID}


async def test_what_is_so_already_is_only_looked_at(mirror: SlackRooms, workspace: Workspace, place: Place) -> None:
    before = len(workspace.calls)
    await mirror.show(place, IT)
    assert {method for method, _ in workspace.calls[before:]} == {
        "conversations.info", "pins.list", "conversations.history",
    }  # fmt: skip


async def test_the_notice_is_edited_and_not_posted_again(mirror: SlackRooms, place: Place, channel: Channel) -> None:
    for phase in ("mitigate", "coordinate", "mitigate"):
        await mirror.show(place, IT.model_copy(update={"phase": phase}))
    assert len(channel.messages) == 1
    assert "Phase: mitigate" in shown(notice(channel))


async def test_a_notice_that_was_removed_comes_back(mirror: SlackRooms, place: Place, channel: Channel) -> None:
    channel.messages.clear()
    channel.pins.clear()
    await mirror.show(place, IT)
    assert "Phase: coordinate" in shown(notice(channel))


async def test_a_worker_that_dies_before_it_pins_posts_no_second_notice(
    mirror: SlackRooms, provider: Provider, place: Place, channel: Channel
) -> None:
    channel.pins.clear()
    await rooms_of(provider).show(place, IT)
    assert len(channel.messages) == 1
    assert len(channel.pins) == 1


async def test_a_worker_that_dies_between_sent_and_recorded_says_nothing_twice(
    mirror: SlackRooms, provider: Provider, place: Place, channel: Channel
) -> None:
    line = entry("paged", "ana by pagerduty")
    await mirror.add(place, line, KEY)
    await rooms_of(provider).add(place, line, KEY)
    await mirror.add(place, line, f"{ID}/8")
    assert texts(channel)[1:] == ["09:01 paged: ana by pagerduty"] * 2


async def test_only_lines_that_people_act_on_are_told(mirror: SlackRooms, place: Place, channel: Channel) -> None:
    for what in ("alarm", "reported", "draft_waiting", "coe", "told"):
        await mirror.add(place, entry(what, "x"), f"{ID}/{what}")
    assert len(channel.messages) == 1


async def test_words_that_were_typed_in_the_channel_do_not_come_back(
    mirror: SlackRooms, place: Place, channel: Channel
) -> None:
    here = f"https://slack.com/archives/{place.id}/p1700000000000100"
    for number, link in enumerate((here, place.url, "https://slack.com/archives/C9/p1", "")):
        what = "linked" if link == place.url else "observed"
        await mirror.add(place, entry(what, f"note: {number}", by="ana", link=link), f"{ID}/{number}")
    assert texts(channel)[1:] == [
        "09:01 ana observed: note: 2 https://slack.com/archives/C9/p1", "09:01 ana observed: note: 3",
    ]  # fmt: skip


async def test_words_of_an_alarm_call_nobody(mirror: SlackRooms, place: Place, channel: Channel) -> None:
    await mirror.show(place, IT.model_copy(update={"title": HOSTILE, "body": HOSTILE, "services": ["<!here>"]}))
    await mirror.add(place, entry("observed", HOSTILE), KEY)
    for message in channel.messages:
        assert "<" not in message["text"]
        assert not message.get("link_names")
        for block in message["blocks"]:
            if block["type"] == "rich_text":
                (section,) = block["elements"]
                assert [element["type"] for element in section["elements"]] == ["text"], "text is shown as it is"
            else:
                assert {element["type"] for element in block["elements"]} == {"button"}
    assert HOSTILE in shown(channel.messages[-1])
    assert channel.messages[-1]["unfurl_links"] is False


async def test_everybody_is_invited_once_and_who_cannot_be_is_named(
    mirror: SlackRooms, workspace: Workspace, place: Place, channel: Channel
) -> None:
    people = [guest("ana", CHANNEL, "U1"), guest("kim", CHANNEL, "U404"), guest("ben", CHANNEL, "U2")]
    people += [guest("lou", "matrix", "@lou:localhost")]
    await mirror.show(place, IT.model_copy(update={"guests": people}))
    assert {"U1", "U2"} < channel.members
    assert "Not here: Kim (user_not_found)" in shown(notice(channel))
    channel.members.discard("U1")
    asked = workspace.count("conversations.invite")
    await mirror.show(place, IT.model_copy(update={"guests": [*people, guest("zoe", CHANNEL, "U3")]}))
    assert channel.members >= {"U2", "U3"}
    assert "U1" not in channel.members, "who left stays away"
    assert workspace.count("conversations.invite") == asked + 1


async def test_when_it_is_over_the_channel_says_so_and_is_archived_behind_the_last_line(
    provider: Provider, workspace: Workspace, place: Place, channel: Channel
) -> None:
    mirror = rooms_of(provider, archive=True)
    over = IT.model_copy(update={"open": False, "phase": "all clear"})
    await mirror.show(place, over)
    assert channel.topic == f"{rooms.ALL_CLEAR}{ID} Payments fail"
    assert "acknowledge" not in shown(notice(channel))
    for _ in range(2):
        await mirror.add(place, entry("all_clear", "nothing is owed any more"), KEY)
    assert channel.archived
    assert texts(channel)[-1] == "09:01 all clear: nothing is owed any more"
    await mirror.show(place, over)
    await mirror.add(place, entry("observed", "note: afterthought"), f"{ID}/9")
    assert workspace.names() == [NAME]
    with pytest.raises(Gone):
        await mirror.show(place, IT)


async def test_too_many_lines_ask_for_rest(mirror: SlackRooms, provider: Provider, place: Place) -> None:
    limited = Says(429, '{"ok": false, "error": "ratelimited"}', {"retry-after": "30"})
    limited.headers["content-type"] = "application/json"
    provider.first = [limited]
    before = len(provider.requests)
    with pytest.raises(Failed) as caught:
        await mirror.add(place, entry("phase", "mitigate"), KEY)
    assert (caught.value.again, caught.value.retry_after) == (True, timedelta(seconds=30))
    assert len(provider.requests) == before + 1, "who owes the line decides when it is tried again"


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("answer", "words", "again"),
    [
        (Says(200, "<html>Sign in</html>", {"content-type": "text/html"}), "this is not Slack", True),
        (Says(502, "<html>", {"content-type": "text/html"}), "this is not Slack", True),
        (Says(200, "not JSON", JSON), "this is not Slack", True),
        (Says(200, "[]", JSON), "this is not Slack", True),
        (Says(200, "hello", {"content-type": "text/plain"}), "this is not Slack", True),
        (Says(500, '{"ok": false, "error": "internal_error"}', JSON), "internal_error", True),
        (Says(200, '{"ok": false, "error": "missing_scope", "needed": "pins:read"}', JSON), "needs pins:read", False),
        (Says(200, '{"ok": false, "error": "invalid_auth"}', JSON), "refused auth.test: invalid_auth", False),
        (DROPS, "Slack", True),
    ],
)
async def test_trouble_there_is_said_in_a_line(
    provider: Provider, mirror: SlackRooms, answer: Says, words: str, again: bool
) -> None:
    provider.answer = answer
    with pytest.raises(Failed) as caught:
        await mirror.check()
    assert words in caught.value.reason
    assert caught.value.again is again
    assert len(provider.requests) == 1


async def test_a_hang_ends_and_the_token_is_said_nowhere(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = HANGS
    with pytest.raises(Failed, match=r"gave no answer to auth\.test within 0\.3s"):
        await rooms_of(provider, within=timedelta(milliseconds=300)).check()
    provider.answer = Says(200, json.dumps({"ok": False, "error": f"bad {TOKEN}"}), JSON)
    with pytest.raises(Failed) as caught:
        await rooms_of(provider).check()
    assert TOKEN not in caught.value.reason + caplog.text


async def test_nobody_there(provider: Provider) -> None:
    async with serving(Provider()) as gone:
        mirror = rooms_of(gone)
    with pytest.raises(Failed, match="Slack cannot be reached"):
        await mirror.check()


def test_a_token_does_not_travel_in_the_clear() -> None:
    with pytest.raises(Failed, match="https"):
        Slack(TOKEN, "http://slack.example.org/api/")


async def test_a_check_says_who_we_are_and_which_scopes_are_missing(mirror: SlackRooms, workspace: Workspace) -> None:
    assert await mirror.check() == "Slack knows the token as @allclear of Example"
    workspace.scopes = "chat:write,pins:read,reactions:write,channels:read,channels:history,channels:join"
    with pytest.raises(Failed, match=r"the token lacks channels:manage, pins:write"):
        await mirror.check()


async def test_a_dead_worker_leaves_no_half_made_room(provider: Provider, workspace: Workspace) -> None:
    """Killed at any call of opening and showing, whoever comes next ends with one channel and one notice."""
    for calls in range(1, 9):
        workspace.__init__()  # type: ignore[misc]
        dying = asyncio.create_task(_cut_after(provider, workspace, calls))
        await asyncio.gather(dying, return_exceptions=True)
        mirror = rooms_of(provider)
        place = await mirror.open(IT)
        await mirror.show(place, IT.model_copy(update={"guests": [guest("ana", CHANNEL, "U1")]}))
        assert workspace.names() == [NAME]
        assert len(workspace.channels[place.id].messages) == len(workspace.channels[place.id].pins) == 1
        assert "U1" in workspace.channels[place.id].members


async def _cut_after(provider: Provider, workspace: Workspace, calls: int) -> None:
    """Do as a worker does that is killed while its call number `calls` is answered."""
    left = calls

    def answer(request: Any) -> Says:
        nonlocal left
        left -= 1
        said = workspace(request)
        return said if left > 0 else HANGS

    provider.answer = answer
    try:
        mirror = rooms_of(provider, within=timedelta(milliseconds=50))
        place = await mirror.open(IT)
        await mirror.show(place, IT.model_copy(update={"guests": [guest("ana", CHANNEL, "U1")]}))
    finally:
        provider.answer = workspace


async def test_a_channel_is_known_by_a_name_it_had_before(provider: Provider, workspace: Workspace) -> None:
    voice = SlackVoice(Slack(TOKEN, provider.url, QUICK))
    it = workspace.made("payments-trouble", previous=[f"{NAME}-2"])
    assert await voice.room(it.id) == ID
    assert await voice.room(workspace.made("general").id) == ""


async def test_people_are_answered_alone_and_as_text(provider: Provider, workspace: Workspace) -> None:
    voice, it = SlackVoice(Slack(TOKEN, provider.url, QUICK)), workspace.made(NAME)
    await voice.whisper(it.id, "U1", "say why <too>", thread="1.2")
    for _ in range(2):
        await voice.mark(it.id, "1.2")
    await voice.ask("trigger", {"type": "modal"})
    [whisper] = workspace.whispers
    assert (whisper["user"], whisper["thread_ts"], whisper["text"]) == ("U1", "1.2", "say why &lt;too&gt;")
    assert workspace.signs == [(it.id, "1.2")]
    assert workspace.views == [{"type": "modal"}]

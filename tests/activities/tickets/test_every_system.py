"""What a mirror promises, kept by every ticket system: a real Request Tracker, and stubs of Jira and GitHub."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from activities import Failed
from activities.mirror import Gone
from tests.activities.paging.provider import Provider, serving
from tests.activities.tickets.github_stub import GitHub, GitHubDesk
from tests.activities.tickets.jira_stub import Jira, JiraDesk
from tests.activities.tickets.rt_server import HERE
from tests.activities.tickets.subjects import NASTY, NINE, Desk, action, incident, key_of, line

NO_RT = "request-tracker5 with rt5-db-sqlite and rt5-standalone is not installed here"
SYSTEMS = [
    "jira",
    "github",
    pytest.param("rt", marks=[pytest.mark.heavy, pytest.mark.skipif(not HERE, reason=NO_RT)]),
]


@pytest.fixture
async def jira_desk() -> AsyncIterator[Desk]:
    jira = Jira()
    async with serving(Provider(jira)) as provider:
        yield JiraDesk(provider, jira)


@pytest.fixture
async def github_desk() -> AsyncIterator[Desk]:
    github = GitHub()
    async with serving(Provider(github)) as provider:
        yield GitHubDesk(provider, github)


@pytest.fixture(params=SYSTEMS)
def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = request.getfixturevalue(f"{request.param}_desk")
    return found


async def test_an_incident_becomes_a_ticket_that_says_what_it_is(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    assert await desk.tickets(subject.id) == [place.id]
    assert place.id in place.url
    shown = await desk.shown(place.id)
    assert subject.title in shown.title
    assert shown.open
    for words in (
        "Customers cannot pay.", "Severity: 2", "Stands: mitigate", "Ana Ng", "https://meet.test/tech", subject.id,
    ):  # fmt: skip
        assert words in shown.text.replace("**", ""), words


async def test_asked_twice_there_is_still_one_ticket(desk: Desk) -> None:
    subject = incident()
    first = await desk.mirror.open(subject)
    assert await desk.mirror.open(subject.model_copy(update={"title": "Now with another title"})) == first
    assert await desk.tickets(subject.id) == [first.id]


async def test_a_ticket_made_by_a_worker_that_then_died_is_found_again(desk: Desk) -> None:
    subject = incident()
    desk.loses_the_next_answer()
    with pytest.raises(Failed) as caught:
        await desk.mirror.open(subject)
    assert caught.value.again
    place = await desk.mirror.open(subject)
    assert await desk.tickets(subject.id) == [place.id]


async def test_a_closed_ticket_is_found_too(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    await desk.close(place.id)
    assert await desk.mirror.open(subject) == place


async def test_one_matter_is_not_taken_for_another(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    first, tenth = action(subject, place, 1), action(subject, place, 10)
    tickets = [(await desk.mirror.open(each)).id for each in (tenth, first, subject)]
    assert len(set(tickets)) == 3
    assert tickets[2] == place.id
    assert [await desk.tickets(each.id) for each in (tenth, first)] == [[tickets[0]], [tickets[1]]]


async def test_an_action_item_made_before_its_incidents_ticket_is_linked_later(desk: Desk) -> None:
    subject = incident()
    item = action(subject)
    place = await desk.mirror.open(item)
    assert await desk.linked(place.id) == []
    parent = await desk.mirror.open(subject)
    for _ in range(2):
        await desk.mirror.show(place, item.model_copy(update={"parent_place": parent.id}))
    assert await desk.linked(place.id) == [parent.id]


async def test_an_action_item_is_linked_to_its_incident(desk: Desk) -> None:
    subject = incident()
    parent = await desk.mirror.open(subject)
    item = action(subject, parent)
    place = await desk.mirror.open(item)
    for _ in range(2):
        await desk.mirror.show(place, item)
    assert await desk.linked(place.id) == [parent.id]
    assert subject.id in (await desk.shown(place.id)).text


async def test_a_line_is_a_comment_with_its_time_and_who_said_it(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line(link="https://deploy.test/run/7?a=1&b=2", claimed=True)
    await desk.mirror.add(place, entry, key_of(subject, entry))
    [comment] = await desk.comments(place.id)
    for words in ("2026-03-02 09:00:00 UTC, ana (claimed): observed", entry.text, entry.link):
        assert words in comment


async def test_the_same_key_again_adds_nothing(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    first, second = line("first"), line("second")
    for entry in (first, first, second, second):
        await desk.mirror.add(place, entry, key_of(subject, entry))
    comments = await desk.comments(place.id)
    assert len(comments) == 2
    assert "first" in comments[0]
    assert "second" in comments[1]


async def test_a_worker_that_dies_between_sent_and_recorded_adds_a_line_once(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line()
    key = key_of(subject, entry)
    desk.loses_the_next_answer()
    with pytest.raises(Failed) as caught:
        await desk.mirror.add(place, entry, key)
    assert caught.value.again
    for text in ("what is this?", f"it quotes {key} only", "a third"):
        await desk.comment(place.id, text)
    await desk.mirror.add(place, entry, key)
    assert sum(entry.text in comment for comment in await desk.comments(place.id)) == 1


async def test_a_line_whose_key_somebody_quoted_is_still_added(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line()
    await desk.comment(place.id, f"where is {key_of(subject, entry)} ?")
    await desk.mirror.add(place, entry, key_of(subject, entry))
    assert len(await desk.comments(place.id)) == 2


async def test_keys_that_begin_alike_are_two(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    for key in (f"{subject.id}/11", f"{subject.id}/1"):
        await desk.mirror.add(place, line(), key)
    assert len(await desk.comments(place.id)) == 2


async def test_text_of_others_stays_text(desk: Desk) -> None:
    log = f"Traceback:\n  {NASTY}\n```\n@admin\n````\nend"
    subject = incident(title=NASTY, body=NASTY, phase=NASTY)
    place = await desk.mirror.open(subject)
    shown = await desk.shown(place.id)
    assert NASTY in shown.title
    assert shown.text.count(NASTY) == 2
    entries = [line(NASTY), line(log), line("x", by="<b>@ana</b>", link=f"javascript:alert(1) {NASTY}")]
    for entry in entries:
        await desk.mirror.add(place, entry, key_of(subject, entry))
    comments = await desk.comments(place.id)
    assert NASTY in comments[0]
    assert log in comments[1]
    assert "<b>@ana</b>" in comments[2]
    assert "javascript:alert(1)" in comments[2]


async def test_a_ticket_follows_title_and_severity(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    before = await desk.shown(place.id)
    changed = subject.model_copy(update={"title": "Several services in eu-west", "severity": 1, "phase": "verify"})
    for _ in range(2):
        await desk.mirror.show(place, changed)
    shown = await desk.shown(place.id)
    assert "Several services in eu-west" in shown.title
    assert shown.open
    assert set(shown.labels) - set(before.labels) in ({"sev1"}, {"priority 100"})
    assert set(before.labels) - set(shown.labels) in ({"sev2"}, {"priority 80"})


async def test_a_ticket_closes_and_opens_again_with_its_matter(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    assert not await desk.mirror.closed(place)
    over = subject.model_copy(update={"open": False})
    for _ in range(2):
        await desk.mirror.show(place, over)
        assert not (await desk.shown(place.id)).open
        assert await desk.mirror.closed(place)
    await desk.mirror.show(place, subject)
    assert (await desk.shown(place.id)).open
    assert not await desk.mirror.closed(place)


async def test_a_ticket_that_people_closed_says_so_and_is_left_as_they_closed_it(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    await desk.close(place.id)
    assert await desk.mirror.closed(place)
    await desk.mirror.show(place, subject.model_copy(update={"open": False}))
    assert await desk.mirror.closed(place)


async def test_a_ticket_deleted_over_there_is_gone_and_another_is_made(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    await desk.delete(place.id)
    entry = line()
    with pytest.raises(Gone):
        await desk.mirror.add(place, entry, key_of(subject, entry))
    with pytest.raises(Gone):
        await desk.mirror.show(place, subject)
    with pytest.raises(Gone):
        await desk.mirror.closed(place)
    other = await desk.mirror.open(subject)
    assert other.id != place.id
    await desk.mirror.add(other, entry, key_of(subject, entry))
    assert len(await desk.comments(other.id)) == 1


async def test_single_alarms_and_pages_make_no_comment(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    for what in ("alarm", "paged", "reported"):
        entry = line(what=what)
        await desk.mirror.add(place, entry, key_of(subject, entry))
    assert await desk.comments(place.id) == []


async def test_a_long_title_and_a_long_log_are_taken(desk: Desk) -> None:
    subject = incident(title="ü" * 300)
    place = await desk.mirror.open(subject)
    await desk.mirror.show(place, subject)
    assert "üüü" in (await desk.shown(place.id)).title
    entry = line("x\n" * 2048)
    await desk.mirror.add(place, entry, key_of(subject, entry))
    assert len(await desk.comments(place.id)) == 1


async def test_a_line_of_long_ago_is_added_once_too(desk: Desk) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line(at=NINE - timedelta(days=90))
    for _ in range(2):
        await desk.mirror.add(place, entry, key_of(subject, entry))
    assert len(await desk.comments(place.id)) == 1


async def test_the_doctor_hears_that_it_would_work(desk: Desk) -> None:
    assert "issues" in (said := await desk.mirror.check()) or "tickets" in said

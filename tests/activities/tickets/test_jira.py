"""What only Jira has: its documents, its workflows, its labels, its service projects, its slow search."""

import json
from datetime import timedelta

import pytest

from activities import Failed
from activities.tickets.jira import INDEX_LAG, JiraTickets
from tests.activities.paging.provider import Provider, Says
from tests.activities.tickets.jira_stub import PROJECT, TOKEN, USER, Jira, JiraDesk
from tests.activities.tickets.subjects import QUICK, action, incident, key_of, line


@pytest.fixture
def there() -> Jira:
    return Jira()


@pytest.fixture
def desk(provider: Provider, there: Jira) -> JiraDesk:
    return JiraDesk(provider, there)


async def test_an_issue_is_of_its_type_with_labels_and_an_address(provider: Provider, there: Jira) -> None:
    mirror = JiraTickets(
        provider.url + "/", USER, TOKEN, PROJECT, issue_type="Incident", action_type="Task", poster=QUICK
    )
    subject = incident()
    place = await mirror.open(subject)
    await mirror.open(action(subject, place))
    first, second = there.issues.values()
    assert place.url == f"{provider.url}/browse/{place.id}"
    assert first["fields"]["labels"] == ["allclear", subject.id, "sev2"]
    assert [issue["fields"]["issuetype"]["name"] for issue in (first, second)] == ["Incident", "Task"]


async def test_peoples_labels_stay(desk: JiraDesk, there: Jira) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    labels = there.issues[place.id]["fields"]["labels"]
    labels += ["sev3", "customer-visible", "sev2-review"]
    await desk.mirror.show(place, subject.model_copy(update={"severity": 1}))
    assert sorted(there.issues[place.id]["fields"]["labels"]) == sorted(
        ["allclear", subject.id, "customer-visible", "sev2-review", "sev1"]
    )


async def test_what_is_up_to_date_is_not_written_again(desk: JiraDesk, provider: Provider, there: Jira) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    for block in there.issues[place.id]["fields"]["description"]["content"]:
        block["attrs"] = {"localId": "as Jira adds"}
    provider.requests.clear()
    await desk.mirror.show(place, subject)
    assert [request.method for request in provider.requests] == ["GET"]


async def test_the_status_preferred_for_what_is_done_is_taken(desk: JiraDesk, there: Jira) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    await desk.mirror.show(place, subject.model_copy(update={"open": False}))
    assert there.issues[place.id]["fields"]["status"] == "Done", "and not “Won't do”, which comes first"


async def test_any_status_of_the_category_will_do_where_the_preferred_one_is_missing(
    desk: JiraDesk, there: Jira
) -> None:
    there.steps = ["To Do", "Won't do"]
    subject = incident()
    place = await desk.mirror.open(subject)
    await desk.mirror.show(place, subject.model_copy(update={"open": False}))
    assert await desk.mirror.closed(place)


async def test_a_workflow_without_a_way_says_which_one_is_missing(desk: JiraDesk, there: Jira) -> None:
    there.steps = ["To Do", "In Progress"]
    subject = incident()
    place = await desk.mirror.open(subject)
    with pytest.raises(Failed, match=r"no step for OPS-1 from 'To Do' to a status that counts as done") as caught:
        await desk.mirror.show(place, subject.model_copy(update={"open": False}))
    assert not caught.value.again


async def test_a_comment_is_hidden_from_the_customers_of_a_service_project(desk: JiraDesk, there: Jira) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line()
    await desk.mirror.add(place, entry, key_of(subject, entry))
    [comment] = there.issues[place.id]["comments"]
    assert comment["properties"] == [{"key": "sd.public.comment", "value": {"internal": True}}]


async def test_the_key_is_small_print(desk: JiraDesk, there: Jira) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    entry = line()
    await desk.mirror.add(place, entry, key_of(subject, entry))
    last = there.issues[place.id]["comments"][0]["body"]["content"][-1]["content"][0]
    assert last["text"] == key_of(subject, entry)
    assert last["marks"] == [{"type": "subsup", "attrs": {"type": "sub"}}]


async def test_an_answer_lost_while_creating_waits_for_the_search_to_know(desk: JiraDesk, provider: Provider) -> None:
    provider.first = [Says(200, '{"issues": []}'), Says(504)]
    with pytest.raises(Failed) as caught:
        await desk.mirror.open(incident())
    assert caught.value.retry_after == INDEX_LAG
    provider.first = [Says(200, '{"issues": []}'), Says(429, "", {"retry-after": "90"})]
    with pytest.raises(Failed) as caught:
        await desk.mirror.open(incident())
    assert caught.value.retry_after == timedelta(seconds=90)


async def test_a_refused_field_is_named(desk: JiraDesk, provider: Provider) -> None:
    wrong = {"errorMessages": [], "errors": {"customfield_10010": "Team is required."}}
    provider.first = [Says(200, '{"issues": []}'), Says(400, json.dumps(wrong))]
    with pytest.raises(Failed) as caught:
        await desk.mirror.open(incident())
    assert caught.value.reason == "Jira answered 400: customfield_10010: Team is required."
    assert not caught.value.again


async def test_a_link_type_that_is_missing_is_no_missing_ticket(desk: JiraDesk, provider: Provider) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    item = action(subject, place)
    made = await desk.mirror.open(item)
    await desk.mirror.show(made, item.model_copy(update={"parent_place": ""}))
    await desk.delete(place.id)
    with pytest.raises(Failed, match="The issue no longer exists") as caught:
        await desk.mirror.show(made, item)
    assert type(caught.value) is Failed


async def test_links_can_be_left_out(provider: Provider, there: Jira) -> None:
    mirror = JiraTickets(provider.url, USER, TOKEN, PROJECT, link_type="", poster=QUICK)
    subject = incident()
    parent = await mirror.open(subject)
    item = action(subject, parent)
    await mirror.show(await mirror.open(item), item)
    assert there.issues[parent.id]["links"] == []


async def test_the_doctor_says_who_lacks_what(desk: JiraDesk, provider: Provider, there: Jira) -> None:
    assert "AllClear bot may create, edit, comment, move and link issues in OPS" in await desk.mirror.check()
    there.may.remove("ADD_COMMENTS")
    with pytest.raises(Failed, match="AllClear bot lacks in project OPS: ADD_COMMENTS"):
        await desk.mirror.check()
    there.may.append("ADD_COMMENTS")
    wrong = JiraTickets(provider.url, USER, TOKEN, PROJECT, issue_type="Störung", poster=QUICK)
    with pytest.raises(Failed, match="Jira has no issue type 'Störung' there; it has: Incident, Task"):
        await wrong.check()
    wrong = JiraTickets(provider.url, USER, TOKEN, PROJECT, link_type="Causes", poster=QUICK)
    with pytest.raises(Failed, match="no link type 'Causes' there; it has: Blocks, Relates"):
        await wrong.check()
    with pytest.raises(Failed, match="Jira answered 401"):
        await JiraTickets(provider.url, USER, "wrong", PROJECT, poster=QUICK).check()
    assert there.issues == {}

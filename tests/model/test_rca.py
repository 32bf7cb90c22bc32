"""The customers' RCA in the user's words: seven days, ten minutes, once (R7)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.effects import Deliver, Outcome
from model.message import parse
from model.reflect.after_details import details
from model.reflect.after_messages import DOCUMENT_LIMIT
from model.reflect.rca import AuthorNamed, CustomersNamed, Delivery, Rca
from model.reflect.rca_course import author_named, customers_named
from model.text import Refused
from tests.model.after import DOORS, INCIDENT, Life, days, plan
from tests.model.simulation import START

TEXT = "Between 09:00 and 09:31 UTC, 3 % of payments were refused. We now see such hosts within a minute, by 1 April."
MINUTE = timedelta(minutes=1)


def rca(**fields: Any) -> Life:
    given_: dict[str, Any] = {
        "id": f"{INCIDENT}/rca",
        "incident": INCIDENT,
        "title": "RCA: payments are refused",
        "services": ["checkout-api"],
        "plan": plan("checkout-api", "payments"),
        "mitigated_at": START,
        "opened_at": START,
        "due_at": START + days(7),
    }
    return Life(Rca(**{**given_, **fields}))


def drafted(**fields: Any) -> Life:
    it = rca(**fields)
    it.say("submit", by="ana", text=TEXT)
    return it


def approved(**fields: Any) -> Life:
    it = drafted(**fields)
    it.say("approve", by="dee")
    return it


def test_drafted_approved_and_delivered_to_each_customer_once_ten_minutes_later():
    it = rca()
    assert it.heard("ana", "are promised an RCA by 2026-03-09")
    assert "waits for dee or lou to `approve`" in it.say("submit", by="ana", text=TEXT)
    assert it.matter.author == "ana"
    it.wait(days=1)
    assert "until then `recall` stops it" in it.say("approve", by="dee")
    assert it.delivered == []
    it.wait(minutes=9)
    assert it.delivered == []
    it.wait(minutes=2)
    assert [(customer, text) for _, customer, text in it.delivered] == [
        ("acme", TEXT), ("globex", TEXT), ("umbra", TEXT)
    ]  # fmt: skip
    assert {at for at, _, _ in it.delivered} == {days(1) + 10 * MINUTE}
    assert [i["status"] for i in it.items()] == ["assigned", "draft", "approved", "delivered"]
    assert it.items()[-1]["published_at"].startswith("2026-03-03T09:10")
    assert it.items()[-1]["settled"] is True
    assert it.over


def test_a_draft_that_names_internals_is_refused_with_the_words_found():
    it = rca()
    with pytest.raises(Refused, match="chk-router, openssl, checkout-api"):
        it.say("submit", by="ana", text="Checkout failed: CHK-Router lost its OpenSSL and checkout-api stopped.")
    assert it.status == "assigned"
    with pytest.raises(Refused, match="chk-router"):
        it.say("submit", by="ana", text="it was our chk‑router, written with a hyphen that breaks no line")
    it.say("submit", by="ana", text="Checkout was slow. Payments, and the chk-routers of this world, too.")


def test_the_name_customers_know_is_never_internal():
    service = plan().services["checkout-api"].model_copy(update={"internal_names": ["Checkout", "chk-router"]})
    it = rca(plan=plan().model_copy(update={"services": {"checkout-api": service}}))
    it.say("submit", by="ana", text="Checkout was slow.")


def test_reminders_on_day_two_four_five_and_the_broken_promise_on_day_seven_said_loudly():
    it = rca()
    it.wait(days=10)
    assert it.heard("ana", "there is no draft yet") == [days(2)]
    assert it.heard("dee", "there is still no draft") == [days(4)]
    assert it.heard("dee", "it is not approved yet") == [days(5)]
    for person in ("ana", "dee", "lou", "sam"):
        assert it.heard(person, "the promise is broken") == [days(7)]
    assert it.heard("lou", "late: customers were to have") == [days(8), days(9), days(10)]
    assert it.status == "late"
    assert len(it.lines("overdue")) == 5


def test_what_is_done_in_time_is_not_reminded_of():
    it = rca()
    it.wait(days=1)
    it.say("submit", by="ana", text=TEXT)
    it.wait(days=3, hours=1)
    assert not it.lines("overdue")
    it.wait(days=1)
    assert it.lines("overdue") == ["RCA: it is not approved yet, due by 2026-03-07 09:00 UTC (dee, ana asked)"]


def test_a_late_one_is_still_delivered_and_stays_late():
    it = rca()
    it.wait(days=9)
    it.say("submit", by="ana", text=TEXT)
    assert it.status == "late"
    it.say("approve", by="lou")
    it.wait(minutes=11)
    assert len(it.delivered) == 3
    assert it.status == "late"
    assert it.items()[-1]["settled"] is True
    assert it.items()[-1]["published_at"] is not None
    assert it.over


def test_it_can_be_recalled_for_ten_minutes_and_then_never_again():
    it = approved()
    it.wait(minutes=9)
    it.say("recall", by="dee", reason="the second date is wrong")
    assert it.status == "recalled"
    it.wait(hours=1)
    assert it.delivered == []
    it.say("submit", by="ana", text=TEXT + " And more.")
    it.say("approve", by="dee")
    it.fails = lambda order: Outcome(ok=False, reason="down") if isinstance(order, Deliver) else None
    it.wait(minutes=30)
    with pytest.raises(Refused, match="there is no second try"):
        it.say("recall", by="dee", reason="too late")


def test_after_approval_only_the_approved_text_leaves():
    it = approved()
    with pytest.raises(Refused, match="`recall` it first"):
        it.say("submit", by="ana", text="Something else.")
    it.wait(minutes=10)
    assert {text for _, _, text in it.delivered} == {TEXT}


def test_a_recalled_text_may_be_approved_as_it_is():
    it = approved()
    it.say("recall", by="sam", reason="a customer called")
    it.say("approve", by="dee")
    it.wait(minutes=10)
    assert len(it.delivered) == 3


def test_an_approval_names_the_text_that_was_read():
    it = drafted()
    read = it.matter.digest
    it.say("submit", by="ana", text=TEXT + " One more sentence.")
    with pytest.raises(Refused, match="the text has changed since you read it"):
        it.say("approve", by="dee", draft=read)
    it.say("approve", by="dee", draft=it.matter.digest[:8])


def test_only_the_owning_teams_manager_or_a_call_leader_approves():
    it = drafted()
    for person in ("ana", "sam", "hal"):
        with pytest.raises(Refused, match=r"the team's manager \(dee\), call leaders \(lou\)"):
            it.say("approve", by=person)
    both = drafted(services=["checkout-api", "payments"])
    both.say("approve", by="hal")


def test_there_is_nothing_to_approve_without_a_draft():
    with pytest.raises(Refused, match="no draft yet; ana can `submit` one"):
        rca().say("approve", by="dee")


def test_a_provider_that_is_down_delays_and_duplicates_nothing():
    it = approved()
    it.fails = lambda order: Outcome(ok=False, reason="down") if isinstance(order, Deliver) else None
    it.wait(hours=5)
    assert it.delivered == []
    assert it.status == "approved"
    it.fails = lambda order: None
    it.wait(hours=1)
    assert sorted(it.keys) == [f"{INCIDENT}/rca/deliver/{c}" for c in ("acme", "globex", "umbra")]
    assert it.over


def test_one_customer_who_cannot_be_reached_holds_up_no_other_and_becomes_supports():
    it = drafted()
    bounced = Outcome(ok=False, again=False, reason="no such mailbox")
    it.fails = lambda order: bounced if isinstance(order, Deliver) and order.customer == "acme" else None
    it.say("approve", by="dee")
    it.wait(minutes=11)
    assert [customer for _, customer, _ in it.delivered] == ["globex", "umbra"]
    assert it.heard("sam", "could not be delivered to acme (no such mailbox): bring it to them")
    assert it.lines("rca")[-1] == "RCA delivered to globex, umbra; support brings it to acme"
    assert it.over


def test_without_a_known_customer_support_brings_it_and_that_is_said():
    it = rca(services=[])
    it.say("submit", by="kim", text=TEXT)
    it.say("approve", by="lou")
    it.wait(minutes=10)
    assert it.heard("sam", "support brings it to whom it concerns")
    assert it.status == "delivered"


def test_the_incident_may_say_which_customers_were_really_hit():
    it = approved(deliveries=[Delivery(customer="acme")])
    it.wait(minutes=10)
    assert [customer for _, customer, _ in it.delivered] == ["acme"]


def test_its_author_may_be_named_at_closing():
    it = rca()
    author_named(it.matter, AuthorNamed(author="ben", by="kim"), it.now)
    it.settle()
    assert it.heard("ben", "Draft by")
    it.wait(days=2)
    assert it.heard("ben", "there is no draft yet")


def test_a_text_that_is_too_long_is_refused_and_a_file_alone_says_nothing():
    it = rca()
    with pytest.raises(ValueError, match="at most 262144 are kept"):
        it.say("submit", by="ana", text="é" * (DOCUMENT_LIMIT // 2 + 1))
    with pytest.raises(Refused, match=r"rca\.md: the content belongs into `text`"):
        it.say("submit", by="ana", file="rca.md")


def test_the_longest_text_and_many_customers_leave_the_state_small_enough_to_go_on():
    it = rca(deliveries=[Delivery(customer=f"customer-{n}") for n in range(300)])
    it.say("submit", by="ana", text='"' * DOCUMENT_LIMIT)
    it.say("approve", by="dee")
    it.fails = lambda order: Outcome(ok=False, reason="down") if isinstance(order, Deliver) else None
    it.wait(minutes=20)
    assert len(it.matter.model_dump_json()) < 1_800_000
    assert Rca.model_validate_json(it.matter.model_dump_json()) == it.matter


def test_a_bare_text_is_the_text():
    model, _ = DOORS["Rca"]["submit"]
    assert parse(model, "Between nine and ten …").model_dump()["text"] == "Between nine and ten …"


def test_its_page_shows_the_draft_and_what_to_send():
    it = drafted()
    page = details(it.matter, it.now)
    assert "    Between 09:00 and 09:31 UTC" in page
    assert f'{{"by": "dee", "draft": "{it.matter.digest}"}}' in page
    it.say("approve", by="dee")
    assert "**it leaves at 2026-03-02 09:10 UTC**" in details(it.matter, it.now)


acts = st.lists(
    st.tuples(st.sampled_from(["submit", "approve", "recall"]), st.integers(0, 60 * 30), st.booleans()), max_size=10
)


@settings(max_examples=40)
@given(acts)
def test_whatever_people_do_each_customer_gets_one_approved_text(steps: list[tuple[str, int, bool]]):
    it = rca()
    approvals = []
    for number, (message, minutes, down) in enumerate(steps):
        it.fails = lambda order, down=down: Outcome(ok=False, reason="down") if down else None  # type: ignore[misc]
        it.wait(minutes=minutes)
        fields: dict[str, Any] = {"submit": {"text": f"Draft {number}."}, "recall": {"reason": "wrong"}}.get(
            message, {}
        )
        try:
            it.say(message, by="dee", **fields)
        except Refused:
            continue
        if message == "approve":
            approvals.append(it.matter.approved.external)
        assert Rca.model_validate_json(it.matter.model_dump_json()) == it.matter
    it.fails = lambda order: None
    it.wait(hours=1)
    customers = [customer for _, customer, _ in it.delivered]
    assert len(customers) == len(set(customers))
    assert {text for _, _, text in it.delivered} <= set(approvals[-1:])
    assert it.over == (it.matter.stage == "delivered")


def test_customers_hit_when_it_came_back_get_it_too_and_after_it_left_support_brings_it():
    it = approved(deliveries=[Delivery(customer="acme")])
    customers_named(it.matter, CustomersNamed(customers=["acme", "initech"]), it.now)
    it.wait(minutes=11)
    assert [customer for _, customer, _ in it.delivered] == ["acme", "initech"]
    gone = approved(deliveries=[Delivery(customer="acme")])
    gone.fails = lambda order: Outcome(ok=False, reason="down") if isinstance(order, Deliver) else None
    gone.wait(minutes=11)
    customers_named(gone.matter, CustomersNamed(customers=["acme", "initech"]), gone.now)
    gone.settle()
    assert gone.heard("sam", "has left without initech, who were hit since")

"""The support desk against the real workflows, activities and store: what leaves the house, and what cannot stop it."""

from tests.drills.harness import minutes, story

CANARY = (
    "alarm: {alarm: buy, service: checkout-api, region: eu-west, source: canary, state: ALARM, severity: 2, "
    "summary: chk-router answers 503}"
)
SAM = "acknowledge: {by: sam}"


async def test_customers_are_told_in_words_of_their_own_and_no_name_of_the_whole_catalogue_leaves(tmp_path):
    drill = await story(
        tmp_path,
        f"0s {CANARY}",
        f"1m {SAM}",
        "2m notify: {by: sam, audience: external, text: the lucene index is full}",
        "3m notify: {by: sam, audience: external, text: One payment in thirty fails., public: true}",
        "4m notify: {by: ana, audience: external, text: not my role}",
        until="30m",
    )
    assert [problem.step for problem in drill.result.problems] == [3, 5]
    assert "must not read lucene" in drill.result.problems[0].got, "no service of this incident, but ours"
    rows = [m for m in drill.incident.messages if m.audience == "external"]
    assert rows[0].to == ["acme", "globex", "umbra"]
    assert sorted(row.to for row in rows[1:3]) == [["acme", "globex", "umbra"], ["public"]]
    assert "We are still working" in rows[3].text
    assert not any("chk-router" in row.text for row in rows)
    first = drill.incident.messages[0]
    assert (first.audience, first.to) == ("internal", ["account-teams", "support"])
    assert "One payment in thirty fails." in (tmp_path / "status" / "index.html").read_text()


async def test_messages_that_cannot_leave_delay_no_page_and_no_phase_and_leave_later(tmp_path):
    world = {"faults": [{"port": "comms", "from": "0s", "to": "15m"}]}
    drill = await story(
        tmp_path,
        f"0s {CANARY}",
        "3m acknowledge: {by: ana}",
        f"5m {CANARY.replace('ALARM, severity: 2', 'OK')}",
        until="40m",
        world=world,
    )
    assert drill.result.problems == []
    assert drill.paged("ana") == [(minutes(0), "email"), (minutes(2), "sms")]
    assert drill.incident.phase == "close"
    rows = [m for m in drill.incident.messages if m.audience == "external"]
    assert rows
    assert rows[0].to == ["acme", "globex", "umbra"]
    assert any("notice waits" in text for text in drill.said("fallback"))


async def test_a_fork_and_what_customers_say_through_the_real_doors(tmp_path):
    drill = await story(
        tmp_path,
        f"0s {CANARY}",
        "1m join: {by: ana}",
        "2m join: {by: ben}",
        "3m fork: {by: ana, topic: the disk, stays: ben}",
        "4m fork: {by: ana, topic: the kernel, stays: ben, from: '1'}",
        "5m rejoin: {by: ana, fork: '2'}",
        "6m relate: {by: sam, case: '4711', customer: acme}",
        "7m inquire: {by: sam, customer: acme, text: 'Are refunds affected?'}",
        "8m sentiment: {by: sam, tendency: better, text: payments go through again}",
        until="12m",
    )
    assert drill.result.problems == []
    assert len(drill.said("forked")) == 2
    assert len(drill.said("rejoined")) == 1
    assert drill.said("related") == ["acme, case 4711"]

"""Customers by the thousand: read row by row, found at once, and carried by name only where they are few."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from model.catalogue.catalog import Catalog
from model.catalogue.customers import GROUP, NAMED, Directory, read_customers
from model.catalogue.plan import plan_for
from model.text import Refused
from tests.model.test_catalog import GOOD

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEADER = "customer,name,service,region,contact,account_team,resources\n"
KNOWN: dict[str, Any] = {
    "services": ["checkout-api", "dns"],
    "regions": ["eu-west", "us-east"],
    "people": ["ana", "ben", "lou"],
}


def read(*rows: str, header: str = HEADER) -> tuple[Directory, list[str]]:
    return read_customers(header + "".join(f"{row}\n" for row in rows), **KNOWN)


def good(*rows: str, header: str = HEADER) -> Directory:
    directory, findings = read(*rows, header=header)
    assert findings == []
    return directory


def many(count: int, region: str = "eu-west", prefix: str = "c") -> list[str]:
    return [
        f"{prefix}{n},Customer {n},checkout-api,{region},ops@{prefix}{n}.test,{('ana', 'ben')[n % 2]},vm-{n}"
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load(yaml.safe_load(GOOD))


def test_a_customers_rows_are_put_together() -> None:
    directory = good(
        "globex,Globex,checkout-api,eu-west,ops@globex.test;sms:+15550001,ana,cart-1; cart-2",
        "globex,,checkout-api,us-east,ops@globex.test,lou,cart-9",
        "globex,,dns,,,,",
    )
    customer = directory.customer("globex")
    assert customer is not None
    assert (customer.name, customer.services, customer.account_team) == (
        "Globex",
        ["checkout-api", "dns"],
        ["ana", "lou"],
    )
    assert [(c.channel, c.address) for c in customer.contact] == [("email", "ops@globex.test"), ("sms", "+15550001")]
    assert directory.resources("globex", ["checkout-api"]) == {"eu-west": ["cart-1", "cart-2"], "us-east": ["cart-9"]}
    assert directory.resources("globex", ["dns"]) == {}
    assert directory.customers_of("dns") == ["globex"]
    assert directory.uses("globex", "dns")
    assert not directory.uses("nobody", "dns")


def test_columns_may_be_fewer_and_in_another_order_as_spreadsheets_write_them() -> None:
    directory, findings = read_customers(
        "\ufeffContact,Customer,Service\r\nops@globex.test,globex,checkout-api\r\n\r\n", **KNOWN
    )
    assert (findings, directory.customers_of("checkout-api")) == ([], ["globex"])


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        (
            "a b,,checkout-api,,a@b.test,,",
            "line 3, customer: 'a b' is no id: letters, digits, and . _ - behind the first",
        ),
        (",,checkout-api,,a@b.test,,", "line 3, customer: '' is no id: letters, digits, and . _ - behind the first"),
        ("x,,chekout-api,,a@b.test,,", "line 3, service: the catalogue does not know 'chekout-api'; did you mean "),
        ("x,,checkout-api,eu-wst,a@b.test,,", "line 3, region: the catalogue does not know 'eu-wst'; did you mean "),
        ("x,,checkout-api,,not a mail,,", "line 3, contact: 'not a mail' is neither an e-mail address nor channel:"),
        ("x,,checkout-api,,sms:,,", "line 3, contact: 'sms:' is neither an e-mail address nor channel:address"),
        ("x,,checkout-api,,,,", "line 3, contact: x has none in any row, so they are never told anything"),
        ("x,,checkout-api,,a@b.test", "line 3, row: has 5 fields, the first row 7"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_taken(row: str, finding: str) -> None:
    directory, findings = read("acme,,dns,,ops@acme.test,,", row, "globex,,dns,,ops@globex.test,,")
    [said] = findings
    assert said.startswith(finding)
    assert directory.customers_of("dns") == ["acme", "globex"]
    assert directory.customer("x") is None


def test_an_unknown_account_manager_is_named_and_the_customer_told_all_the_same() -> None:
    directory, findings = read("acme,,dns,,ops@acme.test,anna;lou,")
    assert findings == ["line 2, account_team: the catalogue does not know 'anna'; did you mean 'ana'?"]
    assert directory.account_team("acme") == ["lou"]


def test_a_line_is_counted_as_an_editor_counts_it() -> None:
    _, findings = read('acme,"Acme\nInc",dns,,ops@acme.test,,', "x,,dsn,,a@b.test,,")
    assert findings[0].startswith("line 4, service:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the column customer is missing"),
        ("customer;service;contact\n", "line 1: 'customer;service;contact' is no column"),
        ("customer,service\n", "line 1: the column contact is missing"),
        ("customer,service,contact,contact\n", "line 1: twice"),
        (f'{HEADER}acme,"Acme,dns,,a@b.test,,\nglobex,,dns,,a@b.test,,\n', "line 3: .*is a quote not closed"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_customers(text, **KNOWN)


def test_of_very_many_findings_the_rest_is_counted() -> None:
    _, findings = read(*(f"c{n},,nothing,,a@b.test,," for n in range(5_000)))
    assert (len(findings), findings[-1]) == (201, "and 4800 more")


def test_many_customers_are_carried_as_groups_in_which_everybody_is_once() -> None:
    directory = good(*many(1_400), *many(300, "us-east", "u"))
    groups = directory.customers_of("checkout-api")
    assert groups == [*(f"checkout-api@eu-west~{n}of3" for n in (1, 2, 3)), "checkout-api@us-east~1of1"]
    members = [directory.members(group) or [] for group in groups]
    assert max(map(len, members)) < 1.2 * GROUP
    assert sorted(id for group in members[:3] for id in group) == sorted(f"c{n}" for n in range(1_400))
    assert directory.account_team(groups[0]) == ["ana", "ben"]
    assert directory.account_team(groups[1]) == [], "whoever looks after several is told once"


def test_a_group_keeps_its_members_when_the_table_changes() -> None:
    """A message is drafted for a group, and may go minutes later."""
    rows = many(1_400)
    [before, after] = [
        good(*rows).members("checkout-api@eu-west~2of3"),
        good(*rows[7:]).members("checkout-api@eu-west~2of3"),
    ]
    assert before is not None
    assert after == [id for id in before if int(id[1:]) >= 7]


@pytest.mark.parametrize("name", ["acme", "checkout-api@eu-west", "checkout-api@eu-west~0of3", "a@b~1of", ""])
def test_what_names_no_group_has_no_members(name: str) -> None:
    assert good(*many(3)).members(name) is None


@pytest.mark.parametrize("name", ["checkout-api@eu-west~4of3", "nothing@nowhere~1of1"])
def test_a_group_that_is_no_more_is_empty(name: str) -> None:
    assert good(*many(3)).members(name) == []


def test_the_catalogue_has_its_own_customers_and_the_tables(catalog: Catalog) -> None:
    both = catalog.with_customers(good("globex,,checkout-api,,ops@globex.test,ben,", "acme,,dns,,other@acme.test,ben,"))
    assert both.customers_of("checkout-api") == ["acme", "globex"]
    acme, globex = both.customer("acme"), both.customer("globex")
    assert acme is not None
    assert globex is not None
    assert [c.address for c in acme.contact] == ["ops@acme.test"], "what the catalogue says itself counts"
    assert (both.account_team("acme"), both.account_team("globex")) == (["ana"], ["ben"])
    assert both.members("acme") == ["acme"]
    assert catalog.customers_of("checkout-api") == ["acme"], "the one before is as it was"
    assert Catalog.load(yaml.safe_load(GOOD)) == catalog


def test_fifty_thousand_customers_are_read_in_seconds_found_at_once_and_leave_the_state_small(catalog: Catalog) -> None:
    rows = many(50_000)
    began = time.perf_counter()
    directory = good(*rows)
    assert time.perf_counter() - began < 10
    live = catalog.with_customers(directory)
    began = time.perf_counter()
    for n in range(1_000):
        found = live.customer(f"c{n * 49}")
        assert found is not None
        assert len(live.customers_of("checkout-api")) == 1 + 50_000 / GROUP
    assert time.perf_counter() - began < 1, "a look-up takes less than a millisecond"
    plan = plan_for(live, services=["checkout-api"], at=NINE)
    assert len(plan.model_dump_json()) < 16_000
    assert plan.services["checkout-api"].has_customers
    members = {id for group in plan.customers_of["checkout-api"] for id in live.members(group)}
    assert len(members) == 50_000 + 1


def test_few_customers_are_carried_by_name(catalog: Catalog) -> None:
    live = catalog.with_customers(good(*many(NAMED)))
    plan = plan_for(live, services=["checkout-api"], at=NINE)
    assert plan.customers_of["checkout-api"][:2] == ["acme", "c0"]
    assert plan.account_teams["c1"] == ["ben"]


def test_only_customers_of_the_impacted_regions_are_concerned(catalog: Catalog) -> None:
    live = catalog.with_customers(
        good(
            "west,,checkout-api,eu-west,a@west.test,,",
            "east,,checkout-api,us-east,a@east.test,,",
            "both,,checkout-api,eu-west,a@both.test,,",
            "both,,checkout-api,us-east,,,",
            "wide,,checkout-api,,a@wide.test,,",
        )
    )
    plan = plan_for(live, services=["checkout-api", "dns"], at=NINE)
    assert plan.users_of("checkout-api", ["eu-west"]) == ["acme", "wide", "west", "both"]
    assert plan.users_of("checkout-api", ["us-east"]) == ["acme", "wide", "east", "both"]
    everybody = {"acme", "west", "east", "both", "wide"}
    for regions in (["eu-west", "us-east"], ["global"], []):
        assert set(plan.users_of("checkout-api", regions)) == everybody
    assert plan.users_of("dns", ["eu-west"]) == []


def test_groups_are_of_a_region_each(catalog: Catalog) -> None:
    live = catalog.with_customers(good(*many(300), *many(300, "us-east", "u")))
    plan = plan_for(live, services=["checkout-api"], at=NINE)
    assert plan.users_of("checkout-api", ["us-east"]) == ["acme", "checkout-api@us-east~1of1"]


def test_a_table_without_regions_says_nothing_of_them(catalog: Catalog) -> None:
    plan = plan_for(catalog.with_customers(good("wide,,checkout-api,,a@w.test,,")), services=["checkout-api"], at=NINE)
    assert plan.customers_in == {}
    assert plan.users_of("checkout-api", ["eu-west"]) == ["acme", "wide"]


def test_a_plan_of_an_older_version_knows_no_regions(catalog: Catalog) -> None:
    plan = plan_for(catalog, services=["checkout-api"], at=NINE)
    assert plan.users_of("checkout-api", ["eu-west"]) == ["acme"]
    later = plan_for(catalog.with_customers(good(*many(3))), services=["checkout-api"], at=NINE)
    assert plan.merged(later).customers_in == {}, "what was planned stays"

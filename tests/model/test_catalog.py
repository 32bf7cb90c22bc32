import copy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model.catalogue.catalog import Catalog, CatalogError, Contact, check
from model.catalogue.oncall import levels_at

EXAMPLE = Path(__file__).parents[2] / "scenarios" / "catalog.yaml"
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)

GOOD = """
organisation: Tiny Cloud
partitions: {public: [eu-west, us-east]}
people:
  ana: {name: Ana Ng, contact: [{email: ana@example.test}, {sms: "+15550001"}], timezone: Europe/Paris}
  ben: {contact: [{email: ben@example.test}]}
  lou: {contact: [{email: Lou@example.test}]}
teams:
  checkout: {on_call: [[ana], [ben]], manager: lou}
  incident-response: {on_call: [[ben]], manager: lou}
services:
  checkout-api: {team: checkout, regions: [eu-west], customer_name: Checkout, depends_on: [dns],
                 kpis: [{name: a, alarm_above: 1}, {name: b}, {name: c}]}
  dns: {team: checkout, kpis: [{name: a}, {name: b}, {name: c}]}
suspects: [dns]
roles: {incident_response: incident-response, support: checkout, call_leaders: [lou]}
customers:
  acme: {services: [checkout-api], contact: [{email: ops@acme.test}], account_team: [ana]}
tenets: [{id: one-region, text: A failure must not impact several regions.}]
"""


@pytest.fixture
def good() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(GOOD)
    return data


@pytest.fixture(scope="module")
def example() -> Catalog:
    return Catalog.load(yaml.safe_load(EXAMPLE.read_text()))


def found(data: Any) -> list[str]:
    return [str(finding) for finding in check(data)]


def put(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Change one place of a catalogue."""
    changed = copy.deepcopy(data)
    *way, last = path.split("/")
    place = changed
    for key in way:
        place = place[key]
    place[last] = value
    return changed


# --- The example ----------------------------------------------------------------------------------


def test_the_example_catalogue_has_nothing_wrong() -> None:
    assert found(yaml.safe_load(EXAMPLE.read_text())) == []


def test_the_example_is_the_one_of_the_design(example: Catalog) -> None:
    assert example.organisation == "Example Cloud"
    assert example.partitions == {"public": ["eu-west", "us-east"]}
    assert example.teams["checkout"].on_call == [["ana"], ["ben", "cho"]]
    assert example.teams["checkout"].manager == "dee"
    assert [t.on_call for t in (example.teams["incident-response"], example.teams["support"])] == [
        [["kim"]],
        [["sam"]],
    ]
    assert example.services["checkout-api"].depends_on == ["payments", "dns"]
    assert example.suspects == ["dns", "auth", "network"]
    assert example.roles.call_leaders == ["lou"]
    assert example.customers["acme"].services == ["checkout-api"]
    assert [tenet.id for tenet in example.tenets] == ["one-region", "detect-first"]


def test_nothing_in_the_example_leads_anywhere(example: Catalog) -> None:
    contacts = [contact for person in example.people.values() for contact in person.contact]
    contacts += [contact for customer in example.customers.values() for contact in customer.contact]
    addresses = [contact.address for contact in contacts]
    assert [a for a in addresses if not a.endswith(".test") and not a.startswith("+1555")] == []


def test_everybody_in_the_example_can_be_reached_in_two_ways_on_two_levels(
    example: Catalog,
) -> None:
    for service in example.services.values():
        assert len(example.teams[service.team].on_call) == 2
        assert example.customers_of(service.id)
    assert all([c.channel for c in p.contact] == ["email", "sms"] for p in example.people.values())


def test_the_small_catalogue_of_these_tests_is_good(good: dict[str, Any]) -> None:
    assert found(good) == []


# --- What can be wrong ----------------------------------------------------------------------------


MISTAKES: list[tuple[str, Any, str, str]] = [
    ("services/checkout-api/team", "chekout", "", "there is no team 'chekout'; did you mean 'checkout'?"),
    ("services/checkout-api/team", None, "", "has no team, so nobody would be woken"),
    ("services/checkout-api/depends_on", ["dnss"], "", "there is no service 'dnss'; did you mean 'dns'?"),
    (
        "services/checkout-api/regions",
        ["eu-wst"],
        "",
        "no partition has the region 'eu-wst'; did you mean 'eu-west' or 'us-east'?",
    ),
    ("services/checkout-api/regions", "eu-west", "", "'eu-west' is not a list; write for example [a, b]"),
    ("services/checkout-api/regions", [False], "[0]", "False is not read as text; write it in quotes"),
    (
        "services/checkout-api/regions",
        [date(2026, 3, 2)],
        "[0]",
        "2026-03-02 is not read as text; write it in quotes",
    ),
    ("services/checkout-api/kpi", [], "", "unknown key; did you mean 'kpis'?"),
    ("services/checkout-api/kpis", [{"name": c} for c in "aab"], "", "two are called 'a'"),
    (
        "services/checkout-api/kpis",
        [{"name": "a", "alarm_abov": 1}, {"name": "b"}, {"name": "c"}],
        "[0].alarm_abov",
        "unknown key; did you mean 'alarm_above' or 'alarm_below'?",
    ),
    (
        "services/checkout-api/kpis",
        [{"name": "a", "alarm_above": "1%"}],
        "[0].alarm_above",
        "'1%' is not a number",
    ),
    (
        "services/checkout-api/kpis",
        [{"name": "a", "severity": 6}],
        "[0].severity",
        "6: input should be less than or equal to 5",
    ),
    ("services/checkout-api", "checkout", "", "'checkout' is not an entry with keys and values"),
    (
        "services/two words",
        {"team": "checkout"},
        "",
        "'two words' is no id: letters, digits and . _ - only, no blanks",
    ),
    (
        "services/api@2",
        {"team": "checkout"},
        "",
        "'api@2' is no id: letters, digits and . _ - only, no blanks",
    ),
    (
        "services/DNS",
        {"team": "checkout"},
        "",
        "differs from 'dns' only in case; nobody is that exact at night",
    ),
    ("teams/checkout/on_call", [["ana"], []], "", "level 2 is empty, so nobody would be woken"),
    ("teams/checkout/on_call", [["ana"], None], "", "level 2 is empty, so nobody would be woken"),
    ("teams/checkout/on_call", [], "", "has no level, so nobody would be woken"),
    ("teams/checkout/on_call", [["anna"]], "", "there is no person 'anna'; did you mean 'ana'?"),
    (
        "teams/checkout/on_call",
        ["ana", "ben"],
        "",
        "level 1: 'ana' is not a list of people; each level is a list, for example [[ana], [ben, cho]]",
    ),
    (
        "teams/checkout/on_call",
        "ana",
        "",
        "'ana' is not a list of levels; write for example [[ana], [ben, cho]]",
    ),
    (
        "teams/checkout/on_call",
        [{"rotation": ["ana"], "every": "7d"}],
        "",
        "level 1: from: is missing; write for example {rotation: [ana, ben], every: 1w, from: 2026-03-02, "
        'handover: "09:00", zone: Europe/Paris}',
    ),
    ("teams/checkout/manager", None, "", "has no manager, who is paged when nobody else answers"),
    ("teams/checkout/manager", "louis", "", "there is no person 'louis'; did you mean 'lou'?"),
    ("teams/checkout/manger", "lou", "", "unknown key; did you mean 'manager'?"),
    (
        "teams/call-leaders",
        {"on_call": [["lou"]], "manager": "lou"},
        "",
        "'call-leaders' has a meaning of its own; choose another id",
    ),
    ("people/ana/contact", None, "", "has no contact, so nobody could wake them"),
    ("people/ana/contact", [], "", "has no contact, so nobody could wake them"),
    (
        "people/ana/contact",
        ["ana@example.test"],
        "[0]",
        "'ana@example.test' names no channel; write for example - email: ana@example.test",
    ),
    (
        "people/ana/contact",
        [{"email": "a@x.test", "sms": "+15550001"}],
        "[0]",
        "email, sms are one entry; their order counts: one list item each",
    ),
    (
        "people/ana/contact",
        [{"sms": 15550001}],
        "[0]",
        "the sms address is read as a number; write it in quotes",
    ),
    ("people/ana/contact", [{"email": None}], "[0]", "the email has no address"),
    ("people/ana/contact", [{}], "[0]", "the contact has no address"),
    ("people/ana/contact", [{"email": "ana"}], "[0]", "'ana' is not an e-mail address"),
    (
        "people/ana/contact",
        [{"email": "BEN@example.test"}],
        "=people.ben.contact",
        "ben@example.test belongs to 'ana' already",
    ),
    (
        "people/ana/timezone",
        "Europe/Pari",
        "",
        "'Europe/Pari' is not a time zone; write for example Europe/Paris or UTC",
    ),
    (
        "people/ANA",
        {"contact": [{"email": "a@x.test"}]},
        "",
        "differs from 'ana' only in case; nobody is that exact at night",
    ),
    ("suspects", ["dsn"], "", "there is no service 'dsn'; did you mean 'dns'?"),
    ("suspects", "dns", "", "'dns' is not a list; write for example [a, b]"),
    ("roles/support", None, "", "is missing; name the team that does it in every incident"),
    ("roles/incident_response", "ir", "", "there is no team 'ir'; known are checkout, incident-response"),
    ("roles/call_leaders", ["lu"], "", "there is no person 'lu'; did you mean 'lou'?"),
    ("roles/call_leaders", [], "", "is missing; name who takes the decisions nobody has a rule for"),
    ("roles/call_leader", ["lou"], "", "unknown key; did you mean 'call_leaders'?"),
    (
        "customers/acme/services",
        ["checkout"],
        "",
        "there is no service 'checkout'; did you mean 'checkout-api'?",
    ),
    ("customers/acme/account_team", ["anna"], "", "there is no person 'anna'; did you mean 'ana'?"),
    (
        "customers/public",
        {"services": ["dns"], "contact": [{"email": "p@x.test"}]},
        "",
        "'public' has a meaning of its own; choose another id",
    ),
    ("tenets", [{"id": "a"}], "[0]", "a tenet needs an id and a text"),
    ("tenets", [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "[1]", "there is a tenet 'a' already"),
    ("tenets", [{"id": "a", "txt": "x"}], "[0].txt", "unknown key; did you mean 'text'?"),
    (
        "partitions",
        {"public": ["eu-west"], "gov": ["eu-west"]},
        ".gov",
        "the region 'eu-west' is in 'public' already",
    ),
    (
        "partitions",
        {"unmapped": ["eu-west"]},
        ".unmapped",
        "'unmapped' is where unknown alarms go; choose another name",
    ),
    (
        "partitions",
        {"eu/west": ["eu-west"]},
        ".eu/west",
        "'eu/west' is no id: letters, digits and . _ - only, no blanks",
    ),
    ("partitions", None, "", "there is no region; write for example partitions: {public: [eu-west]}"),
    ("partitions", ["eu-west"], "", "['eu-west'] is not a mapping; write partitions: and below it id: ..."),
    ("peple", {}, "", "unknown key; did you mean 'people'?"),
    ("organisation", 7, "", "7 is not read as text; write it in quotes"),
    (
        "bridges",
        {"tech": "call.example.test"},
        ".tech",
        "'call.example.test' is not a link; it begins with https://",
    ),
    (
        "bridges",
        {"tech": "https://x.test/{id}"},
        ".tech",
        "{id} is not known; filled in are {incident}, {call}, {secret}",
    ),
    ("bridges", {"phone": 15550100}, ".phone", "15550100 is not read as text; write it in quotes"),
    (
        "policy",
        {"external_hold": "soon"},
        ".external_hold",
        "'soon' is not a duration; write for example 90s, 10m, 2h, 3d or 1h30m",
    ),
    (
        "policy",
        {"coe_du": "5d"},
        ".coe_du",
        "there is no policy number 'coe_du'; did you mean 'coe_due' or 'rca_due'?",
    ),
]
ADVICE: list[tuple[str, Any, str, str]] = [
    (
        "services/checkout-api/kpis",
        [{"name": "a"}],
        "",
        "key metrics: 1; three to five show its health (D6)",
    ),
    (
        "services/checkout-api/kpis",
        [{"name": c} for c in "abcdef"],
        "",
        "key metrics: 6; three to five show its health (D6)",
    ),
    (
        "services/checkout-api/customer_name",
        None,
        "",
        "has customers but no name they know, so messages to them stay vague",
    ),
    (
        "people/ana/contact",
        [{"sms": "0555 123"}],
        "[0]",
        "'0555 123' should begin with + and the country code",
    ),
    (
        "people/ana/contact",
        [{"emial": "ana@example.test"}],
        "[0]",
        "'emial' is an unusual channel; did you mean 'email'?",
    ),
    ("roles/call_leaders", ["lou"] * 10, "", "10 are many; fewer than ten know each other well (C11)"),
    ("customers/acme/services", [], "", "uses no service, so it is never told anything"),
    ("customers/acme/contact", [], "", "has no contact, so it is never told anything"),
]


@pytest.mark.parametrize(
    ("level", "path", "value", "where", "text"),
    [*(("error", *mistake) for mistake in MISTAKES), *(("warning", *advice) for advice in ADVICE)],
)
def test_each_mistake_is_named_once_and_where_it_is(
    good: dict[str, Any], level: str, path: str, value: Any, where: str, text: str
) -> None:
    # `where` goes on from the path that was changed, or begins anew after "=".
    place = where.removeprefix("=") if where.startswith("=") else path.replace("/", ".") + where
    there = [str(finding) for finding in check(put(good, path, value)) if finding.where == place]
    assert there == [f"{level}: {place}: {text}"]


def test_all_mistakes_are_named_at_once(good: dict[str, Any]) -> None:
    good["services"]["checkout-api"] |= {
        "team": "nobody",
        "kpi": 1,
        "depends_on": ["nothing"],
        "regions": ["x"],
    }
    good["people"]["ana"]["contact"] = None
    good["roles"] = None
    places = [finding.where for finding in check(good)]
    assert places == [
        "services.checkout-api.kpi",
        "people.ana.contact",
        "services.checkout-api.team",
        "services.checkout-api.regions",
        "services.checkout-api.depends_on",
        "roles.incident_response",
        "roles.support",
        "roles.call_leaders",
    ]


def test_a_section_that_cannot_be_read_is_one_finding_and_not_one_for_every_reference(
    good: dict[str, Any],
) -> None:
    assert found(put(good, "people", ["ana", "ben"])) == [
        "error: people: ['ana', 'ben'] is not a mapping; write people: and below it id: ..."
    ]


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
        ({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}, "b → d → b"),
    ],
)
def test_a_circle_of_dependencies_is_named_once(good: dict[str, Any], needs: dict[str, Any], circle: str) -> None:
    kpis = [{"name": c} for c in "abc"]
    good["services"] |= {name: {"team": "checkout", "depends_on": d, "kpis": kpis} for name, d in needs.items()}
    assert [text.rpartition("itself: ")[2] for text in found(good)] == [circle]


def test_a_diamond_is_no_circle_and_a_long_chain_no_crash(good: dict[str, Any]) -> None:
    kpis = [{"name": c} for c in "abc"]
    needs: dict[str, list[str]] = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["n0"], "n3000": []}
    needs |= {f"n{i}": [f"n{i + 1}"] for i in range(3000)}
    good["services"] |= {name: {"team": "checkout", "depends_on": d, "kpis": kpis} for name, d in needs.items()}
    assert found(good) == []


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), min_size=1))
def test_a_circle_is_found_exactly_when_there_is_one(needs: dict[str, list[str]]) -> None:
    data = put(
        yaml.safe_load(GOOD),
        "services",
        {name: {"team": "checkout", "depends_on": [d for d in ds if d in needs]} for name, ds in needs.items()},
    )
    left = {name: {d for d in ds if d in needs} for name, ds in needs.items()}
    while free := [name for name, ds in left.items() if not ds & set(left)]:
        for name in free:
            del left[name]
    assert any("depends on itself" in text for text in found(data)) == bool(left)


@pytest.mark.parametrize("data", [None, {}, {"people": None, "teams": {}, "services": None, "policy": None}])
def test_an_empty_catalogue_is_told_what_it_lacks(data: Any) -> None:
    assert [finding.where for finding in check(data)] == [
        "partitions",
        "roles.incident_response",
        "roles.support",
        "roles.call_leaders",
    ]


def test_blank_keys_are_as_good_as_none(good: dict[str, Any]) -> None:
    good |= {"tenets": None, "suspects": None, "bridges": None, "customers": None, "policy": None}
    good["services"]["dns"] |= {"components": None, "internal_names": None, "regions": None}
    assert found(good) == []


keys = st.sampled_from(
    [
        "partitions",
        "people",
        "teams",
        "services",
        "suspects",
        "roles",
        "customers",
        "tenets",
        "bridges",
        "policy",
        "organisation",
        "public",
        "ana",
        "contact",
        "timezone",
        "on_call",
        "manager",
        "team",
        "regions",
        "depends_on",
        "kpis",
        "name",
        "severity",
        "id",
        "text",
        "tech",
        "email",
        "next_level_within",
        "external_hold",
        "incident_response",
        "call_leaders",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | keys
garbage = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys | st.text(max_size=4) | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(st.dictionaries(keys, garbage, max_size=8) | garbage)
def test_any_file_gets_findings_and_never_a_crash(data: Any) -> None:
    findings = check(data)
    assert any(finding.level == "error" for finding in findings)
    with pytest.raises(CatalogError):
        Catalog.load(data)


@settings(max_examples=200)
@given(st.sampled_from(["people", "teams", "services", "roles", "customers", "policy", "bridges"]), keys, garbage)
def test_garbage_in_one_place_never_crashes(section: str, key: str, value: Any) -> None:
    data = yaml.safe_load(GOOD)
    entries = data.setdefault(section, {})
    for entry in [e for e in entries.values() if isinstance(e, dict)] or [entries]:
        entry[key] = value
    check(data)


# --- Loading and looking up -----------------------------------------------------------------------


def test_a_catalogue_with_errors_is_not_loaded_and_says_all_of_them(good: dict[str, Any]) -> None:
    good["teams"]["checkout"]["manager"] = "nobody"
    good["services"]["dns"]["kpis"] = []
    with pytest.raises(CatalogError, match="there is no person 'nobody'") as refusal:
        Catalog.load(good)
    assert [finding.level for finding in refusal.value.findings] == ["error", "warning"]


def test_a_catalogue_with_warnings_only_is_loaded(good: dict[str, Any]) -> None:
    good["services"]["dns"]["kpis"] = []
    assert Catalog.load(good).services["dns"].kpis == []


@pytest.mark.parametrize("text", ["lou", "LOU", " Lou ", "lou@example.test", "LOU@EXAMPLE.TEST"])
def test_people_are_known_by_id_or_e_mail_in_any_case(good: dict[str, Any], text: str) -> None:
    person = Catalog.load(good).person_by(text)
    assert person is not None
    assert person.id == "lou"


def test_strangers_are_nobody(good: dict[str, Any]) -> None:
    catalog = Catalog.load(good)
    assert [catalog.person_by(text) for text in ("", "eve", "+15550001", "Ana Ng")] == [None] * 4


def test_contacts_keep_their_order(good: dict[str, Any]) -> None:
    assert Catalog.load(good).people["ana"].contact == [
        Contact(channel="email", address="ana@example.test"),
        Contact(channel="sms", address="+15550001"),
    ]


def test_a_manager_is_a_member_of_the_team(good: dict[str, Any]) -> None:
    catalog = Catalog.load(good)
    assert catalog.teams_of("lou") == ["checkout", "incident-response"]
    assert catalog.teams_of("ana") == ["checkout"]
    assert catalog.teams_of("eve") == []


def test_lookups(good: dict[str, Any]) -> None:
    catalog = Catalog.load(good)
    owner, service, team = (
        catalog.owner("dns"),
        catalog.service_by("Checkout-API"),
        catalog.team_by("CHECKOUT"),
    )
    assert owner is not None
    assert service is not None
    assert team is not None
    assert (owner.id, service.id, team.id) == ("checkout", "checkout-api", "checkout")
    assert catalog.owner("nothing") is None
    assert catalog.service("Checkout-API") is None
    assert (catalog.partition_of("eu-west"), catalog.partition_of("mars")) == ("public", None)
    assert (catalog.customers_of("checkout-api"), catalog.customers_of("dns")) == (["acme"], [])


def test_a_changed_copy_is_looked_up_afresh(good: dict[str, Any]) -> None:
    catalog = Catalog.load(good)
    assert catalog.person_by("ana")
    assert catalog.customers_of("checkout-api")
    changed = catalog.model_copy(update={"people": {}, "teams": {}, "customers": {}})
    assert changed.person_by("ana") is None
    assert changed.teams_of("ana") == []
    assert changed.customers_of("checkout-api") == []


def test_the_organisation_s_own_numbers_are_in_force(good: dict[str, Any]) -> None:
    good["policy"] = {"external_hold": "3m", "next_level_within": {1: "2m"}}
    policy = Catalog.load(good).policy
    assert policy.external_hold.total_seconds() == 180
    assert [policy.next_level_within.at(s) for s in (1, 2)] != [None, None]


def test_technical_names_are_internal_and_what_customers_call_it_never_is(good: dict[str, Any]) -> None:
    good["services"]["checkout-api"] |= {
        "components": ["openssl"],
        "internal_names": ["chk-router", "checkout"],
    }
    good["services"]["dns"]["internal_names"] = ["CHECKOUT"]
    catalog = Catalog.load(good)
    assert catalog.services["checkout-api"].secrets == ["chk-router", "openssl", "checkout-api"]
    assert catalog.services["dns"].secrets == ["CHECKOUT"]
    assert catalog.internal_names() == ["checkout-api", "chk-router", "openssl"]


def test_the_levels_of_a_plain_list_are_the_same_at_any_time(good: dict[str, Any]) -> None:
    good["teams"]["checkout"]["on_call"] = [["ana", "ana"], ["ben"]]
    team = Catalog.load(good).teams["checkout"]
    assert levels_at(team, MONDAY) == [["ana"], ["ben"]]

"""`allclear detection` and `allclear health` while a storm is on: what began it stays in sight, names stay whole."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from rich.text import Text

from cli import detect, health, say
from gateway.health import Health, partition_health
from model.detect.partition import Detection, Heard, Silenced, Watched, key_of
from model.incident import AlarmFact
from tests.model.simulation import CATALOG

NOW = datetime.now(UTC)
INCIDENT = "INC-20261123-7F3A"


def storm(services: list[str], each: int = 3) -> Detection:
    """Return a partition in which every service has alarms; the first began first."""
    state = Detection(partition="public")
    for n, service in enumerate(services):
        for m in range(each):
            fact = AlarmFact(
                alarm=f"{service}-5xx-{m}",
                service=service,
                region="eu-west",
                metric="error-rate",
                since=NOW - timedelta(minutes=90 - n),
                severity=2,
                summary="5xx of the load balancer above 1 % of all calls",
            )
            state.alarms[key_of(service, "eu-west", fact.alarm, False)] = Watched(fact=fact, incident=INCIDENT)
    for n in range(40):
        report = Heard(
            at=NOW - timedelta(minutes=40 - n), service=services[0], region="eu-west", source="case", count=1,
            customer=f"customer-{n}", text="cannot pay", link=f"https://cases.test/{n}",
        )  # fmt: skip
        state.reports.append(report)
    state.silences.append(Silenced(service="dns", until=NOW + timedelta(hours=1), reason="a planned move", by="ana"))
    return state


@pytest.fixture(params=[80, 120])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return what a terminal of that many columns has shown."""
    shown = io.StringIO()
    there = Console(
        file=shown, width=request.param, force_terminal=True, theme=say._THEME, markup=False, highlight=False,
        no_color=True, emoji=False,
    )  # fmt: skip
    for module in (detect, health):
        monkeypatch.setattr(module, "console", lambda: there)

    def read() -> str:
        lines = Text.from_ansi(shown.getvalue()).plain.splitlines()
        assert max(map(len, lines)) <= request.param
        return "\n".join(lines)

    return read


def plain(text: str) -> str:
    return " ".join(text.split())


def test_a_storm_of_many_services_is_a_row_for_each_and_the_first_ones_are_shown(terminal: Callable[[], str]) -> None:
    detect._show(storm([f"service-{n:03}" for n in range(60)]))
    told = plain(terminal())
    assert "public: 180 in alarm" in told
    assert "SEV2 service-000 in eu-west 7F3A service-000-5xx-0, service-000-5xx-1 and 1 more" in told
    assert told.count(" in eu-west 7F3A ") == detect.ROWS
    assert "… and 40 more: `allclear detection --all`" in told
    assert "customer-39" in told, "the last report"
    assert "https://cases.test/39" in told
    assert "… and 35 more" in told
    assert "dns in every region" in told


def test_all_of_a_storm_is_shown_to_who_asks(terminal: Callable[[], str]) -> None:
    detect._show(storm([f"service-{n:03}" for n in range(60)]), everything=True)
    assert terminal().count(" in eu-west  7F3A ") == 60


def test_one_alarm_alone_says_what_it_says_and_that_it_flaps(terminal: Callable[[], str]) -> None:
    state = storm(["checkout-api"], each=1)
    (watched,) = state.alarms.values()
    watched.fact.flapping = "flapping: it changed more than 6 times"
    detect._show(state)
    assert "checkout-api-5xx-0: flapping; 5xx of the load balancer above 1 % of all calls" in plain(terminal())


def test_members_of_a_crowd_are_counted(terminal: Callable[[], str]) -> None:
    state = storm(["checkout-api"])
    state.crowds["checkout-api/eu-west"] = {f"{n:010}": None for n in range(250)}
    detect._show(state)
    assert "and 1 more; of these one stands for 250" in plain(terminal())


def test_health_in_a_storm_shows_what_is_in_alarm_and_counts_what_is_not(terminal: Callable[[], str]) -> None:
    state = storm([*CATALOG.services, *(f"service-{n:03}" for n in range(60))])
    found = partition_health(CATALOG, "public", state)
    health._show(Health(organisation="Example", at=NOW, state=found.state, partitions=[found]), everything=False)
    told = plain(terminal())
    assert "checkout-api ALARM 1 h 30 min 7F3A error-rate IN ALARM, 2 ok" in told
    shown = told.partition("public / us-east")[0]
    assert shown.count(" ALARM 1 h ") == health.ROWS
    assert "more that are not OK: `allclear health --all`" in shown

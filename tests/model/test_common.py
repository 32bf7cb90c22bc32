"""Which common dependency explains the impacted services (D3, E2)."""

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.detect.common import Graph

SHOP = Graph(
    {
        "checkout-api": ["payments", "dns"],
        "payments": ["network", "auth"],
        "search-api": ["network"],
        "storage": ["network"],
        "mail": ["network"],
        "auth": ["dns"],
        "dns": [],
        "network": [],
        "billing": ["auth"],
    }
)


def ranked(*impacted: str, graph: Graph = SHOP) -> list[str]:
    return [one.dependency for one in graph.common(impacted)]


def words(*impacted: str) -> str:
    return SHOP.common(impacted)[0].words


def test_what_most_of_the_impacted_depend_on_comes_first_and_says_what_speaks_against_it():
    impacted = ("checkout-api", "payments", "search-api", "storage", "billing")
    assert ranked(*impacted)[0] == "network"
    assert words(*impacted) == ("network: 4 of 5 impacted services depend on it, 1 not impacted does too")


def test_a_dependency_over_several_steps_counts():
    assert ranked("checkout-api", "billing")[0] in ("auth", "dns")
    assert set(ranked("checkout-api", "billing")) == {"auth", "dns"}


def test_one_that_spares_fewer_comes_before_one_that_others_stand_on_too():
    assert ranked("payments", "billing")[0] == "auth", "checkout-api and auth stand on dns as well"


def test_a_dependency_that_is_impacted_itself_explains_those_above_it():
    first = SHOP.common(["network", "search-api", "mail"])[0]
    assert (first.dependency, first.itself, first.explained) == ("network", True, ("mail", "network", "search-api"))
    assert first.words == (
        "network: 2 of 2 other impacted services depend on it, it is impacted itself, 3 not impacted do too"
    )


def test_services_that_share_nothing_have_no_common_dependency():
    assert ranked("search-api", "billing") == []
    assert ranked("search-api") == []
    assert ranked() == []


def test_a_service_that_the_catalogue_does_not_know_is_counted():
    assert words("search-api", "mail", "who-is-this").startswith("network: 2 of 3 impacted services depend on it")


def test_a_circle_of_dependencies_does_no_harm():
    circle = Graph({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    assert set(ranked("a", "b", "d", graph=circle)) >= {"c"}


services = st.sampled_from([f"s{n}" for n in range(12)])
graphs = st.dictionaries(services, st.lists(services, max_size=4)).map(Graph)


@given(graphs, st.lists(services), st.randoms())
def test_the_order_of_arrival_and_repetitions_change_nothing(graph: Graph, impacted: list[str], chance: random.Random):
    again = [*impacted, *chance.choices(impacted, k=5)] if impacted else []
    chance.shuffle(again)
    assert graph.common(again) == graph.common(impacted)


@given(graphs, st.lists(services, unique=True))
def test_what_is_counted_is_true(graph: Graph, impacted: list[str]):
    for one in graph.common(impacted, most=99):
        above = set(graph.above(one.dependency))
        assert set(one.explained) == set(impacted) & (above | {one.dependency})
        assert one.spared == len(above - set(impacted))
        assert (one.impacted, one.itself) == (len(impacted), one.dependency in impacted)


@given(graphs, st.lists(services, unique=True, min_size=2))
def test_nothing_explains_more_than_the_first(graph: Graph, impacted: list[str]):
    shared = [len({*graph.above(s), s} & set(impacted)) for s in (f"s{n}" for n in range(12)) if graph.above(s)]
    found = graph.common(impacted, most=3)
    assert [len(one.explained) for one in found] == sorted((n for n in shared if n > 1), reverse=True)[:3]


@pytest.mark.parametrize("impacted", [2, 30, 500])
def test_a_thousand_services_are_ranked_within_a_millisecond(impacted: int):
    chance = random.Random(3)
    names = [f"service-{n}" for n in range(1000)]
    graph = Graph({name: chance.sample(names[:n], min(n, 3)) for n, name in enumerate(names)})
    hit = chance.sample(names, impacted)
    assert min(_seconds(lambda: graph.common(hit)) for _ in range(50)) < 0.001


def _seconds(doing: Callable[[], object]) -> float:
    before = time.perf_counter()
    doing()
    return time.perf_counter() - before

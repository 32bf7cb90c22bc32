"""Only customers of the event's regions are told, as far as anybody knows where they are (C9)."""

from model.catalogue.plan import Plan
from model.coordinate.audience import hit, targets
from model.incident import Incident
from tests.store.samples import ID, NINE

PLAN = Plan(
    customers_of={"checkout-api": ["acme", "west", "east"]},
    customers_in={"checkout-api": {"global": ["acme"], "eu-west": ["west"], "us-east": ["east"]}},
)


def incident(*regions: str, **facts: object) -> Incident:
    return Incident.model_validate(
        {"id": ID, "opened_at": NINE, "services": ["checkout-api"], "regions": list(regions), "plan": PLAN, **facts}
    )


def test_customers_elsewhere_are_not_told() -> None:
    assert targets(incident("eu-west")) == ["acme", "west"]
    assert hit(incident("us-east")) == ["acme", "east"]


def test_an_event_that_grows_concerns_more() -> None:
    assert targets(incident("eu-west", "us-east")) == ["acme", "west", "east"]


def test_an_event_everywhere_concerns_everybody() -> None:
    for regions in (["global"], []):
        assert targets(incident(*regions)) == ["acme", "west", "east"]

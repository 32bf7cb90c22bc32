"""The gateway as one application."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from temporalio.client import Client

from gateway.absorbing import Memory
from gateway.api import api_routes, health_routes
from gateway.delivery import Delivery
from gateway.door import Door
from gateway.gauges import Gauges
from gateway.health import dashboard_routes
from gateway.intake import Keys, intake_routes
from gateway.openapi import Documented
from gateway.phone import Phone, phone_routes
from gateway.problems import tell_problems
from gateway.slack import Slack, slack_routes
from gateway.sources.sns import Fetch, Verifier
from model.catalogue.catalog import Catalog
from store import Store


def make_app(
    *,
    client: Client,
    catalog: Callable[[], Catalog],
    store: Store,
    secret: str,
    token: str = "",
    public_url: str,
    keys: Mapping[str, Sequence[str]] | None = None,
    topics: Sequence[str] = (),
    alone: bool = False,
    fetch: Fetch | None = None,
    slack: Slack | None = None,
) -> FastAPI:
    """Return the gateway.

    Args:
        client: Whose namespace alarms go to; made by `link.client.connect`, which signs what people say.
        catalog: Returns the catalogue as it is now.
        store: The record.
        secret: Signs the links of pages; the workers' secret.
        token: What machines show; empty: only loopback is let in.
        public_url: How people's phones reach the gateway.
        keys: Further keys for each source of alarms (`Settings.source_keys`).
        topics: SNS topics whose CloudWatch alarms are taken, by their whole ARN.
        alone: No other gateway takes alarms, so that every repeat can be absorbed here; see `gateway.absorbing`.
        fetch: Gets SNS's certificates; by default from Amazon.
        slack: How Slack is heard and answered; None where it is not used.

    Raises:
        ValueError: The secret is empty, so that anybody could sign a link.
        Refused: A signing key is none.
    """
    if not secret:
        raise ValueError("the gateway needs a secret: an empty one proves nothing")
    # No /docs: its page loads scripts from elsewhere, and shows nothing where there is no internet.
    app = Documented(
        title="AllClear",
        summary="Alarms in, incidents out.",
        version=_version(),
        servers=[{"url": public_url}] if public_url else None,
        docs_url=None,
        redoc_url=None,
    )
    tell_problems(app)
    gauges = Gauges()
    door = Door(token, public_url)
    delivery = Delivery(client, catalog, Memory(alone=alone))
    verifier = Verifier(topics, fetch)
    app.include_router(intake_routes(Keys(token, keys or {}, topics), public_url, delivery, gauges, catalog, verifier))
    app.include_router(health_routes(client))
    app.include_router(dashboard_routes(door, client, catalog))
    app.include_router(api_routes(door, store, gauges))
    app.include_router(phone_routes(Phone(client, store, secret, catalog)))
    if slack:
        app.include_router(slack_routes(client, catalog, slack))
    return app


def _version() -> str:
    try:
        return version("allclear-incidents")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"

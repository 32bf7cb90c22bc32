"""The public status page: which one the settings configure, and whether it would work now."""

from collections.abc import Awaitable, Callable
from functools import partial

from activities.statuspage import StatusPage
from activities.statuspage.atlassian import Statuspage
from activities.statuspage.embedded import EmbeddedPage
from model.catalogue.catalog import Catalog
from model.text import Refused
from worker.settings import Settings


def status_page_of(settings: Settings) -> StatusPage:
    """Return the configured page: files in the data folder, where nothing else is.

    Raises:
        Refused: The settings cannot work; secrets in them are not said.
    """
    return _atlassian(settings) or EmbeddedPage(settings.data / "status")


def trials(settings: Settings, catalog: Catalog) -> dict[str, Callable[[], Awaitable[str]]]:
    """Return what `allclear doctor` tries; each raises `Failed` with what to mend.

    Raises:
        Refused: The settings cannot work.
    """
    page = _atlassian(settings)
    names = [service.customer_name for service in catalog.services.values()]
    return {"statuspage": partial(page.check, names)} if page else {}


def _atlassian(settings: Settings) -> Statuspage | None:
    key, page = settings.the_statuspage_key(), settings.statuspage_page
    if not key and not page:
        return None
    if not key or not page:
        missing = "ALLCLEAR_STATUSPAGE_PAGE" if key else "ALLCLEAR_STATUSPAGE_KEY"
        raise Refused(f"{missing}: Statuspage needs a page's id and a key of its API")
    return Statuspage(page, key, url=settings.statuspage_url, notify=settings.statuspage_notify)

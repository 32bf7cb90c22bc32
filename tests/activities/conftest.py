"""A provider on a loopback port, which answers what a test module says in `there`."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.activities.paging.provider import Provider, Request, Says, serving


@pytest.fixture
def there() -> Says | Callable[[Request], Says]:
    """What the provider answers; modules that stand for a certain provider say so."""
    return Says()


@pytest.fixture
async def provider(there: Says | Callable[[Request], Says]) -> AsyncIterator[Provider]:
    async with serving(Provider(there)) as it:
        yield it

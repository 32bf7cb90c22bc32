"""Text messages through Apprise and SNS: what Apprise sends is signed, and a server checks it.

Nothing of Apprise is replaced. Only the network is: Amazon's name leads to a server here, whose certificate is trusted.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

pytest.importorskip("apprise", reason="the extra `apprise` is not installed")
from urllib3.util import connection

from activities.paging.apprise import ApprisePager
from model.effects import Errand
from tests.activities.paging.moto import ACCESS, HOST, REGION, SECRET, Moto, moto
from tests.activities.paging.orders import KEY, LINK, TEXT, activity_of, order, refused

pytestmark = [pytest.mark.heavy, pytest.mark.slow]
ANA, BEN = "+15550001234", "+15550005678"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def amazon(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with moto(tmp_path_factory.mktemp("moto"), authority) as it:
        yield it


@pytest.fixture
def there(amazon: Moto, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Moto:
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    monkeypatch.setenv("no_proxy", "*")

    def here(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
        assert address == (HOST, 443)
        return socket.create_connection(("127.0.0.1", amazon.port), timeout=5)

    monkeypatch.setattr(connection, "create_connection", here)
    return amazon


def pager(secret: str = SECRET) -> ApprisePager:
    return ApprisePager("sms", f"sns://{ACCESS}/{secret}/{REGION}/{{address}}")


async def test_every_page_is_exactly_one_text_message_with_its_words(there: Moto) -> None:
    before = len(there.messages())
    for address in (ANA, BEN):
        paging, errand = activity_of(pager(), order("sms", address))
        assert (await paging.page(Errand(key=f"{KEY}/{address}", order=errand.order))).ok
    new = there.messages()[before:]
    assert [number for number, _ in new] == [ANA, BEN]
    for _, text in new:
        assert text.startswith("SEV2 checkout-api eu-west error-rate 4%>1%")
        assert LINK in text
        assert len(text) <= 160


async def test_a_key_that_is_not_ours_sends_nothing_and_is_not_said(there: Moto) -> None:
    before = there.messages()
    wrong = "wrong" + SECRET[5:]
    failed = await refused(pager(wrong), order("sms", ANA), TEXT)
    assert "answered 403" in failed.reason
    assert not failed.again
    assert wrong not in failed.reason
    assert there.messages() == before

"""A table of customers comes from a file, or from an address that proves itself, and is not shown to anybody else."""

import base64
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from standardwebhooks.webhooks import Webhook

from activities import Failed
from activities.customers import table as tables
from activities.customers.table import FileTable, SignedTable
from activities.posting import Poster
from model.catalogue.catalog import Catalog
from model.text import Refused
from tests.activities.paging.provider import DROPS, HANGS, Provider, Request, Says, serving
from worker.customers import ASK_EVERY, Customers, check, table_of
from worker.files import EXAMPLE_CATALOG, load_catalog
from worker.settings import Settings

KEY, NEXT = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"a", b"b"))
TABLE = "customer,service,region,contact\nhooli,checkout-api,eu-west,ops@hooli.test\n"
WITHIN = timedelta(seconds=2)


def signs(text: str = TABLE, key: str = KEY, at: datetime | None = None) -> Callable[[Request], Says]:
    """Answer with a table, signed, to whoever shows a signature of ours."""

    def answer(request: Request) -> Says:
        if not any(_holds(known, request) for known in (KEY, NEXT)):
            return Says(401, "who are you?")
        when = at or datetime.now(UTC)
        headers = {
            "webhook-id": "their/1",
            "webhook-timestamp": str(int(when.timestamp())),
            "webhook-signature": Webhook(key).sign("their/1", when, text),
        }
        return Says(200, text, headers)

    return answer


def _holds(key: str, request: Request) -> bool:
    try:
        Webhook(key).verify("", request.headers, json_parse=False)
    except Exception:
        return False
    return True


@pytest.fixture
def there() -> Callable[[Request], Says]:
    return signs()


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog(EXAMPLE_CATALOG)


def asking(provider: Provider, *keys: str, within: timedelta = WITHIN) -> SignedTable:
    return SignedTable(f"{provider.url}/customers?secret=1", keys or (KEY,), Poster(within=within))


async def refusal(table: SignedTable | FileTable) -> Failed:
    with pytest.raises(Failed) as caught:
        await table.read()
    assert KEY not in caught.value.reason
    assert "secret=1" not in caught.value.reason
    return caught.value


async def test_an_address_is_asked_and_its_signed_answer_read(provider: Provider) -> None:
    assert await asking(provider).read() == TABLE
    [request] = provider.requests
    assert (request.method, request.path) == ("GET", "/customers?secret=1")


async def test_keys_change_without_a_pause(provider: Provider) -> None:
    provider.answer = signs(key=NEXT)
    assert await asking(provider, KEY, NEXT).read() == TABLE


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (signs(key=NEXT), "the signature of the answer does not hold"),
        (signs(at=datetime(2026, 3, 2, tzinfo=UTC)), "the signature of the answer does not hold"),
        (Says(200, TABLE), "the signature of the answer does not hold"),
        (Says(200, TABLE, {"webhook-id": "x", "webhook-timestamp": "soon", "webhook-signature": "?"}), "does not hold"),
        (Says(200, "<html>Please sign in</html>"), "the signature of the answer does not hold"),
        (Says(500, "oops"), "answered 500: oops"),
        (Says(302, "", {"location": "https://elsewhere.example"}), "redirects are not followed"),
        (HANGS, "gave no answer within"),
        (DROPS, "cannot be reached"),
    ],
)
async def test_what_is_not_theirs_is_not_used(provider: Provider, answer: Says, words: str) -> None:
    provider.answer = answer
    assert words in (await refusal(asking(provider, within=timedelta(milliseconds=500)))).reason


async def test_a_table_that_was_changed_on_the_way_is_not_used(provider: Provider) -> None:
    def changed(request: Request) -> Says:
        says = signs()(request)
        return Says(says.code, TABLE.replace("ops@hooli.test", "ops@elsewhere.test"), says.headers)

    provider.answer = changed
    assert "does not hold" in (await refusal(asking(provider))).reason


async def test_a_table_without_end_is_not_read_to_its_end(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGEST", 1000)
    provider.answer = signs(TABLE * 50)
    assert "is larger than" in (await refusal(SignedTable(provider.url, [KEY]))).reason


async def test_addresses_travel_encrypted_to_the_one_who_is_meant() -> None:
    with pytest.raises(Failed, match="needs https"):
        SignedTable("http://crm.example.test/customers", [KEY])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    async with serving(Provider(answer=signs()), tls) as stranger:
        assert "certificate is not trusted" in (await refusal(asking(stranger))).reason
        assert stranger.requests == []


@pytest.mark.parametrize("keys", [[], ["no key"], ["whsec_?"]])
def test_without_a_key_nobody_is_asked(keys: list[str]) -> None:
    with pytest.raises(Refused, match=r"^ALLCLEAR_CUSTOMERS_KEYS: "):
        SignedTable("https://crm.example.test", keys)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read: No such file or directory"), (b"\xff", "is not written in UTF-8")]
)
async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "customers.csv"
    if content is not None:
        path.write_bytes(content)
    failed = await refusal(FileTable(path))
    assert failed.reason == f"{path} {words}"


class Watched:
    """A table in a file, read as a worker does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "customers.csv"
        self.copy = folder / "data" / "customers.csv"
        self.said: list[str] = []
        self.customers = Customers(FileTable(self.path), self.copy, self.said.append)

    def again(self) -> Customers:
        """The worker after a new start."""
        return Customers(FileTable(self.path), self.copy, self.said.append)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_a_file_is_read_again_when_it_changes(watched: Watched, catalog: Catalog) -> None:
    watched.path.write_text(TABLE)
    assert watched.customers.due()
    first = await watched.customers.read(catalog)
    assert first.customers_of("checkout-api")[-1] == "hooli"
    assert not watched.customers.due()
    watched.path.write_text(f"{TABLE}initech,checkout-api,,ops@initech.test\n")
    os.utime(watched.path, (1, 1))
    assert watched.customers.due()
    second = await watched.customers.read(catalog)
    assert second.customers_of("checkout-api")[-2:] == ["hooli", "initech"]
    assert watched.said == []


async def test_a_changed_catalogue_keeps_the_customers(watched: Watched, catalog: Catalog) -> None:
    watched.path.write_text(TABLE)
    await watched.customers.read(catalog)
    other = load_catalog(EXAMPLE_CATALOG)
    assert "hooli" not in other.customers_of("checkout-api")
    assert "hooli" in watched.customers.join(other).customers_of("checkout-api")


async def test_rows_that_are_left_out_are_said(watched: Watched, catalog: Catalog) -> None:
    watched.path.write_text(TABLE + "x,nothing,,a@b.test\n" * 5)
    both = await watched.customers.read(catalog)
    assert "hooli" in both.customers_of("checkout-api")
    [said] = watched.said
    assert said.startswith(f"{watched.path}: rows are left out, their customers are not told: line 3, service: ")
    assert said.endswith("; 2 more")


@pytest.mark.parametrize("broken", ["", 'customer,service,contact\n"x', None])
async def test_a_table_that_cannot_be_used_changes_nothing(
    watched: Watched, catalog: Catalog, broken: str | None
) -> None:
    watched.path.write_text(TABLE)
    await watched.customers.read(catalog)
    watched.path.unlink()
    if broken is not None:
        watched.path.write_text(broken)
    for customers in (watched.customers, watched.again()):
        watched.said.clear()
        assert "hooli" in (await customers.read(catalog)).customers_of("checkout-api")
        [said] = watched.said
        assert said.startswith("THE CUSTOMERS WERE NOT TAKEN, those ")
        assert str(watched.path) in said


async def test_without_a_table_and_a_copy_it_is_said_aloud(watched: Watched, catalog: Catalog) -> None:
    assert await watched.customers.read(catalog) == catalog
    [said] = watched.said
    assert said.startswith("THERE ARE NO CUSTOMERS but the catalogue's own, and no copy of them: ")


async def test_the_copy_is_for_our_eyes_only(watched: Watched, catalog: Catalog) -> None:
    watched.path.write_text(TABLE)
    await watched.customers.read(catalog)
    assert watched.copy.read_text() == TABLE
    assert watched.copy.stat().st_mode & 0o077 == 0
    assert [path.name for path in watched.copy.parent.iterdir()] == ["customers.csv"]


async def test_a_disk_that_takes_no_copy_is_said_and_the_customers_are_there(
    watched: Watched, catalog: Catalog
) -> None:
    watched.path.write_text(TABLE)
    watched.copy.parent.write_text("no folder")
    both = await watched.customers.read(catalog)
    assert "hooli" in both.customers_of("checkout-api")
    assert watched.said[0].startswith("no copy of the customers could be kept")


async def test_an_address_is_asked_again_after_a_while(
    provider: Provider, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = Customers(asking(provider), tmp_path / "copy.csv")
    assert customers.due()
    assert "hooli" in (await customers.read(catalog)).customers_of("checkout-api")
    assert not customers.due()
    customers._asked_at -= ASK_EVERY + 1
    assert customers.due()


async def test_the_settings_say_where_it_is(tmp_path: Path, catalog: Catalog, provider: Provider) -> None:
    assert table_of(Settings()) is None
    assert "set ALLCLEAR_CUSTOMERS" in await check(Settings(), catalog)
    path = tmp_path / "customers.csv"
    path.write_text(TABLE)
    assert await check(Settings(customers=str(path)), catalog) == f"{path} has 1 customers"
    path.write_text(f"{TABLE}x,nothing,,a@b.test\n")
    with pytest.raises(Refused, match="line 3, service"):
        await check(Settings(customers=str(path)), catalog)
    (tmp_path / "customers").write_text(f"{KEY}\n{NEXT}\n")
    signed = Settings(customers=provider.url, keys_folder=tmp_path)
    assert signed.customer_keys() == [KEY, NEXT]
    assert await check(signed, catalog) == "localhost has 1 customers"
    with pytest.raises(Refused, match=r"ALLCLEAR_CUSTOMERS: .*needs https"):
        table_of(Settings(customers="http://crm.example.test", keys_folder=tmp_path))


async def test_no_customers_are_asked_for_where_none_are_configured(catalog: Catalog, tmp_path: Path) -> None:
    customers = Customers(None, tmp_path / "copy.csv")
    assert not customers.due()
    assert await customers.read(catalog) is catalog

    assert list(tmp_path.iterdir()) == []

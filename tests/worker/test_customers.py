"""The table of customers is in force with the catalogue, and follows both while a worker runs."""

import asyncio
from pathlib import Path
from typing import Any

from link import catalog as live
from tests.worker.processes import eventually
from worker.catalogue import catalog_file, counted
from worker.files import EXAMPLE_CATALOG
from worker.settings import Settings

TABLE = "customer,service,region,contact\nhooli,checkout-api,eu-west,ops@hooli.test\n"


async def test_customers_follow_their_table_and_stay_when_the_catalogue_changes(tmp_path: Path) -> None:
    catalog, table = tmp_path / "catalog.yaml", tmp_path / "customers.csv"
    catalog.write_text(EXAMPLE_CATALOG.read_text())
    table.write_text(TABLE)
    said: list[str] = []
    settings = Settings(data=tmp_path / "data", catalog=catalog, customers=str(table))
    file = catalog_file(settings, said.append)
    file.load()
    await file.read_beside()
    assert "hooli" in known()
    found = live.live()
    assert found is not None
    assert counted(found).endswith(", 1 customers in a table")
    client: Any = None
    watching = asyncio.create_task(file.watch(client))
    try:
        table.write_text(f"{TABLE}initech,checkout-api,,ops@initech.test\n")
        await eventually(has("initech"), "the changed table is in force")
        catalog.write_text(EXAMPLE_CATALOG.read_text().replace("organisation:", "organisation: Another # "))
        await eventually(taken(said), "the changed catalogue is in force")
        assert {"hooli", "initech"} <= set(known())
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def known() -> list[str]:
    catalog = live.live()
    return catalog.customers_of("checkout-api") if catalog else []


def taken(said: list[str]) -> Any:
    async def look() -> bool:
        return any("is in force as it is now" in line for line in said)

    return look


def has(customer: str) -> Any:
    async def look() -> bool:
        return customer in known()

    return look

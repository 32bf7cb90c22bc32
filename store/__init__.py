"""The record: what is kept for ever, once Temporal has forgotten it (design §6.9).

`store.migrate` is apart: it brings Alembic with it, which only `up` and `migrate` need.
"""

from store.engine import Store, open_store
from store.errors import StoreError
from store.facts import LightCloses, MatterSummary, OutboxItem, Shown, Summary, is_incident

__all__ = [
    "LightCloses",
    "MatterSummary",
    "OutboxItem",
    "Shown",
    "Store",
    "StoreError",
    "Summary",
    "is_incident",
    "open_store",
]

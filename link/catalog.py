"""The worker's live catalogue and policy. Workflow code looks at them only in validators, which are not replayed."""

from model.catalogue.catalog import Catalog
from model.policy import Policy

_live: list[tuple[Catalog, Policy]] = []


def use(catalog: Catalog, policy: Policy) -> None:
    """Make these the live ones of this process."""
    _live[:] = [(catalog, policy)]


def live() -> Catalog | None:
    """Return the live catalogue, or None where none is loaded (a replayer)."""
    return _live[0][0] if _live else None


def policy() -> Policy:
    """Return the policy in force for new incidents."""
    return _live[0][1] if _live else Policy()

"""Documents that a command writes: the rooms above reach connectors only through here."""

from collections.abc import Sequence

from activities.documents.coe import coe_html
from model.coe.file import CoeFile, Finding


def coe_page(file: CoeFile, findings: Sequence[Finding]) -> str:
    """Return a COE as one HTML page that needs nothing else."""
    return coe_html(file, findings)

"""Words from facts: a template per kind and audience, so that nobody has to find words at night.

Templates for customers see `ExternalFacts` only and lie in a folder of their own.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from temporalio import activity

from activities.comms import COMPOSE
from model.coordinate.wording import UNNAMED, ExternalFacts, InternalFacts, clock, listed
from model.effects import Compose, Errand, Outcome
from model.text import clean


class Composing:
    """Composes: quick, and asks nobody."""

    @activity.defn(name=COMPOSE)
    async def compose(self, errand: Errand[Compose]) -> Outcome:
        """Return the text for the facts."""
        return Outcome(text=render(errand.order.facts))


def render(facts: ExternalFacts | InternalFacts) -> str:
    """Return the words for an audience."""
    template = _TEMPLATES.get_template(f"{facts.audience}/{facts.kind}.j2")
    text = template.render(it=facts, day=facts.at)
    return _tidy(text)


def _tidy(text: str) -> str:
    """Return a text without what a template's conditions leave behind: trailing blanks, blank lines in a row."""
    lines = [" ".join(line.split()) for line in clean(text).split("\n")]
    kept = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
    return "\n".join(kept).strip()


def _named(services: Sequence[str]) -> str:
    """Return services as customers know them; one without a name stays one of ours."""
    names = [name for name in services if name]
    return listed(names) if names else UNNAMED


def _opening(text: str) -> str:
    """Return a text as a sentence begins."""
    return text[:1].upper() + text[1:]


def _in(regions: Sequence[str]) -> str:
    return f" in {listed(list(regions))}" if regions else ""


def _cut(lines: Sequence[str], most: int = 500) -> list[str]:
    """Return lines that are one line each, and no longer than anybody reads."""
    flat = [" ".join(line.split()) for line in lines]
    return [line if len(line) <= most else f"{line[: most - 1]}…" for line in flat]


def _at(moment: datetime | None, day: datetime) -> str:
    return clock(moment, day) if moment else ""


def _templates() -> Environment:
    # No autoescape: these are plain text. A connector that shows HTML escapes.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"named": _named, "opening": _opening, "in": _in, "clock": _at, "lines": _cut})
    return environment


_TEMPLATES: Final = _templates()

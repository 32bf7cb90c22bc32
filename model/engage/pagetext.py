"""The words of a page: at most 160 characters, the most needed first (design §3)."""

from collections.abc import Sequence

from model.coordinate import calls
from model.effects import Page
from model.matter import unique
from model.text import cut, one_line
from model.times import ago

LONGEST = 160
"""Characters: one text message."""


def page_text(page: Page, link: str, mark: str = "") -> str:
    """Return a page's text; `mark` begins it, where it is only played.

    In this order: severity, service, region, what, for how long, whether customers are hit, the link to
    acknowledge, the call, the phone. When it is too long, the call goes first, then what is wrong is cut; the link
    never is. The call is reached through the page, which counts who joins; its own link only where there is no page.
    """
    hit = {True: "yes", False: "no", None: "unknown"}[page.customers_hit]
    age = ago(page.at - page.opened_at)
    test = "TEST " if page.test else mark
    ack = f"Ack: {link}" if link else f"Ack: allclear ack {page.incident}"
    where = call_link(page, link)
    call = f"call: {where}" if where else ""
    phone = f"else phone {page.call_phone}" if page.call_phone else ""
    named = one_line(f"{page.service} {page.region} {page.what}")

    def text(subject: str, *tail: str) -> str:
        return f"{test}SEV{page.severity} {subject} {age}, customers hit? {hit}. " + " · ".join(t for t in tail if t)

    for tail in ((ack, call, phone), (ack, phone), (ack,)):
        whole = text(named, *tail)
        if len(whole) <= LONGEST:
            return whole
    room = LONGEST - len(text("", ack))
    return text(_cut(named, max(room, 8)), ack)


def call_link(page: Page, link: str) -> str:
    """Return the way to the call: the page with the call's button on top; without a page, the call's own link.

    Returns:
        Nothing where there is no call, or its link may not be written down.
    """
    if not page.tech_call:
        return ""
    return f"{link}&call=1" if link else calls.sayable(calls.link(page.tech_call, page.incident, calls.TECH))


def bundle_text(pages: Sequence[Page], link: str) -> str:
    """Return the text of several pages to one person: how many, the worst severity, which services, one link."""
    worst = min(page.severity for page in pages)
    test = "TEST " if all(page.test for page in pages) else ""
    services = ", ".join(unique(one_line(page.service) for page in pages if page.service))
    first = min(pages, key=lambda page: page.severity).incident
    ack = f"All: {link}" if link else f"First: allclear ack {first}"
    head = f"{test}SEV{worst} {len(pages)} more: "
    room = LONGEST - len(f"{head}. {ack}")
    return f"{head}{_cut(services, max(room, 8))}. {ack}"


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else cut(text[: characters - 1], 4096) + "…"

"""The words by which a COE's check recognises what a text speaks of. English; a miss costs an advice, never more."""

import re
from typing import Final

CUSTOMERS: Final = re.compile(
    r"\b(?:customers?|users?|clients?|callers?|visitors?|readers?|shoppers?|subscribers?|merchants?|patients?|buyers?"
    r"|guests?|members?|passengers?|viewers?|players?|people (?:who|saw|could|got|were))\b",
    re.IGNORECASE,
)
"""Who is hit, as narratives call them."""
TIME: Final = re.compile(r"\b(?:[01]?\d|2[0-3])[:.h][0-5]\d\b")
"""A time of day."""
NUMBER: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|thousand|million|half"
    r"|third|quarter|twice|thrice|every|all|none|no|single|both|dozen)\b",
    re.IGNORECASE,
)
"""Data in a question: a figure, or a word that is one."""


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{text})", re.IGNORECASE)


MILESTONES: Final[dict[str, re.Pattern[str]]] = {
    "when it began": _words(r"beg[aiu]n|start|since|first|from \d|at \d|deployed|ran\b|trigger"),
    "when it was detected": _words(r"detect|notice|alarm|alert|found|saw|report|aware|discover"),
    "who was engaged when": _words(r"paged|paging|first page\b|engag|acknowledg|joined|on[- ]call|woke|called in"),
    "when it was mitigated": _words(r"mitigat|roll(?:ed|ing)? back|restor|recover|resol|fixed|shifted|terminat|ended"),
}
"""R2: the key milestones, each with the words that tell it."""

PROMPTS: Final[dict[str, re.Pattern[str]]] = {
    "what triggered it": _words(
        r"trigger|caus|start|beg[aiu]n|set off|introduc|deploy|chang|fail|br[eo]ak|broke|crash|error|delet|remov"
        r"|unavailable|went wrong|go down|went down|stop|return|refus|los[et]|answer|exhaust"
    ),
    "what should have caught it": _words(
        r"catch|caught|detect|notice|alarm|alert|health.?check|test|review|canar|monitor|prevent|guard|safeguard"
        r"|validat|block|protect|let through|get through|reach|nobody (?:saw|knew)|see it|seen|warn|discover|accept"
    ),
    "why so long": _words(
        r"long|late\b|later|slow|delay|wait|t[ao]ke|took|until|last(?:ed|s)?\b|before (?:somebody|anybody|we|the)"
        r"|why (?:was it |only |after )?\d+ ?(?:s|sec|min|h|d|hours?|minutes?|days?)\b|\d+ ?(?:min|minutes|h|hours) to"
        r"|duration|quick|faster|hours? (?:for|of)|minutes? (?:for|of)"
    ),
    "why so much": _words(
        r"so much|so many|how many|how much|all\b|every|whole|entire|spread|more than|wide|beyond|global|worldwide"
        r"|region|add up|disproportion|only|as many|everybody|both|at once|why \d+ ?(?:%|percent|of)|blast|times as"
        r"|\d ?% .*\d ?%"
    ),
}
"""R3: the four prompts, each with the words by which a question asks it (`docs/coe.md` lists them)."""

DETECTING: Final = _words(
    r"detect|alarm|alert|page|paging|monitor|metric|canar|notice|dashboard|threshold|on[- ]call|respon|engag|observ"
    r"|health.?check|escalat|report"
)
"""R5: what an action is about that may answer a "no" on detection."""

_PERSON: Final = (
    r"engineers?|operators?|developers?|administrators?|admins?|somebody|someone|colleagues?|employees?|interns?"
    r"|on[- ]calls?|contractors?|he|she|they|people|humans?"
)
_MISDEED: Final = (
    r"forgot|neglected|ignored|overlooked|misread|misunderstood|mistyped|messed up|screwed up|blundered|panicked"
    r"|did(?:n't| not) (?:bother|care|follow|pay attention|check)|was (?:careless|negligent|sloppy|lazy|incompetent)"
    r"|were (?:careless|negligent|sloppy|lazy)|should have (?:known|been|checked|noticed|asked)"
    r"|made (?:a|an|the)(?: \w+)? (?:mistake|error)|is to blame|are to blame|was at fault"
)
_FAILED: Final = r"failed to|broke|caused|is responsible|was responsible|took down|destroyed"
_SOMEBODY: Final = re.compile(
    r"(?:human|operator|user|manual|administrator) (?:error|mistake|failure)|carelessness|negligence"
    rf"|lack of (?:care|attention)|fat.?finger|\btypo\b|\b(?:{_PERSON}) (?:\w+ )?(?:{_MISDEED}|{_FAILED})",
    re.IGNORECASE,
)
_SUPPLIER: Final = re.compile(
    r"\b(?:suppliers?|vendors?|providers?|third.part(?:y|ies)|upstreams?|dependenc(?:y|ies)|partners?|carriers?|isps?"
    r"|data ?cent(?:er|re)s?|cloud|aws|azure|gcp|google|cloudflare|network|hardware|power|zone)"
    r"(?:'s|’s)?(?: [\w-]+){0,3}? "
    r"(?:fail(?:s|ed|ure)?|outage|went down|was down|were down|was unavailable|had (?:an?|some) \w+|broke|lost power"
    r"|died|incident|disruption)\b",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(rf"\b(?:[A-Z][a-z]+|{_PERSON}) (?:\w+ )?(?:{_MISDEED})")
_COMMON_TEXT: Final = """
about after again also another because been before being between both could does done down during each else even ever
every fast first from have here into just keep last less like long made make many more most much must need never next
nobody only other over same shall should since some somebody still such take than that their them then there these they
thing this those through time took under until upon used very what when where which while whom will with within without
would your minutes minute hours hour second seconds days weeks fill
"""
_COMMON: Final = frozenset(_COMMON_TEXT.split())


def blames_somebody(text: str) -> bool:
    """Tell whether a finding names a person as the cause: "human error"."""
    return _SOMEBODY.search(text) is not None


def blames_supplier(text: str) -> bool:
    """Tell whether a finding ends with somebody else's failure: "the supplier failed"."""
    return _SUPPLIER.search(text) is not None


def blames(text: str, people: set[str]) -> str:
    """Return the words that blame somebody, or nothing.

    Args:
        text: One line.
        people: Who is named in the file; beyond them a capitalised name counts, with verbs only people have.
    """
    found = _NAMED.search(text)
    if found:
        return found[0]
    for person in people:
        if person.casefold() in text.casefold():
            pattern = rf"\b{re.escape(person)} (?:\w+ )?(?:{_MISDEED}|{_FAILED})"
            if found := re.search(pattern, text, re.IGNORECASE):
                return found[0]
    return ""


def common_words(one: str, other: str) -> set[str]:
    """Return the words two texts share that carry meaning, by their first five letters."""
    return _stems(one) & _stems(other)


def _stems(text: str) -> set[str]:
    words = re.findall(r"[^\W\d_]{4,}", text.casefold())
    return {word[:5] for word in words if word not in _COMMON}

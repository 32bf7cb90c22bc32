"""Figures in a tree of whys that do not add up (R3): 1 % of capacity lost, 3 % of errors seen."""

import re
from collections.abc import Iterator
from typing import Final

from model.coe.file import CoeFile, Why

TOLD: Final = 3
"""Pairs told; more of them says nothing new."""

_PERCENT: Final = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.,]\d{1,4})?) ?(?:%|percent\b|per cent\b)")
_WORDS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10}
_PART: Final = re.compile(
    rf"(?<![\w.,])(\d{{1,6}}|{'|'.join(_WORDS)}) (?:out of|of|in) (?:the |our |a )?(\d{{1,6}}|hundred|thousand)"
    r" (?:hosts?|servers?|nodes?|instances?|machines?|pods?|shards?|partitions?|cells?|replicas?|disks?|volumes?)\b",
    re.IGNORECASE,
)
_TOTALS: Final = {"hundred": 100, "thousand": 1000}
_COMPARES: Final = re.compile(
    r"add(?:s|ed)? up|more than|less than|as many|as much|disproportion|mismatch|differ|only|instead of|rather than",
    re.IGNORECASE,
)
_WHOLE: Final = (0.0, 100.0)


def shares(text: str) -> dict[float, str]:
    """Return the shares a text gives, in percent, each with its words; "1 of 100 hosts" is 1 %."""
    found = {round(float(match[1].replace(",", ".")), 3): match[0] for match in _PERCENT.finditer(text)}
    for match in _PART.finditer(text):
        part = _WORDS.get(match[1].lower()) or int(match[1])
        total = _TOTALS.get(match[2].lower()) or int(match[2])
        if 0 < part < total:
            found.setdefault(round(100 * part / total, 3), match[0])
    return {share: words for share, words in found.items() if share not in _WHOLE and share <= 100}


def unasked(file: CoeFile) -> list[tuple[int, str, str]]:
    """Return pairs of shares that differ along a path and that no question compares.

    Returns:
        The line of the second share, and the words of both.
    """
    asked = [(set(shares(why.text)), why.text) for why in file.all_whys() if why.kind == "question"]
    pairs: dict[tuple[float, float], tuple[int, str, str]] = {}
    for path in _paths(file.whys, []):
        for line, one, one_words, other, other_words in _steps(path):
            if not any(_compares(one, other, known, text) for known, text in asked):
                pairs.setdefault((one, other), (line, one_words, other_words))
    return list(pairs.values())[:TOLD]


def _paths(whys: list[Why], above: list[Why]) -> Iterator[list[Why]]:
    """Yield each node with shares of its own, with the nodes above it that have some."""
    for why in whys:
        path = [*above, why] if shares(why.text) else above
        if path is not above:
            yield path
        yield from _paths(why.children, path)


def _steps(path: list[Why]) -> Iterator[tuple[int, float, str, float, str]]:
    """Yield a finding's shares against the nearest ones above it, where they differ; a question asks by itself."""
    if len(path) < 2 or path[-1].kind == "question":
        return
    above, here = shares(path[-2].text), shares(path[-1].text)
    if set(above) & set(here):
        return
    for one, one_words in list(above.items())[:1]:
        for other, other_words in list(here.items())[:1]:
            yield path[-1].line, one, one_words, other, other_words


def _compares(one: float, other: float, known: set[float], text: str) -> bool:
    return {one, other} <= known or bool(known & {one, other} and _COMPARES.search(text))

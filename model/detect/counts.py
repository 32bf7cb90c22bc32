"""Many small numbers as short text: a state is handed on whole, and four weeks of hours are 672 numbers."""

from itertools import groupby
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

TIMES = "*"


def written(numbers: list[float]) -> str:
    """Write numbers as `0*30 4 0 2.5`: what repeats is said once."""
    runs = (
        (f"{number:g}" if number == int(number) else repr(number), len(list(run))) for number, run in groupby(numbers)
    )
    return " ".join(text if times == 1 else f"{text}{TIMES}{times}" for text, times in runs)


def read(text: object) -> object:
    """Read what `written` wrote; anything else is left to be refused."""
    if not isinstance(text, str):
        return text
    numbers: list[float] = []
    for word in text.split():
        number, _, times = word.partition(TIMES)
        numbers += [float(number)] * int(times or 1)
    return numbers


Counts = Annotated[list[float], BeforeValidator(read), PlainSerializer(written, return_type=str, when_used="json")]

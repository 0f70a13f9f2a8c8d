"""What a value of an answer may be, and what it is kept as."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from weixin_etl.datasets import Kind
from weixin_etl.text import storable

BIGINT_MAX = 2**63 - 1
SMALLINT_MAX = 2**15 - 1
LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
DEEPEST = 100
"""Objects and lists in one another, in an answer."""
Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MSGID)]
Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
TYPES: dict[Kind, Any] = {
    Kind.COUNT: Count,
    Kind.RATE: Any,  # as a Decimal, msgspec would take texts too
    Kind.LIST: list[Any] | None,
}
"""What a metric's value is decoded as."""
_RATE_MAX = 10**15
_IN_TEXTS = {
    Kind.COUNT: re.compile("[0-9]{1,19}"),
    Kind.RATE: re.compile("[0-9]{1,15}([.][0-9]{1,30})?"),
}
"""As long as a figure can be: how a number in a text is written."""
_NAMES = {
    type(None): "missing",
    bool: "a boolean",
    str: "a text",
    list: "a list",
    dict: "an object",
}
_MOST_DIGITS = 100
_DEPTH_OF_VALUES = 5
_CONTAINERS = (list, dict)


def as_number(kind: Kind, value: Any) -> Any:
    """
    The number in a text, where the metric is one: digits, of a rate with a decimal point.

    A count as in 3.0 is a whole number. Anything else is as it is.
    """
    if isinstance(value, str) and (pattern := _IN_TEXTS.get(kind)) and pattern.fullmatch(value):
        value = Decimal(value)
    is_count = kind is Kind.COUNT and isinstance(value, Decimal) and abs(value) <= BIGINT_MAX
    return int(value) if is_count and value == int(value) else value


def what_it_is(value: Any) -> str:
    """What kind of value it is, in words that quote nothing of it."""
    name = _NAMES.get(type(value), "a number")
    return "a negative number" if name == "a number" and value < 0 else name


def is_storable(value: Any, depth: int = 0) -> bool:
    """Whether Postgres holds it as it is: a text that it can hold, a number of less than a page."""
    level = [value]
    while level:
        deeper: list[Any] = []
        for element in level:
            fits = True
            if isinstance(element, str):
                fits = storable(element) == element
            elif isinstance(element, _CONTAINERS):
                fits = depth < DEEPEST
                deeper += element
                if isinstance(element, dict):
                    deeper += element.values()
            elif isinstance(element, float):  # beyond what Decimal holds
                fits = False
            elif isinstance(element, Decimal):
                fits = _is_short(element)
            if not fits:
                return False
        level = deeper
        depth += 1
    return True


def _is_short(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and max(-exponent, number.adjusted()) < _MOST_DIGITS


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= BIGINT_MAX


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return is_storable(value) and 0 <= value < _RATE_MAX


def _is_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and is_storable(value, _DEPTH_OF_VALUES))


FITS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    Kind.COUNT: (_is_count, f"a whole number from 0 to {BIGINT_MAX}"),
    Kind.RATE: (_is_rate, f"a number from 0 to {_RATE_MAX}"),
    Kind.LIST: (_is_list, "a list"),
}
"""Whether a decoded value is one of the kind, and what it has to be."""

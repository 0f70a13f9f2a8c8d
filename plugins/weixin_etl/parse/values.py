"""What a value of an answer may be, and what it is kept as."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from weixin_etl.datasets import Kind
from weixin_etl.json_text import clean

BIGINT_MAX, SMALLINT_MAX = 2**63 - 1, 2**15 - 1
LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
ITEM_DEPTH, ROW_DEPTH = 2, 4
"""How many objects and lists of its answer an item is in, and a row."""
_RATE_MAX = 10**15
Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MSGID, pattern="^[^\0]*$")]
Text = Annotated[str, msgspec.Meta(pattern="^[^\0]*$")] | None
Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
TYPES: dict[Kind, Any] = {
    Kind.COUNT: Count,
    Kind.RATE: Any,  # as a Decimal, msgspec would take texts too
    Kind.LIST: list[Any] | None,
}
"""What a metric's value is decoded as."""
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


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= BIGINT_MAX


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return is_number and 0 <= value < _RATE_MAX and bool(clean(value) == value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | None) and bool(clean(value, ROW_DEPTH + 1) == value)


FITS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    Kind.COUNT: (_is_count, f"a whole number from 0 to {BIGINT_MAX}"),
    Kind.RATE: (_is_rate, f"a number from 0 to {_RATE_MAX}"),
    Kind.LIST: (_is_list, "a list"),
}
"""Whether a decoded value is one of the kind, and what it has to be."""

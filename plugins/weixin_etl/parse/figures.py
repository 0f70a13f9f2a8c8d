"""What a figure may be: the type it is decoded as, its range, and what Postgres can hold."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from weixin_etl.datasets import Kind

BIGINT_MAX = 2**63 - 1
SMALLINT_MAX = 2**15 - 1
DEEPEST = 100
"""Objects and lists in one another, in an answer."""
Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
TYPES: dict[Kind, Any] = {
    Kind.COUNT: Count,
    Kind.RATE: Any,  # as a Decimal, msgspec would take texts too
    Kind.LIST: list[Any] | None,
}
_RATE_MAX = 10**15
_MOST_DIGITS = 100
_DEPTH_OF_FIGURES = 5


def as_int(value: Any) -> Any:
    """The whole number a decimal is, as in 3.0; anything else as it is."""
    is_whole = isinstance(value, Decimal) and abs(value) <= BIGINT_MAX and value == int(value)
    return int(value) if is_whole else value


def is_storable(value: Any, depth: int = 0) -> bool:
    """Whether Postgres holds it as it is: no U+0000, no number that takes a page to write."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, list | dict):
        elements = value if isinstance(value, list) else (*value, *value.values())
        return depth < DEEPEST and all(is_storable(element, depth + 1) for element in elements)
    if not isinstance(value, Decimal):
        return True
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and max(-exponent, value.adjusted()) < _MOST_DIGITS


def _is_count(value: Any) -> bool:
    whole = as_int(value)
    return value is None or (type(whole) is int and 0 <= whole <= BIGINT_MAX)


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return is_storable(Decimal(value)) and 0 <= value < _RATE_MAX


def _is_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and is_storable(value, _DEPTH_OF_FIGURES))


FITS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    Kind.COUNT: (_is_count, f"a whole number from 0 to {BIGINT_MAX}"),
    Kind.RATE: (_is_rate, f"a number from 0 to {_RATE_MAX}"),
    Kind.LIST: (_is_list, "a list"),
}
"""Whether a decoded value is a figure of the kind, and what it has to be."""

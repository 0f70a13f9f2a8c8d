"""What the values of an answer may be, and the types that hold them."""

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import msgspec

from weixin_etl.datasets import Dataset, Kind
from weixin_etl.json_text import clean

BIGINT_MAX, SMALLINT_MAX = 2**63 - 1, 2**15 - 1
_RATE_END = 10**15
LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MSGID, pattern="^[^\0]*$")]
Text = Annotated[str, msgspec.Meta(pattern="^[^\0]*$")] | None
Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
ATTRIBUTES = {"title": Text, "url": Text, "content_url": Text, "publish_type": SmallCount}
"""What an answer says of an article, and its type; what is of another type is in `extra`."""
UNDOCUMENTED = "user_source"
"""Many answers give it of an article: it is in `extra`, and such an answer is as documented."""
A_MSGID = f"a text of 1 to {LONGEST_MSGID} characters"
WHAT = {
    Kind.COUNT: f"a whole number from 0 to {BIGINT_MAX}",
    Kind.RATE: f"a number from 0 to {_RATE_END}",
    Kind.LIST: "a list",
}
"""What a metric's value has to be."""
_IN_TEXTS = re.compile("[0-9]{1,19}([.][0-9]{1,30})?")
"""How a number in a text is written, as long as a figure can be."""
_WORD = {type(None): "missing", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Figures of one article and one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[Row]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    checked = [metric for metric in dataset.metrics if metric.kind is not Kind.COUNT]

    def check(row: Row) -> None:
        if not all(fits(metric.kind, getattr(row, metric.name)) for metric in checked):
            raise ValueError

    row: type[Row] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(it.name, Any if it in checked else Count, None) for it in dataset.metrics],
        bases=(Row,),
        namespace={"__post_init__": check} if checked else {},
        kw_only=True,
    )
    return row


def fits(kind: Kind, value: Any) -> bool:
    """Whether a decoded value is null, or one of the kind that Postgres can hold as it is."""
    if value is None:
        return True
    if kind is Kind.COUNT:
        return type(value) is int and 0 <= value <= BIGINT_MAX
    is_number = type(value) in (int, Decimal) and 0 <= value < _RATE_END
    is_one = isinstance(value, list) if kind is Kind.LIST else is_number
    return is_one and bool(clean(value) == value)


def as_number(kind: Kind, value: Any) -> Any:
    """The number of a metric in a text, a count as in 3.0 as 3, and anything else as it is."""
    if isinstance(value, str) and kind is not Kind.LIST and _IN_TEXTS.fullmatch(value):
        value = Decimal(value)
    is_count = kind is Kind.COUNT and isinstance(value, Decimal) and abs(value) <= BIGINT_MAX
    return int(value) if is_count and value == int(value) else value


def misfit(name: str, value: Any, what: str) -> str:
    """Why a value is rejected: `share_user is a text, not …`."""
    return f"{name} is {what_it_is(value)}, not {what}"


def what_it_is(value: Any) -> str:
    """What kind of value it is, in words that quote nothing of it."""
    name = _WORD.get(type(value), "a number")
    return "a negative number" if name == "a number" and value < 0 else name

"""
JSON as WeChat writes it, and its values as Postgres can hold them.

It is UTF-8 whatever the header says, and strings hold raw control characters.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from weixin_etl.text import storable

_LONGEST_NUMBER = 4300
"""Characters of a whole number that msgspec decodes: both decoders are to say the same."""
_DEEPEST = _MOST_DIGITS = 100


def decode(body: bytes) -> Any:
    """
    The value the bytes stand for, decimal numbers to the digit.

    A byte order mark is skipped. A byte that is not UTF-8 becomes U+FFFD; a number beyond what
    Decimal holds is a float.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = str(body, "utf-8-sig", errors="replace")
        return json.loads(text, strict=False, parse_int=_whole, parse_float=_decimal)


def encode(value: Any) -> str:
    """JSON text of a decoded value, decimal numbers to the digit."""
    return _encoder.encode(value).decode()


def clean(value: Any, depth: int = 0) -> Any:
    """
    A decoded value as Postgres can hold it.

    Texts lose U+0000 and lone surrogates; NaN, Infinity and numbers of a page become texts.

    Raises:
        RecursionError: it is nested more than a hundred levels deep.
    """
    if value is None or type(value) is int:
        return value
    if depth == _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isprintable() else storable(value)
    if isinstance(value, list):
        return [clean(element, depth + 1) for element in value]
    if isinstance(value, dict):  # a cleaned key never replaces one that has this name already
        return {
            cleaned: clean(element, depth + 1)
            for name, element in value.items()
            if (cleaned := clean(name)) == name or cleaned not in value
        }
    if isinstance(value, Decimal):
        is_short = max(abs(value.adjusted()), len(str(value))) <= _MOST_DIGITS
        return value if is_short else str(value)
    return str(value) if isinstance(value, float) else value


def _decimal(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:
        return float(text)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else Decimal(digits)


_decoder = msgspec.json.Decoder(float_hook=_decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

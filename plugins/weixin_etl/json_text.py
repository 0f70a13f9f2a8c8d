"""WeChat's JSON, UTF-8 with raw control characters, and its values as Postgres can hold them."""

import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from weixin_etl.text import storable

_DEEPEST = _MOST_DIGITS = 100


def decode(body: bytes) -> Any:
    """
    The value the bytes stand for, decimal numbers to the digit; a float beyond what Decimal holds.

    A byte order mark is skipped, and a byte that is not UTF-8 becomes U+FFFD.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
        text = str(body, "utf-8-sig", errors="replace")
        return json.loads(text, strict=False, parse_int=_number, parse_float=_number)


def encode(value: Any) -> str:
    """JSON text of a decoded value, decimal numbers to the digit."""
    return _encoder.encode(value).decode()


def clean(value: Any, depth: int = 0) -> Any:
    """
    A decoded value as Postgres can hold it; a RecursionError beyond a hundred levels.

    Texts lose U+0000 and lone surrogates; NaN, Infinity and numbers of a page become texts.
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


def _number(text: str) -> int | Decimal | float:
    for kind in (int, Decimal):  # the former takes as many digits as msgspec
        with suppress(ValueError, InvalidOperation):
            return kind(text)
    return float(text)


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

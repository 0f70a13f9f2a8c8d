"""
Functions that read and write WeChat's JSON.

WeChat sends UTF-8 with raw control characters. The values are decoded without loss of digits and
cleaned of what Postgres can't store.
"""

import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from weixin_etl.text import storable

_DEEPEST = _MOST_DIGITS = 100


def decode(body: bytes) -> Any:
    """
    Return the value of a JSON text.

    A number with a fraction or an exponent becomes a Decimal with all digits, any other an int. A
    number that neither can hold becomes a Decimal or a float. A byte order mark is skipped, a byte
    that is not UTF-8 becomes U+FFFD, and raw control characters in texts are accepted. Of a key
    that is repeated in an object, the last value counts.

    Raises:
        ValueError: the bytes are not JSON.
        RecursionError: the value is nested too deeply.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
        text = str(body, "utf-8-sig", errors="replace")
        return json.loads(text, strict=False, parse_int=_number, parse_float=_number)


def encode(value: Any) -> str:
    """
    Return the compact JSON text of a value that `decode` returned. Decimals keep all digits.

    NaN and infinite floats become null. Raise UnicodeEncodeError for a lone surrogate: `clean`
    removes it.
    """
    return _encoder.encode(value).decode()


def clean(value: Any, depth: int = 0) -> Any:
    """
    Return a decoded value in a form that Postgres can store.

    Texts and keys lose U+0000, and their lone surrogates become U+FFFD. Floats and decimal numbers
    of more than 100 digits become texts; ints, booleans and None stay. If a cleaned key is also
    another key of the object, the entry is left out. The value itself is not changed.

    Args:
        value: what `decode` returned.
        depth: the number of levels above the value.

    Raises:
        RecursionError: a value lies below 100 levels.
    """
    if value is None or type(value) is int:
        return value
    if depth == _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isprintable() else storable(value)
    if isinstance(value, list):
        return [clean(element, depth + 1) for element in value]
    if isinstance(value, dict):  # a cleaned key never replaces a key that had the name before
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
    """Return a JSON number as an int, else as a Decimal, or a float if neither can hold it."""
    for kind in (int, Decimal):  # Python limits the digits of an int as msgspec does
        with suppress(ValueError, InvalidOperation):
            return kind(text)
    return float(text)


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

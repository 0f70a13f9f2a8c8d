"""JSON as WeChat writes it: UTF-8 whatever the header says, raw control characters in strings."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

_LONGEST_NUMBER = 4300
"""Characters of a whole number that msgspec decodes: both decoders are to say the same."""
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes) -> Any:
    """
    The value the bytes stand for, decimal numbers to the digit.

    A byte order mark is skipped. A byte that is not UTF-8 becomes U+FFFD; a number beyond what
    Decimal holds is a float whose `str()` is what was written.

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


class _Beyond(float):
    """A number with an exponent that Decimal does not hold, as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _decimal(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _Beyond(text)


_decoder = msgspec.json.Decoder(float_hook=_decimal)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else Decimal(digits)

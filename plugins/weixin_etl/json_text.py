"""JSON as WeChat writes it: UTF-8 whatever the header says, raw control characters in strings."""

import json
import math
from typing import Any

import msgspec

_LONGEST_NUMBER = 400


def decode(body: bytes) -> Any:
    """
    The value the bytes stand for; a byte that is not UTF-8 becomes U+FFFD.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.

    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = body.decode(errors="replace")
        return json.loads(text, strict=False, parse_int=_whole, parse_float=float)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_NUMBER else math.inf

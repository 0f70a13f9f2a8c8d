"""JSON as WeChat writes it: UTF-8 whatever the header says, raw control characters in strings."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any
from unicodedata import category

import msgspec

_LONGEST_NUMBER = 4300
"""Characters of a whole number that msgspec decodes: both decoders are to say the same."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_SHOWN = 2000
_NOT_SHOWN: dict[int, str | None] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " "),
    **dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
    ord("\n"): "\n",
    ord("\t"): "\t",
}
"""Control characters, and those that turn the order in which a text is read."""
_FIRST_CHINESE = "\u2e80"
_NOT_LAST = " ,;:·(，。；：、（"
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


def storable(text: str) -> str:
    """The text without what Postgres cannot hold: U+0000 and lone surrogates."""
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def shown(text: str) -> str:
    """
    The text as a terminal, a log or a page may be given it; what is stored keeps its characters.

    Lines and tabs stay. No control character is left, nor one that turns the order of reading.
    """
    return text if text.isprintable() else storable(text).translate(_NOT_SHOWN)


def visible(text: str) -> str:
    """The text without control and format characters, which nobody sees; lines and tabs stay."""
    return "".join(it for it in text if it in "\n\t" or category(it) not in ("Cc", "Cf"))


def one_line(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """A stranger's text for a sentence: cut before anything looks at it, `shown` in one line."""
    line = " ".join(shown(text[:longest]).split())
    return line if len(text) <= longest else f"{line}…"


def shortened(text: str, length: int) -> str:
    """
    The text, or as many of its words as there is room for: of a single one, a part.

    Each Chinese character is a word.
    """
    if len(text) <= length:
        return text
    if length <= 0:
        return ""
    ends = (n for n in range(length - 1, 0, -1) if text[n] == " " or text[n] >= _FIRST_CHINESE)
    end = next(ends, None)
    return f"{text[: length - 1] if end is None else text[:end].rstrip(_NOT_LAST)}…"


def counted(count: int, what: str) -> str:
    """`1 day`, `3 days`: a count and what is counted, in the singular, for a sentence."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


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

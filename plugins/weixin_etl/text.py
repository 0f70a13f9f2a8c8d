"""Texts for people: strangers' as they can be shown, counts and names in a sentence."""

import re
from collections.abc import Sequence

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_SHOWN: dict[int, str | None] = {
    **dict.fromkeys([*range(9), *range(11, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " "),
    **dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
}
"""Control characters but for tabs (9) and lines (10), and those that turn the order of reading."""


def storable(text: str) -> str:
    """The text without what Postgres cannot hold: U+0000 and lone surrogates."""
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def shown(text: str) -> str:
    """The text as a terminal, a log or a page may be given it; what is stored keeps all of it."""
    return text if text.isprintable() else storable(text).translate(_NOT_SHOWN)


def one_line(text: str, longest: int = 2000) -> str:
    """A stranger's text for a sentence: cut before anything looks at it, `shown` in one line."""
    line = " ".join(shown(text[:longest]).split())
    return line if len(text) <= longest else f"{line}…"


def counted(count: int, what: str) -> str:
    """`1 day`, `3 days`: a count and what is counted, in the singular, for a sentence."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def few_names(names: Sequence[str], most: int = 20) -> str:
    """`a, b and 9 more`: as many as a line holds, there may be thousands."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")

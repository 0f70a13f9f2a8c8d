"""
Functions that prepare texts for people.

They remove what Postgres, a terminal or a page can't show from texts of WeChat and other sources,
and they format counts and names for a sentence.
"""

import re
from collections.abc import Sequence

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKUP = re.compile(r"[<>@#&*_~`|/\\\[\]()]")
_DOTS = re.compile(r"(?<!\d)[.:](?=\S)|[.:](?!\d|\s|$)")
_NOT_SHOWN: dict[int, str | None] = {
    **dict.fromkeys([*range(9), *range(11, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " "),
    **dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
}
"""
Characters that are not shown, with their replacement.

They are the control characters except tab (9) and line feed (10), the separators of lines and
paragraphs, and the characters that change the reading direction.
"""


def storable(text: str) -> str:
    """
    Return the text in a form that Postgres can store.

    U+0000 is removed, and each lone surrogate becomes U+FFFD.
    """
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def shown(text: str) -> str:
    """
    Return the text without characters that would disturb a terminal, a log or a page.

    Control characters except tab and line feed, and separators of lines and paragraphs, become
    spaces. Marks of the reading direction are removed, and so is what `storable` removes.
    """
    return text if text.isprintable() else storable(text).translate(_NOT_SHOWN)


def one_line(text: str, longest: int = 2000) -> str:
    """
    Return a text of another system on one line, without characters that `shown` removes.

    Spaces, tabs and line ends in a row become one space, and none is left at the ends. Of a text
    with more than `longest` characters only the beginning is read, and "…" is added.
    """
    line = " ".join(shown(text[:longest]).split())
    return line if len(text) <= longest else f"{line}…"


def unmarked(text: str) -> str:
    """
    Return a stranger's text on one line, in which no chat finds a link, a mention or markup.

    ASCII characters that chats give a meaning become their full-width forms, which look alike:
    `<at>` becomes `＜at＞`. Full stops and colons between digits stay, as in `3.5` and `10:30`.
    """
    return _DOTS.sub(_full_width, _MARKUP.sub(_full_width, one_line(text)))


def _full_width(found: re.Match[str]) -> str:
    """Return the full-width form of the ASCII character that was found."""
    return chr(ord(found[0]) + 0xFEE0)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which is given in the singular: `1 day`, `3 days`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def few_names(names: Sequence[str], most: int = 20) -> str:
    """
    Return the first `most` names and the number of the others: `a, b and 9 more`.

    All names are listed if there are at most `most`. Without names the text is empty.
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")

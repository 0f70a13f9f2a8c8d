"""Texts as WeChat writes them, and as Postgres can hold them."""

from typing import Any

import pytest
from parse_cases import DAY, body, item, metrics, read, row


@pytest.mark.parametrize(
    ("written", "title"),
    [
        (b"a\\u0000b\\u0000", "ab"),
        (b"a\0b\0", "ab"),
        (b"a\\\\u0000", "a\\u0000"),
        ("第一\n行\t\x01\x1f".encode(), "第一\n行\t\x01\x1f"),
        (b"a\\ud83dz", "a\ufffdz"),
        (b"\\udc00", "\ufffd"),
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"a\xff", "a\ufffd"),
        ("标".encode("gbk"), "\ufffd\ufffd"),
    ],
    ids=[
        *("escaped NUL", "raw NUL", "escaped backslash", "control characters", "high surrogate"),
        *("low surrogate", "a pair", "not UTF-8", "GBK"),
    ],
)
def test_a_text_is_kept_as_far_as_postgres_can_hold_it(written: bytes, title: str) -> None:
    """U+0000 is stripped, what is no character becomes U+FFFD, no number is lost."""
    answer = body(item(row(share_user=5), title="PLACE")).replace(b"PLACE", written)

    parsed = read(answer)

    assert (parsed.articles["100_1"].title, parsed.rejected) == (title, [])
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


def test_u0000_is_stripped_wherever_a_text_is_kept() -> None:
    """Key, unknown key and what lies in them, msgid."""
    odd = item(row(**{"like\0": ["\0x"]}), msgid="100\0_1", mood={"\0deep": "\0"})

    article = read(body(odd)).articles["100_1"]

    assert (article.row_extras, article.extra) == ({DAY: {"like": ["x"]}}, {"mood": {"deep": ""}})


def test_half_a_character_in_a_figure_is_rejected_alone() -> None:
    """A surrogate without the other one cannot be encoded: the rest of the row is loaded."""
    answer = body(item(row(share_user=5, share_count="PLACE"))).replace(b"PLACE", b"\\ud83d")

    parsed = read(answer)

    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}
    assert [part.reason.split()[0] for part in parsed.rejected] == ["share_count"]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_key_that_had_to_be_cleaned_takes_no_others_place(is_first: bool) -> None:
    """`share_user` with a NUL behind it is not `share_user` while there is one."""
    own, other = {"share_user": 5}, {"share_user\0": 7}
    both = other | own if is_first else own | other

    assert metrics(read(body(item(row(**both)))).articles["100_1"]) == {DAY: {"share_user": 5}}


def test_names_that_collide_on_every_level_are_read_once() -> None:
    """Read twice on each, ninety levels would never end."""
    nested: Any = 1
    kept: Any = 1
    for _ in range(90):
        nested, kept = {"a": nested, "a\0": 2}, {"a": kept}

    assert read(body(item(row(share_user=5), x=nested))).articles["100_1"].extra == {"x": kept}

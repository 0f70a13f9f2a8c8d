"""Texts as WeChat writes them, and as Postgres can hold them."""

from typing import Any

import pytest
from parse_cases import DAY, body, item, metrics, read, row


def titled(written: bytes) -> bytes:
    """An answer with the title written so, between its quotes."""
    return body(item(row(share_user=5), title="PLACE")).replace(b"PLACE", written)


@pytest.mark.parametrize("nul", [b"\\u0000", b"\0"], ids=["escaped", "raw"])
def test_u0000_is_stripped_and_counted(nul: bytes) -> None:
    """Postgres can hold it in no text; the rest of the text stays."""
    parsed = read(titled(b"a" + nul + b"b" + nul))

    assert parsed.articles["100_1"].title == "ab"
    assert parsed.stripped_nuls == 2
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


def test_u0000_is_stripped_wherever_a_text_is_kept() -> None:
    """Key, unknown key and what lies in them, msgid."""
    parsed = read(
        body(
            item(
                row(**{"like\0": ["\0x"]}),
                msgid="100\0_1",
                mood={"\0deep": "\0"},
            )
        )
    )

    article = parsed.articles["100_1"]
    assert article.row_extras == {DAY: {"like": ["x"]}}
    assert article.extra == {"mood": {"deep": ""}}
    assert parsed.stripped_nuls == 5


def test_a_backslash_before_u0000_is_only_text() -> None:
    """Escaped itself, it is a backslash and five characters."""
    parsed = read(titled(b"a\\\\u0000"))

    assert parsed.articles["100_1"].title == "a\\u0000"
    assert parsed.stripped_nuls == 0


def test_raw_control_characters_are_accepted() -> None:
    """WeChat does not always escape them; they stay in the text."""
    parsed = read(titled("第一\n行\t\x01\x1f".encode()))

    assert parsed.articles["100_1"].title == "第一\n行\t\x01\x1f"
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize(
    ("written", "title"),
    [(b"a\\ud83dz", "a\ufffdz"), (b"\\udc00", "\ufffd"), (b"\\ud83d\\ude00", "\U0001f600")],
    ids=["high", "low", "a pair"],
)
def test_half_a_surrogate_pair_is_replaced(written: bytes, title: str) -> None:
    """It is no character and no UTF-8; a whole pair is one character."""
    parsed = read(titled(written))

    assert parsed.articles["100_1"].title == title
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize("garbage", [b"\xff", b"\xe9\x9b", "标题".encode("gbk")])
def test_bytes_that_are_not_utf8_lose_no_number(garbage: bytes) -> None:
    """They become U+FFFD in their text, and nothing else changes."""
    parsed = read(titled("第".encode() + garbage))

    title = parsed.articles["100_1"].title
    assert title is not None
    assert title.startswith("第\ufffd")
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}
    assert parsed.rejected == []


@pytest.mark.parametrize("is_first", [True, False])
def test_a_key_that_had_to_be_cleaned_takes_no_others_place(is_first: bool) -> None:
    """`share_user` with a NUL behind it is not `share_user` while there is one."""
    own, other = {"share_user": 5}, {"share_user\0": 7}
    both = other | own if is_first else own | other

    parsed = read(body(item(row(**both))))

    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


def test_names_that_collide_on_every_level_are_read_once() -> None:
    """Read twice on each, ninety levels would never end."""
    nested: Any = 1
    for _ in range(90):
        nested = {"a": nested, "a\0": 2}

    parsed = read(body(item(row(share_user=5), x=nested)))

    kept: Any = 1
    for _ in range(90):
        kept = {"a": kept}
    assert parsed.articles["100_1"].extra == {"x": kept}


def test_a_byte_order_mark_is_passed_over() -> None:
    """It says nothing."""
    assert read(b"\xef\xbb\xbf" + body(item(row(share_user=5)))).row_count == 1

"""Bytes that are no answer at all are unreadable for a reason, and never crash the worker."""

import json
from typing import Any

import pytest
from parse_cases import body as body_of
from parse_cases import item, read, row


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<html>", b'{"list": [', b'{"list": []} x', b"\xff\xfe", b'{"list": [1 2]}'],
)
def test_what_is_not_json_is_unreadable(body: bytes) -> None:
    """A proxy's page, a cut answer, an empty body."""
    assert read(body).unreadable == "the answer is not JSON"


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"7", b'"list"', b"{}", b'{"list": null}', b'{"list": {}}']
)
def test_json_without_a_list_is_unreadable(body: bytes) -> None:
    """Nothing is taken for an empty day that does not say so."""
    assert read(body).unreadable == "the answer has no list"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"list": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
        b'{"list": ["' + b"\x01" + b'", ' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    ],
    ids=["unclosed", "lists", "objects", "with control characters"],
)
def test_a_hundred_thousand_levels_are_unreadable(body: bytes) -> None:
    """Nesting ends in a sentence, not in a crash."""
    assert read(body).unreadable == "the answer is nested too deeply"


def test_an_unknown_key_may_be_nested_to_the_hundredth_level() -> None:
    """Of an article and of a row, whose keys are on the first level."""

    def nested(levels: int) -> Any:
        return json.loads("[" * levels + "]" * levels)

    assert read(body_of(item(row(x=nested(99)), x=nested(99)))).row_count == 1

    for too_deep in (item(row(x=nested(100))), item(row(), x=nested(100))):
        assert read(body_of(too_deep)).unreadable == "the answer is nested too deeply"


def test_a_hundred_thousand_misfits_are_unreadable() -> None:
    """So many parts set aside one by one would fill the memory, and the warehouse."""
    assert len(read(b'{"list": [' + b"0, " * 99_999 + b"0]}").rejected) == 100_000

    assert read(b'{"list": [' + b"0, " * 100_000 + b"0]}").unreadable == (
        "more than 100000 parts of the answer do not fit, the first because of "
        "an item that is not an object"
    )

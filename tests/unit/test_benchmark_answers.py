"""The benchmarks' made answers have the promised rows and sizes."""

from pathlib import Path

import pytest
from answers import COLUMNS, Value, read, rows
from shapes import FETCHED_AT, SHAPES, write


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the smallest shape."""
    return write("small", tmp_path_factory.mktemp("answers"))


def by_key(path: Path) -> dict[tuple[Value, ...], tuple[Value, ...]]:
    """The file's rows, by their key."""
    return {row[:3]: row[3:] for row in rows(path)}


def test_a_morning_has_36800_rows_and_15_percent_are_new_or_changed_the_next() -> None:
    """100 accounts with seven publication days of eight articles; the group's has 1,450."""
    morning, group, busy = SHAPES["morning"], SHAPES["group"], SHAPES["busy"]

    assert morning.rows("first") == 36_800
    assert (morning.new, morning.changed) == (1_600, 3_920)
    assert group.rows("first") == 533_600
    assert (busy.rows("first"), busy.new) == (36_890, 0)


def test_the_next_morning_has_the_promised_new_and_changed_rows(small: dict[str, Path]) -> None:
    """Of 368 rows 55: each row of the first morning is there again, some with other figures."""
    first, following = by_key(small["first"]), by_key(small["next"])

    assert (len(first), len(following)) == (368, 384)
    assert first.keys() < following.keys()
    assert sum(first[key] != following[key] for key in first) == 55 - 16


def test_the_last_load_brings_the_same_bytes_later(small: dict[str, Path]) -> None:
    """Identical answers, fetched two hours after the next morning's."""
    following, again = (list(read(small[load])) for load in ("next", "unchanged"))

    assert [answer.body for answer in again] == [answer.body for answer in following]
    assert {answer.fetched_at for answer in again} == {FETCHED_AT["unchanged"]}


def test_answers_have_the_size_of_real_ones(small: dict[str, Path]) -> None:
    """About 52 kB, with every documented metric in each row."""
    bodies = [answer.body for answer in read(small["first"])]
    columns = list(zip(*rows(small["first"]), strict=True))

    assert len(bodies) == 7
    assert sum(map(len, bodies)) / 7 == pytest.approx(52_000, rel=0.02)
    assert len(columns) == len(COLUMNS)
    assert not any(None in values for values in columns)

"""What an answer says as a whole: which articles it lists, how far their rows reach."""

from datetime import date
from hashlib import sha256

import pytest
from parse_cases import DAY, NEXT_DAY, body, item, read, row

WHOLE = [row(f"2026-11-{day}", share_user=day) for day in range(17, 24)]


def test_what_an_answer_lists_is_told_by_one_hash() -> None:
    """Whatever their order and their rows; a part that is no article counts, and so does none."""
    parsed = read(body(item(row(share_user=5), msgid="100_2"), item(), 7))

    assert parsed.list_sha256 == sha256(b"100_1\x00100_2\x00?").digest()
    assert (len(parsed.articles), parsed.row_count) == (2, 1)
    assert read(body()).list_sha256 == sha256(b"").digest()


def test_an_answer_reaches_as_far_as_all_of_its_articles() -> None:
    """Not at all if one has no row, or there is none."""
    both = item(row(), row("2026-11-18")), item(row(), row("2026-11-19"), msgid="100_2")

    assert read(body(*both)).through_date == NEXT_DAY
    assert read(body(*both, item(msgid="100_3"))).through_date is None
    assert read(body()).through_date is None


@pytest.mark.parametrize(
    ("rows", "is_whole"),
    [
        (WHOLE, True),
        (WHOLE[::-1], True),
        (WHOLE[:-1], False),
        (WHOLE[1:], False),
        ([*WHOLE[:3], *WHOLE[4:]], False),
        ([*WHOLE[:-1], row("2026-11-23", share_user=-1)], False),
        ([*WHOLE, row("2026-11-24")], False),
    ],
)
def test_an_answer_is_whole_when_each_article_has_all_rows_of_the_window(
    rows: list[dict[str, object]], is_whole: bool
) -> None:
    """And nothing of it is rejected; one article that lacks a row is enough."""
    assert read(body(item(*rows))).is_whole(DAY, 7) is is_whole
    assert read(body(item(*WHOLE), item(*rows, msgid="100_2"))).is_whole(DAY, 7) is is_whole


def test_an_answer_that_lists_nothing_is_whole_and_an_unreadable_one_is_not() -> None:
    """Nothing lacks a row."""
    assert read(body()).is_whole(DAY, 7)
    assert not read(b"<html>").is_whole(DAY, 7)


def test_whether_any_article_has_a_days_row() -> None:
    """One is enough."""
    parsed = read(body(item(row()), item(row("2026-11-18"), msgid="100_2")))

    assert [parsed.has_row_of(date(2026, 11, day)) for day in (17, 18, 19)] == [True, True, False]


@pytest.mark.parametrize(
    ("item_rows", "nothing_fits"),
    [
        ([], False),
        ([row(share_user=-1)], True),
        ([row(share_user=-1), row("2026-11-18", share_user=0)], False),
        ([row(share_user=-1, next_user=1)], False),
        ([row()], False),
    ],
)
def test_nothing_fits_when_parts_are_rejected_and_no_row_gives_a_figure(
    item_rows: list[dict[str, object]], nothing_fits: bool
) -> None:
    """An unknown metric is a figure; an answer of which nothing is rejected fits."""
    assert read(body(item(*item_rows))).nothing_fits is nothing_fits

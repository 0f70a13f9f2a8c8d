"""When nobody need ask for a pair again."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, body, load_pairs, pair, rows

COMPLETE = body(article("1_1", {"25": {"share_count": 1}, "26": {"share_count": 2}}))
"""Published on 20 November, so the last row is that of the 26th, ready on the 27th."""
SHORT = body(article("1_1", {"25": {"share_count": 1}}))
ONE_SHORT = body(article("1_1", {"26": {"share_count": 2}}), article("1_2", {"25": {}}))

TWO = body(article("1_1", {"25": {"share_count": 1}}), article("1_2", {"25": {"share_count": 1}}))


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def is_final(warehouse: Engine, *answers: tuple[bytes, str]) -> bool:
    """Load the answers one after another; whether the pair is final then."""
    for answer, fetched in answers:
        load_pairs(warehouse, pair(answer, fetched))
    ((found,),) = rows(warehouse, "SELECT is_final FROM weixin.coverage")
    return found


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([(COMPLETE, "27 00:00")], True, id="all rows, on the morning after"),
        pytest.param([(COMPLETE, "26 23:59")], False, id="all rows, but the window is not over"),
        pytest.param([(SHORT, "27 08:30")], False, id="no last row"),
        pytest.param([(ONE_SHORT, "27 08:30")], False, id="one article without its last row"),
        pytest.param(
            [(SHORT, "28 08:30"), (SHORT, "28 18:00")], False, id="twice the same, on one day"
        ),
        pytest.param(
            [(SHORT, "27 08:30"), (SHORT, "28 08:30")], True, id="twice the same, on two days"
        ),
        pytest.param(
            [(SHORT, "26 08:30"), (SHORT, "27 08:30")], False, id="the first one was too early"
        ),
        pytest.param(
            [(SHORT, "27 08:30"), (SHORT.replace(b": 1}", b": 9}"), "28 08:30")],
            False,
            id="the second one changed a figure",
        ),
        pytest.param(
            [(ONE_SHORT, "27 08:30"), (SHORT, "28 08:30")],
            False,
            id="the second one lacks an article",
        ),
        pytest.param(
            [(SHORT, "28 08:30"), (SHORT, "27 08:30")], False, id="the second one arrived late"
        ),
        pytest.param(
            [(TWO, "26 08:30"), (COMPLETE, "27 08:30")],
            False,
            id="an article that was there lacks its last row",
        ),
        pytest.param(
            [(TWO, "26 08:30"), (COMPLETE, "27 08:30"), (COMPLETE, "28 08:30")],
            True,
            id="an article that is gone on two days",
        ),
        pytest.param([(body(), "27 09:59")], False, id="an empty list, early"),
        pytest.param([(body(), "27 10:00")], True, id="an empty list, late enough"),
        pytest.param([(body(), "26 23:00")], False, id="an empty list within the window"),
        pytest.param(
            [(SHORT, "27 08:30"), (body(), "27 10:00")], False, id="an empty list after articles"
        ),
        pytest.param(
            [(body(article("1_1", {"26": {}}), is_delay=True), "27 08:30")],
            False,
            id="late figures",
        ),
        pytest.param(
            [(COMPLETE, "27 08:30"), (SHORT, "28 08:30")], True, id="what is final stays final"
        ),
    ],
)
def test_final(warehouse: Engine, answers: list[tuple[bytes, str]], expected: bool):
    """Final: every last row past the window, two days that agree, or an empty list at ten."""
    assert is_final(warehouse, *answers) is expected

"""The dictionary: what every column of the analysts' views means, by the catalogue."""

import pytest
from dictionary import Entry, dictionary
from sqlalchemy import Engine

from weixin_etl.warehouse.views import views


@pytest.fixture
def entries(migrated: Engine) -> list[Entry]:
    """Of the warehouse as it is."""
    return dictionary(migrated)


@pytest.mark.every_postgres
def test_it_is_the_catalogue(entries: list[Entry]):
    """Every column of every view in order, and of the calendar, in both languages."""
    by_view: dict[str, list[str]] = {}
    for entry in entries:
        by_view.setdefault(entry.view, []).append(entry.column)
    calendar = by_view.pop("calendar")

    assert by_view == {view.name: list(view.columns) for view in views()}
    assert {"calendar_date", "iso_week", "weekday_name"} <= set(calendar)
    assert [entry for entry in entries if not entry.english or not entry.chinese] == []


def test_a_figure_says_how_it_adds_up(entries: list[Entry]):
    """A total, its increment and a common name of one view."""
    article_day = {entry.column: entry for entry in entries if entry.view == "article_day_7d"}
    picked = ("share_user", "sharers_increment", "readers", "stat_date", "title")

    assert {
        name: tuple(
            getattr(article_day[name], it) for it in ("type", "is_key", "unit", "additivity")
        )
        for name in picked
    } == {
        "share_user": ("bigint", False, "people", "cumulative"),
        "sharers_increment": ("bigint", False, "people", "additive"),
        "readers": ("bigint", False, "people", "cumulative"),
        "stat_date": ("date", True, None, None),
        "title": ("text", False, None, None),
    }
    assert article_day["share_user"].english == (
        "People who shared the article, from publication to the end of stat_date; NULL when WeChat "
        "did not give it"
    )
    assert article_day["share_user"].chinese == "分享人数（自发布起累计）"

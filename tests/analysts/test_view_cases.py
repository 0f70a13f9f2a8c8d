"""
Check what views show of answers that the four accounts of `world.py` never get, and of none.

Each case of cases.yaml imports a few answers and names the rows that a view must show.
"""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine
from support import rows
from support.warehouse_loads import import_lines, line
from world.wechat import item

from analysts.world import november
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL, DATASETS, Kind, Rows
from weixin_etl.model import ConfiguredAccount, Run
from weixin_etl.run import Work
from weixin_etl.run.plan import plan
from weixin_etl.warehouse.views import views

pytestmark = [pytest.mark.every_postgres, pytest.mark.usefixtures("now")]

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
Figures = dict[str, Any]
Given = tuple[str, int, str, dict[Any, dict[int, Figures]]]
"""Dataset, day of November, time of the fetch, and figures by item and day (see cases.yaml)."""
Import = Callable[[Iterable[Given]], None]


@pytest.fixture
def import_(warehouse: Engine) -> Import:
    """Return a function that imports answers for two accounts with the same msgids."""

    def imported(given: Iterable[Given]) -> None:
        lines = []
        for name, number, fetched, items in given:
            dataset, day = DATASETS[name], november(number)
            by_item = {
                key: {november(on): figures for on, figures in of_days.items()}
                for key, of_days in items.items()
            }
            listed = [item(dataset, day, key, by_day) for key, by_day in by_item.items()]
            about = {"dataset": name, "day": str(day)}
            answer = {"list": listed}
            lines += [line(answer, fetched, appid=appid, **about) for appid in ("wx1", "wx2")]
        assert import_lines(warehouse, *lines).bad_line == ""

    return imported


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_view_has_the_rows_of_its_case(
    warehouse: Engine, import_: Import, case: dict[str, Any]
) -> None:
    """A second account has the same msgids and days; its rows are not mixed in."""
    import_(case["given"])

    view, *rest = case["from"].split(" ", 1)
    of_one = f"(SELECT * FROM analytics.{view} WHERE appid = 'wx1') AS view_row {' '.join(rest)}"
    found = rows(warehouse, f"SELECT {case['select']} FROM {of_one}")
    expected = [
        [str(cell) if isinstance(cell, date) else cell for cell in row] for row in case["rows"]
    ]
    assert [list(row) for row in found] == expected


COMPLETE = yaml.safe_load(Path(__file__).with_name("complete.yaml").read_text())


@pytest.mark.parametrize("case", COMPLETE["cases"].values(), ids=COMPLETE["cases"])
def test_a_day_is_complete_if_every_figure_of_its_articles_is_known(
    warehouse: Engine, import_: Import, case: dict[str, Any]
) -> None:
    """An article of the 18th has the rows of the case on the 21st, from two mornings' answers."""
    given: list[Given] = []
    for morning, day in ((number, day) for number in (20, 21) for day in range(8, number)):
        articles = {"1_1": case["rows"], "1_2": COMPLETE["whole"]} if day == 18 else {}
        listed = {
            name: {on: row for on, row in item_rows.items() if on < morning}
            for name, item_rows in articles.items()
            if item_rows or morning == 20
        }
        given.append(("article_total", day, f"{morning} 10:30", listed))
    import_(given)

    days = (
        "SELECT extract(day FROM calendar_date)::integer FROM analytics.account_day_7d "
        "WHERE appid = 'wx1' AND calendar_date BETWEEN '2026-11-14' AND '2026-11-20' "
        "AND NOT is_complete ORDER BY 1"
    )
    assert [day for (day,) in rows(warehouse, days)] == case["incomplete"]


def test_missing_days_begin_with_wechats_first_day_and_end_when_collection_ends(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that left the list before WeChat's first day has no missing day."""
    for day, names in ((3, "12"), (4, "2")):
        today = date(2025, 11, day)
        monkeypatch.setenv("WEIXIN_NOW", f"{today}T10:30:00+08:00")
        run = Run(f"of {today}", ARTICLE_TOTAL_DETAIL, today, is_scheduled=True)
        plan(
            Work(run, warehouse),
            [ConfiguredAccount(number, f"wx{number}", number) for number in names],
        )

    found = rows(warehouse, "SELECT DISTINCT appid FROM analytics.coverage")
    first = "SELECT min(day) FROM analytics.coverage WHERE appid = 'wx2'"
    assert (found, rows(warehouse, first)) == ([("wx2",)], [(ARTICLE_TOTAL_DETAIL.first_day,)])


def test_no_view_fails_on_the_largest_counts(warehouse: Engine, import_: Import) -> None:
    """Sums over articles, days and the entries of a list do not overflow either."""
    values: dict[Kind, Any] = {
        Kind.COUNT: 2**63 - 1,
        Kind.RATE: 10**15 - 1,
        Kind.LIST: [{"scene_desc": "推荐", "user_count": 10**18 - 1}] * 20,
    }
    for fetched in ("22 10:30", "23 10:30"):
        given: list[Given] = []
        for dataset in DATASETS.values():
            largest = {metric.name: values[metric.kind] for metric in dataset.metrics}
            smaller = largest | {metric.name: 0 for metric in dataset.totals}
            is_list = dataset.rows_in is Rows.LIST
            item_rows = {20: largest, 21: smaller if fetched[:2] == "22" else largest}
            named = dataset.item and (("1_1", "1_2") if dataset.item.name == "msgid" else (0, 1))
            items = dict.fromkeys(named or [None], item_rows if is_list else {20: largest})
            given.append((dataset.name, 20, fetched, items))
        import_(given)

    for view in views():
        assert rows(warehouse, f"SELECT length(held::text) FROM {view.full_name} AS held"), view


def test_an_empty_warehouse_has_empty_views(warehouse: Engine) -> None:
    names = [view.name for view in views() if view.name != "metric"]
    counts = [rows(warehouse, f"SELECT count(*) FROM analytics.{name}") for name in names]

    assert counts == [[(0,)]] * len(names)

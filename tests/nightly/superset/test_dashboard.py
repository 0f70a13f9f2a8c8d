"""Tests that the dashboard in Apache Superset, in a real browser, shows the results of SQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response, expect
from sandbox_days import ACCOUNTS
from sqlalchemy import Engine
from support import rows

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset

GROWTH, GAINS = "Growth of the newest headline articles", "Readers gained per day"
SOURCES, ARTICLES = "Where readers came from", "Most read articles"
CHARTS = {GROWTH, GAINS, SOURCES, ARTICLES}
FIRST, SECOND = (f"{account.name} ({account.appid})" for account in reversed(ACCOUNTS))
"""The names of the accounts in the dashboard's filter, each with its AppID as both are `春风`."""
NEWEST, USUAL = 8, {"lower quartile", "median", "upper quartile"}
PATIENCE_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Choice:
    """A setting of the dashboard's filters."""

    account: str = FIRST
    dataset: Dataset = ARTICLE_TOTAL

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of a query with the same filters."""
        today = clock.beijing_date(clock.now())
        return {"account": self.account, "appid": self.account[-19:-1], "until": today}


@dataclass
class Dashboard:
    """The open page, and the query results of each chart."""

    page: Page
    choice: Choice
    warehouse: Engine
    results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The results of each chart's queries, by the chart's name."""

    def chart(self, name: str) -> Locator:
        """Return the locator of a chart."""
        title = self.page.get_by_text(name, exact=True)
        return self.page.locator(".dashboard-component-chart-holder").filter(has=title)

    def rows(self, name: str, query: int = 0) -> list[dict[str, Any]]:
        """Return the rows of a chart's query, which must not be empty."""
        data = self.results[name][query]["data"]
        assert data, name
        return data

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """
        Run a query in the warehouse with the same filters, and return its rows.

        `{readers}`, `{suffix}` and `{fact}` in the query stand for those of the dataset.
        """
        dataset = self.choice.dataset
        query = query.format(readers=dataset.readers, suffix=dataset.suffix, fact=dataset.fact)
        return rows(self.warehouse, query, **self.choice.values)


@pytest.fixture(scope="module")
def visitor(browser: Browser, superset: str) -> Iterator[BrowserContext]:
    """Yield a browser context that is logged in."""
    context = browser.new_context(base_url=superset, viewport={"width": 1400, "height": 1600})
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("choose-one")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/welcome/")
    page.close()
    yield context
    context.close()


@pytest.fixture(
    scope="module",
    params=[Choice(), Choice(SECOND, ARTICLE_TOTAL_DETAIL)],
    ids=["as it opens", "another account and endpoint"],
)
def dashboard(
    request: pytest.FixtureRequest, visitor: BrowserContext, warehouse: Engine
) -> Iterator[Dashboard]:
    """Open the dashboard with its filters set, and yield it once every chart is loaded."""
    page = visitor.new_page()
    shown = Dashboard(page, request.param, warehouse)
    charts = page.request.get("/api/v1/chart/").json()["result"]
    names = {chart["id"]: chart["slice_name"] for chart in charts}

    def keep(response: Response) -> None:
        asked = parse_qs(urlsplit(response.url).query).get("form_data")
        if "/api/v1/chart/data" in response.url and asked and response.ok:
            name = names.get(json.loads(asked[0]).get("slice_id"))
            if name:
                shown.results[name] = response.json()["result"]

    page.on("response", keep)
    page.goto("/superset/dashboard/weixin-articles/")
    _wait(shown)
    if shown.choice != Choice():
        shown.results.clear()
        _choose(page, "account", shown.choice.account)
        _choose(page, "dataset", shown.choice.dataset.name)
        page.get_by_role("button", name="Apply filters").click()
        _wait(shown)
    expect(page.get_by_text("No results")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    yield shown
    page.close()


def _choose(page: Page, name: str, option: str) -> None:
    page.locator(f"[data-test=NATIVE_FILTER-{name}]").click()
    page.get_by_title(option, exact=True).last.click()


def _wait(shown: Dashboard) -> None:
    for _ in range(PATIENCE_MILLISECONDS // 100):
        if shown.results.keys() == CHARTS:
            break
        shown.page.wait_for_timeout(100)
    assert shown.results.keys() == CHARTS
    expect(shown.page.locator(".dashboard-component-chart-holder .loading")).to_have_count(0)
    expect(shown.page.locator("canvas")).to_have_count(3)


def test_growth_shows_the_newest_headlines_and_the_benchmark(dashboard: Dashboard) -> None:
    """The chart shows the readers of eight articles by day, and the benchmark of each day."""
    known = dashboard.ask("""
        SELECT to_char(publication_date, 'MM-DD ') || title, day_number, publication_date,
            {readers}
        FROM analytics.article_day{suffix}
        WHERE appid = :appid AND position = 1 AND publication_date < :until
        """)
    usual = dashboard.ask("""
        SELECT day_number, lower_quartile, median, upper_quartile FROM analytics.benchmark{suffix}
        WHERE appid = :appid AND position = 1
        """)
    rows = dashboard.rows(GROWTH)
    lines = set(rows[0]) - {"day_number"}
    published = {line: day for line, _, day, _ in known}

    assert len(usual) == dashboard.choice.dataset.window or len(usual) > 7
    assert {(row["day_number"], *(row[name] for name in sorted(USUAL))) for row in rows} == {*usual}
    assert lines > USUAL
    assert sorted(published[line] for line in lines - USUAL) == sorted(published.values())[-NEWEST:]
    assert {
        (line, row["day_number"], row[line])
        for row in rows
        for line in lines - USUAL
        if row[line] is not None
    } == {(line, day, readers) for line, day, _, readers in known if line in lines}


def test_gains_show_every_day_and_mark_incomplete_days(dashboard: Dashboard) -> None:
    """Each day has a bar in the series of its state, or a mark if nothing is known."""
    known = dashboard.ask("""
        SELECT calendar_date, is_complete, readers_increment
        FROM analytics.account_day{suffix}
        WHERE appid = :appid AND calendar_date < :until
        """)
    shown = {
        (_day(row["calendar_date"]), state == "complete", row[state])
        for row in dashboard.rows(GAINS)
        for state in {"complete", "not complete"} & row.keys()
        if row[state] is not None
    }

    assert shown == {row for row in known if row[2] is not None}
    assert {_day(row["calendar_date"]) for row in dashboard.results[GAINS][1]["data"]} == {
        day for day, _, gained in known if gained is None
    }


def test_sources_add_up_the_newest_totals(dashboard: Dashboard) -> None:
    """The readers of a scene are the sum over the newest row of each article."""
    known = dashboard.ask("""
        SELECT scene, sum(readers) FROM analytics.article_source{suffix} AS source
        WHERE appid = :appid AND publication_date < :until
            AND stat_date = (
                SELECT max(stat_date) FROM weixin.{fact} AS fact
                WHERE fact.appid = source.appid AND fact.msgid = source.msgid
            )
        GROUP BY scene
        """)

    assert len(known) == 7
    assert {row["scene"]: row["readers"] for row in dashboard.rows(SOURCES)} == dict(known)


def test_the_table_shows_the_most_read_articles(dashboard: Dashboard) -> None:
    """The columns are title, account, day, readers, day number and whether the row is final."""
    known = dashboard.ask("""
        SELECT title, :account, publication_date::text,
            to_char({readers}, 'FM999,999,999'), day_number::text, is_final::text
        FROM analytics.article{suffix}
        WHERE appid = :appid AND publication_date < :until
            AND {readers} IS NOT NULL
        ORDER BY {readers} DESC
        LIMIT 10
        """)
    lines = dashboard.chart(ARTICLES).locator("tbody tr")

    assert len(known) == 10
    for number, row in enumerate(known):  # the table may still be drawn
        expect(lines.nth(number).locator("td")).to_have_text(list(row), use_inner_text=True)


def _day(milliseconds: float) -> date:
    return date(1970, 1, 1) + timedelta(milliseconds=milliseconds)

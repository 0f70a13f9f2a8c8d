"""The page "WeChat articles" as Airflow's web server serves it, in a real browser."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import page_world
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from dag_runs import set_paused
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from support import choose_port

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, FOLLOWER_TOTAL
from weixin_etl.health.troubles import Airflow
from weixin_etl.orchestration.web import airflow_state
from weixin_local.home import postgres_connection
from weixin_local.postgres import Server

expect.set_options(timeout=30_000)  # a busy machine needs longer than Playwright's five seconds

NOON = "2026-11-24T12:00:00+08:00"
DAG = ARTICLE_TOTAL.dag_id
POINTS = "0.0,13.8 20.0,6.8 40.0,3.2 60.0,1.5 80.0,0.7 100.0,0.2 120.0,0.0"
"""Half on the first day, all on the seventh: `page_world` makes it so."""
VIEWS = {
    "problems": "",
    "coverage": f"coverage?dataset={ARTICLE_TOTAL.name}",
    "day": f"day?dataset={ARTICLE_TOTAL.name}&appid=wx0003&day=2026-11-20",
    "articles": f"articles?dataset={ARTICLE_TOTAL.name}",
}
HOSTILE = "<b>粗</b><img src=x onerror='window.harmed = 1'>"
"""The title of each account's newest article."""
BESIDES = """
    INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at, calls)
    SELECT 'manual__1', 'article_total', 'wx0003', date '2026-11-14' + n, '2026-11-24 00:31+00', 0
    FROM generate_series(0, 5) AS n;
    UPDATE weixin.coverage
    SET
        settled = NULL, ready_at = NULL, error_kind = 'call_refused', error_code = 48009,
        error = 'WeChat does not accept the call'
    WHERE appid IN ('wx0001', 'wx0002') AND day = '2026-09-01';
    INSERT INTO weixin.incident (
        incident_id, dataset, identity, severity, kind, account, conn_id, cause, cure, days,
        code, opened_at, news_at
    )
    OVERRIDING SYSTEM VALUE
    VALUES (
        902, 'article_total', 'call_refused 48009', 'failure', 'call_refused', '', '', '', '', '{}',
        48009, now(), now()
    )
"""
"""A run of six days, four of which are final; and two accounts with the same problem."""


@pytest.fixture(scope="module")
def origin(metadata_url: str, embedded_server: Server) -> Iterator[str]:
    """Where the page is, and a warehouse of 16 accounts, some of them in trouble."""
    embedded_server.create_database("page")
    url = embedded_server.url("page")
    the_warehouse.migrate(url)
    engine = the_warehouse.engine(url)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        page_world.fill(connection, ARTICLE_TOTAL, 16, 100, datetime.fromisoformat(NOON))
        connection.exec_driver_sql(
            "UPDATE weixin.dim_article SET title = %s WHERE publication_date = '2026-11-23'",
            (HOSTILE,),
        )
        connection.exec_driver_sql(BESIDES)
    set_paused(is_paused=False)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WEIXIN_NOW", NOON)
        environment.setenv("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(engine.url))
        yield from served()
    engine.dispose()


def served() -> Iterator[str]:
    """Airflow's own web server, with the plugin as Airflow finds it."""
    from airflow.api_fastapi.app import create_app

    port = choose_port()
    config = uvicorn.Config(create_app(apps="core"), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def token(origin: str) -> str:
    """What somebody who may read got when they logged in."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username="viewer", role="viewer")
    return get_auth_manager().generate_jwt(user)


class Visitor:
    """Somebody logged in, with a browser of one size, theme and language."""

    def __init__(self, context: BrowserContext, origin: str, token: str) -> None:
        context.add_cookies([{"name": "_token", "value": token, "url": origin}])
        self.origin = origin
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(
            "window.refused = [];"
            "document.addEventListener('securitypolicyviolation', (event) =>"
            "  window.refused.push(`${event.violatedDirective} ${event.target.outerHTML}`));"
        )

    def opens(self, path: str) -> Page:
        """Go to a view, whose policy says that nothing from elsewhere and nothing inline is run."""
        answer = self.page.goto(f"{self.origin}/weixin/{path}")
        policy = answer.headers["content-security-policy"] if answer else "default-src 'none'"
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        return self.page

    def refused(self) -> list[str]:
        """What the policy kept the page from."""
        said: list[str] = self.page.evaluate("window.refused")
        return said


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, origin: str, token: str) -> Iterator[Visit]:
    """Make a visitor: `visit(width=390, scheme="dark", language="zh-CN")`."""
    contexts = []

    def made(
        width: int = 1280, scheme: str = "light", language: str = "en-US", *, scripts: bool = True
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=language,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        return Visitor(context, origin, token)

    yield made
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        (1280, "light", "en-US"),
        (1280, "dark", "zh-CN"),
        (390, "light", "zh-CN"),
        (390, "dark", "en-US"),
    ],
)
def test_each_view_fits_the_screen_and_axe_finds_nothing_serious(
    visit: Visit, width: int, scheme: str, language: str
) -> None:
    """Nor does a script fail, or the policy keep the page from something it needs."""
    visitor = visit(width, scheme, language)
    for view, path in VIEWS.items():
        page = visitor.opens(path)
        found = Axe().run(page).response["violations"]

        bad = [
            (it["id"], it["nodes"][0]["html"])
            for it in found
            if it["impact"] in ("serious", "critical")
        ]
        assert (view, bad) == (view, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert visitor.refused() == []
    assert visitor.complaints == []


def test_without_scripts_it_is_read_and_searched(visit: Visit) -> None:
    """By a button, and by links."""
    page = visit(scripts=False).opens(VIEWS["coverage"])

    page.fill("#search", "星辰")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    page.locator(".cell.needs_you").first.click()
    expect(page.locator("#form")).to_contain_text("wx0006")
    page.get_by_role("link", name="2026-11-15 →").click()
    expect(page.locator("h2")).to_have_text("星辰, 2026-11-15")
    page.get_by_role("link", name="Articles").click()
    expect(page.locator("tbody tr").first).to_contain_text("2026-11-23")


def test_a_problem_says_what_to_do_and_leads_to_the_place(visit: Visit) -> None:
    """Whose it is, the cure, what happened, which days, since when."""
    page = visit().opens("")

    card = page.locator(".card", has_text="40125")
    expect(card.locator("h3")).to_have_text("星辰 refused")
    expect(card.locator("p")).to_have_text(
        ["Correct the password in the connection", "The AppSecret is wrong"]
    )
    expect(card).to_contain_text("10 days: 2026-11-14 to 2026-11-23")
    expect(card).to_contain_text("since 2026-11-15 08:33")
    assert card.locator("a").get_attribute("href") == f"/dags/{DAG}"


def test_a_messages_link_shows_its_account_among_others(visit: Visit) -> None:
    """One cause of many accounts is one card, which opens for the one of the link."""
    page = visit(width=390).opens("#problem-902")

    card = page.locator(".card.failure", has_text="夏雨 +1")
    expect(card.locator("summary")).to_have_text("Which 2 accounts")
    expect(card).to_contain_text("秋月")
    expect(page.locator(".card:target")).to_contain_text("夏雨 +1")
    expect(page.locator(".card:target")).to_be_in_viewport()


def test_a_run_at_work_is_no_problem(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it has come is said in grey."""
    name, again_at = ARTICLE_TOTAL.name, datetime.fromisoformat(NOON) + timedelta(minutes=30)
    waits = {(name, "manual__1"): again_at}
    found = Airflow({}, runs={name: {"manual__1"}}, waits=waits)
    monkeypatch.setattr(airflow_state, "read", lambda: found)
    page = visit().opens("")

    expect(page.locator(".work")).to_contain_text("3 of 6 days are done")
    expect(page.locator(".work")).to_contain_text("asks again at 2026-11-24 12:30, until noon")
    assert page.locator("progress").get_attribute("value") == "3"
    assert page.locator(".work a").get_attribute("href") == f"/dags/{DAG}/runs/manual__1"


def test_the_calendar_is_walked_by_keys_and_a_day_tells_its_story(visit: Visit) -> None:
    """What to do, what happened, and what to enter into Airflow's form: more for a final day."""
    final = visit().opens(VIEWS["day"].replace("11-20", "11-10")).locator("#form")
    expect(final).to_contain_text('"refetch":true')
    page = visit().opens(VIEWS["coverage"])

    page.locator("tr", has_text="星辰").locator("a.cell").last.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("h2")).to_have_text("星辰, 2026-11-22")
    expect(page.locator(".chip")).to_have_text("Late")
    expect(page.locator(".cure")).to_have_text("Correct the password in the connection")
    expect(page.locator("main")).to_contain_text("last attempt failed")
    runs = page.locator(f"a[href^='/dags/{DAG}/runs/scheduled__']")
    expect(runs.first).to_have_text("2026-11-24 08:30")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {
        "begin_date": "2026-11-22",
        "end_date": "2026-11-22",
        "accounts": ["wx0006"],
    }


def test_the_calendar_goes_back_in_time_and_shows_lost_days(visit: Visit) -> None:
    """Days that no daily run reaches any more; a search stays as it goes; who left has no days."""
    page = visit().opens(VIEWS["coverage"])

    assert page.locator("tr", has_text="灯塔").locator("a.cell").count() == 15
    page.fill("#search", "云端")
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Earlier days").click()
    page.get_by_role("link", name="Earlier days").click()
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    page.locator("tr", has_text="云端").locator(".needs_you").first.click()
    expect(page.locator("main")).to_contain_text("no daily run reaches it any more")


def test_it_searches_while_somebody_types(visit: Visit) -> None:
    """The box keeps its focus, and the address what is searched."""
    page = visit().opens(VIEWS["coverage"])

    page.locator("#search").press_sequentially("WX0013")
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    expect(page.locator(".calendar tbody tr")).to_contain_text("茶馆")
    assert page.evaluate("document.activeElement.id") == "search"
    assert "search=WX0013" in page.url
    page.fill("#search", "nobody")
    expect(page.locator(".empty")).to_have_text("Nothing matches “nobody”.")
    page.fill("#search", "")
    page.select_option("#dataset", FOLLOWER_TOTAL.name)
    expect(page.locator(".empty")).to_contain_text("Days appear after the first run")


def test_what_is_open_and_scrolled_stays_while_the_page_refreshes_itself(
    visit: Visit,
) -> None:
    """After a minute, and not while nobody looks."""
    visitor = visit(width=390)
    visitor.page.clock.install()
    page = visitor.opens("")
    page.locator("summary").click()
    page.evaluate("scrollTo(0, 700)")
    asked: list[str] = []

    def later(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("days lost", "it is news"))

    page.route("**/weixin/", later)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.fast_forward(61_000)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("h3", has_text="it is news")).to_have_count(1)
    expect(page.locator("details")).to_have_attribute("open", "")
    assert page.evaluate("scrollY") == 700
    page.clock.fast_forward(61_000)
    page.wait_for_timeout(500)
    assert len(asked) == 2


def test_it_says_that_it_could_not_be_refreshed(visit: Visit) -> None:
    """When nobody answers, and when the login is over; what is shown stays."""
    visitor = visit()
    visitor.page.clock.install()
    page = visitor.opens("")
    page.route("**/weixin/", lambda route: route.abort())
    page.clock.fast_forward(61_000)
    expect(page.locator("#stale")).to_be_visible()
    page.unroute("**/weixin/")
    page.clock.fast_forward(61_000)
    expect(page.locator("#stale")).to_be_hidden()
    page.context.clear_cookies()
    page.clock.fast_forward(61_000)
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator(".card", has_text="40125")).to_be_visible()


def test_articles_are_the_newest_with_a_line_of_their_growth(visit: Visit) -> None:
    """A title's markup is a title."""
    page = visit().opens(VIEWS["articles"])

    newest = page.locator("tbody tr").first
    expect(newest).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.harmed") is None
    page.fill("#search", "秋月")
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(page.locator(".pager")).to_contain_text("1–25 of 30")
    final = page.locator("tbody tr", has_text="2026-11-17")
    assert final.locator("polyline").get_attribute("points") == POINTS
    expect(final).to_contain_text("final")
    expect(final.locator("svg")).to_have_accessible_name(re.compile("Readers so far, by day: 1: "))
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(5)


def test_the_page_speaks_chinese_to_a_chinese_browser(visit: Visit) -> None:
    """All but names, and causes, which are in the words of WeChat or Postgres."""
    visitor = visit(language="zh-CN")
    names = {*(it.endpoint for it in DATASETS.values()), "AppSecret", "AppID", "Airflow"}
    names |= {DAG, "article_total", "password", "scheduler"}
    names |= {"ready_hour", "weixin_article_total_detail", "weixin_", "ingest"}
    names |= {"begin_date", "end_date", "accounts", "refetch", "weixin", "answers", "dataset"}
    for view, path in VIEWS.items():
        page = visitor.opens(path)

        assert page.locator("html").get_attribute("lang") == "zh-CN"
        expect(page.locator("h1")).to_have_text("公众号文章")
        page.evaluate("document.querySelectorAll('.cause').forEach((it) => it.remove())")
        shown = page.locator("body").inner_text().replace(HOSTILE, "").replace("a text", "")
        words = set(re.findall(r"[A-Za-z_]{4,}", shown))
        assert (view, words - names) == (view, set())


@pytest.mark.parametrize(
    ("view", "where"), [("problems", ".card"), ("coverage", ".bad"), ("articles", ".bad")]
)
def test_a_warehouse_that_cannot_be_read_is_all_that_is_said(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, view: str, where: str
) -> None:
    """In each view; nothing is known of accounts."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_READER", "postgres://a:b@127.0.0.1:1/c")
    page = visit().opens(VIEWS[view])

    expect(page.locator(where, has_text="weixin_reader")).to_have_count(1)
    assert "not asked" not in page.locator("main").inner_text()

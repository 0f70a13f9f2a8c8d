"""
The page "WeChat" in Airflow's UI: its routes, access checks and HTML.

`web.plugin` hands `app` to Airflow's API server. Every route answers GET only and, unlike the
static files, requires a login that may read one of the DAGs. The routes read the warehouse and
Airflow's database and fill the templates beside this module.
"""

import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

import jinja2
import msgspec
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import Field

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset
from weixin_etl.delivery import export
from weixin_etl.health import status
from weixin_etl.health.alert import Alert
from weixin_etl.health.status import Status
from weixin_etl.health.wording import CHINESE, ENGLISH
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import insides, settings
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.orchestration.web.page import calendar, places
from weixin_etl.problem import WarehouseError
from weixin_etl.text import shown

_FOLDER = Path(__file__).parent
VIEWS = ("/", "/coverage", "/day", "/articles", "/article")
_SECURITY_HEADERS = {
    # nothing is loaded from other hosts, and no inline script runs
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""The headers of every response."""
ARTICLES_PER_PAGE = 25
ACCOUNTS_WITH_TOTALS = 10
"""The number of accounts whose totals stand above the articles."""
NEWEST = timedelta(days=30)
"""The greatest age of a listed article."""

LANGUAGES = (ENGLISH, CHINESE)
COOKIE = "weixin_language"
"""The cookie with the language chosen in Airflow's UI; the page's script sets it."""
Sort = Literal["gained", "readers", "newest"]
"""The order of the articles."""
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


def readable(user: Annotated[Any, Depends(insides.login())]) -> tuple[Dataset, ...]:
    """
    Return the datasets whose DAGs the user may read. Without a login Airflow answers 401.

    Raises:
        HTTPException: 403, when the user may read none of the DAGs.
    """
    dags = {dataset.dag_id: dataset for dataset in DATASETS.values()}
    found = tuple(dataset for dag_id, dataset in dags.items() if insides.may_read_dag(user, dag_id))
    if not found:
        names = " or ".join(dags)
        raise HTTPException(403, f"you may not read {names}: ask an admin for can_read on one")
    return found


Readable = Annotated[tuple[Dataset, ...], Depends(readable)]


def requested_figures(datasets: Readable, dataset: Text = "") -> Iterator[calendar.Figures]:
    """
    Yield the figures of the requested dataset, with the state of Airflow.

    The figures have a read-only connection to the warehouse, which is closed after the request.

    Args:
        datasets: the datasets that the user may read.
        dataset: the requested dataset's name; empty for the first one.

    Raises:
        HTTPException: 404, when there is no such dataset, or the user may not read its DAG.
        WarehouseError: the warehouse can't be read.
    """
    matching = [readable for readable in datasets if dataset in ("", readable.name)]
    if not matching:
        raise HTTPException(404, "no such dataset, or you may not read its DAG")
    with reading() as connection:
        yield calendar.Figures(connection, matching[0], clock.now(), airflow_state.read())


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(readable)])
app.mount("/static", StaticFiles(directory=_FOLDER / "static"))
RequestedFigures = Annotated[calendar.Figures, Depends(requested_figures)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
Day = Annotated[
    date, Field(ge=min(dataset.first_day for dataset in DATASETS.values()), le=date(2999, 12, 31))
]
"""A day from the first that WeChat has; the upper limit keeps date arithmetic from overflowing."""


@app.middleware("http")
async def _add_headers(request: Request, call_next: Any) -> Response:
    """
    Return the response of a route with security headers.

    Browsers may keep static files, which have an ETag, if they ask each time whether these have
    changed. They may keep nothing else.
    """
    response: Response = await call_next(request)
    response.headers["Cache-Control"] = "no-cache" if "etag" in response.headers else "no-store"
    response.headers.update(_SECURITY_HEADERS)
    return response


@app.exception_handler(HTTPException)
async def _redirect_to_login(request: Request, error: HTTPException) -> Response:
    """
    Redirect a logged-out visitor of a view to Airflow's login, which leads back to the view.

    Every other error, and a 401 outside of the `VIEWS`, is returned as FastAPI's JSON.
    """
    root = request.scope["root_path"].rstrip("/")
    path = request.url.path.removeprefix(root)
    if error.status_code != 401 or path not in VIEWS:
        return await http_exception_handler(request, error)
    query = f"?{request.url.query}" if request.url.query else ""
    back = urlencode({"next": f"{root}{path}{query}"})
    return RedirectResponse(f"{root.rpartition('/')[0]}/api/v2/auth/login?{back}")


@app.exception_handler(WarehouseError)
def _warehouse_error_page(request: Request, error: WarehouseError) -> Response:
    """Return a page, with status 503, that says why the warehouse can't be read and the cure."""
    problem = settings.words(language(request)).translated_problem(error.problem)
    sentence = f"{problem.cause}; {problem.cure}"
    return render("unread.html", request, 503, sentence=sentence)


@app.get("/")
def current_problems(request: Request, datasets: Readable) -> Response:
    """
    Return the view of the current problems, the running runs and the newest manual runs.

    If the warehouse can't be read, the view shows this problem and what Airflow knows.
    """
    found = current_status(datasets)
    return render(
        "problems.html",
        request,
        dataset=datasets[0],
        found=found,
        places=places.find_places(found.open),
        manual_runs=airflow_state.manual_runs(datasets),
    )


@app.get("/coverage")
def coverage(
    request: Request,
    datasets: Readable,
    figures: RequestedFigures,
    last: Day | None = None,
    search: Text = "",
    offset: Offset = 0,
) -> Response:
    """
    Return the calendar: a page of accounts by days.

    Args:
        request: the visitor's request.
        datasets: the datasets that the user may read, to choose from.
        figures: the figures of the requested dataset.
        last: the newest day to show; yesterday in Beijing if it is missing or later.
        search: part of an account's name, AppID or connection id; empty for all accounts.
        offset: the number of accounts on earlier pages.
    """
    view = calendar.view(figures, last=last, search=search.strip(), offset=offset)
    return render("coverage.html", request, datasets=datasets, **view)


@app.get("/day")
def day_story(request: Request, figures: RequestedFigures, appid: Text, day: Day) -> Response:
    """
    Return the view of one day of an account: its state, its figures, its problem and its runs.

    Raises:
        HTTPException: 404, when the dataset has no account with this AppID.
    """
    story = calendar.story(figures, appid, day)
    if story is None:
        raise HTTPException(404, "no such account")
    return render("day.html", request, **story)


@app.get("/articles")
def newest_articles(
    request: Request,
    datasets: Readable,
    figures: RequestedFigures,
    sort: Sort = "gained",
    search: Text = "",
    offset: Offset = 0,
) -> Response:
    """
    Return the view of the articles of the last `NEWEST` days, and the totals of their accounts.

    For a dataset without growing articles, the view links to the datasets that have them.

    Args:
        request: the visitor's request.
        datasets: the datasets that the user may read.
        figures: the figures of the requested dataset.
        sort: the order of the articles.
        search: part of a title, an account's name or its AppID; empty for all articles.
        offset: the number of articles on earlier pages.
    """
    described = [dataset for dataset in datasets if dataset.name in ARTICLE_DATASETS]
    found: dict[str, Any] = {"articles": None, "totals": ()}
    if figures.dataset in described:
        wanted = {"search": search.strip(), "since": clock.beijing_date(figures.now) - NEWEST}
        limits = {"sort": sort, "most": ARTICLES_PER_PAGE, "offset": offset}
        found["articles"] = figures.rows("page/articles.sql", **wanted, **limits)
        wanted["most"] = ACCOUNTS_WITH_TOTALS
        found["totals"] = figures.rows("page/account_totals.sql", **wanted)
    found |= {"dataset": figures.dataset, "datasets": described, "days": NEWEST.days}
    found |= {"page_size": ARTICLES_PER_PAGE, "sorts": get_args(Sort)}
    return render("articles.html", request, **found, sort=sort, search=search, offset=offset)


@app.get("/article")
def article_story(
    request: Request, figures: RequestedFigures, appid: Text, msgid: Text
) -> Response:
    """
    Return the view of one article's totals by day.

    Raises:
        HTTPException: 404, when the dataset has no such article, or no articles that grow.
    """
    wanted = {"appid": appid, "msgid": msgid}
    has_articles = figures.dataset.name in ARTICLE_DATASETS
    articles = figures.rows("page/article.sql", **wanted) if has_articles else ()
    if not articles:
        raise HTTPException(404, "no such article")
    days = figures.rows("page/article_days.sql", **wanted)
    return render("article.html", request, dataset=figures.dataset, article=articles[0], days=days)


@app.get("/export")
def export_workbook(
    request: Request,
    datasets: Readable,
    begin: Day | None = None,
    end: Day | None = None,
    appid: Text = "",
) -> Response:
    """
    Return a workbook for Excel with the figures of a period that the user may read.

    A table is left out unless the user may read the DAGs of all its datasets. A period with more
    rows than Excel takes, or an unknown account, is answered with a page that says what to change.

    Args:
        request: the visitor's request; it decides the language.
        datasets: the datasets that the user may read.
        begin: the first day; `NEWEST` before the last one if it is missing.
        end: the last day; yesterday in Beijing if it is missing or later.
        appid: the account; empty for all accounts.
    """
    yesterday = clock.beijing_date(clock.now()) - timedelta(days=1)
    last = min(end or yesterday, yesterday)
    period = (begin or last - NEWEST + timedelta(days=1), last)
    words, names = settings.words(language(request)), [dataset.name for dataset in datasets]
    file = tempfile.TemporaryFile()  # noqa: SIM115 # the response reads it, and then it is gone
    try:
        with reading() as connection:
            selection = export.select(connection, [appid] if appid else [], *period, names)
            export.write_workbook(connection, selection, file, words=words)
    except ParameterError as error:
        return render("refused.html", request, 404, sentence=words.translated(str(error)))
    file.seek(0)
    name = f"weixin-{period[0]}-{last}.xlsx"
    return StreamingResponse(
        iter(partial(file.read, 1 << 16), b""),
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@app.get("/health")
def health(datasets: Readable) -> Response:
    """
    Return the current alerts as JSON, for monitors.

    The status code is 503 if an alert is a failure, waiting or retried, otherwise 200: warnings and
    notes do not count. An unreadable warehouse is an alert too: see
    docs/operating/something-is-red.md.
    Each problem has the path of its task, run or DAG below Airflow's address; empty if it has none.
    """
    found = current_status(datasets)
    links = places.find_places(found.open)
    paths = [place.path if (place := links.of(alert)) else "" for alert in found.open]
    problems = [
        msgspec.to_builtins(alert) | {"path": path}
        for alert, path in zip(found.open, paths, strict=True)
    ]
    summary: dict[str, Any] = {
        "is_healthy": found.is_healthy,
        "resolves_itself": found.resolves_itself,
    }
    summary |= {"checked_at": found.checked_at, "problems": problems}
    text = shown(msgspec.json.encode(summary).decode())
    return Response(text, 200 if found.is_healthy else 503, media_type="application/json")


# ---------------------------------------------------------------------------------- current status


def current_status(datasets: Sequence[Dataset]) -> Status:
    """
    Return the current status of the datasets, by the warehouse and Airflow's database.

    If the warehouse can't be read, the status holds only this problem and what Airflow knows, and
    `is_known` is False.
    """
    now = clock.now()
    airflow = airflow_state.read()
    try:
        with reading() as connection:
            return status.read(connection, airflow, now=now, datasets=datasets)
    except WarehouseError as error:
        findings = [Alert(error.problem, opened_at=now)]
        return status.assess(Status(now, is_known=False), findings, airflow, datasets)


# -------------------------------------------------------------------------------------- as HTML


def render(template: str, request: Request, status_code: int = 200, **found: Any) -> HTMLResponse:
    """
    Return a response with a template rendered in the visitor's language.

    Characters that would disturb a page are removed from the text. A variable that the template
    uses and nobody gives raises an error of Jinja.

    Args:
        template: the file's name below `templates`.
        request: the visitor's request; it decides the language and the links.
        status_code: the HTTP status of the response.
        **found: the template's own variables.
    """
    root = request.scope["root_path"].rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    words = settings.words(language(request))
    common = {
        "base": root,
        "airflow": root.rpartition("/")[0],
        "page_url": f"{request.url.path}{query}",
        "words": words,
        "t": partial(label, words.language),
        "read_at": clock.now(),
        "replaced_now": clock.now() if clock.is_replaced() else None,
    }
    text = _templates().get_template(template).render(found, **common)
    return HTMLResponse(shown(text), status_code, headers={"Vary": "Accept-Language, Cookie"})


@cache
def labels() -> Mapping[str, Sequence[str]]:
    """Return the texts of every label by its name, in the order of `LANGUAGES`."""
    return tomllib.loads((_FOLDER / "labels.toml").read_text())


def label(language: str, name: str, /, **places: object) -> str:
    """
    Return a text of `labels.toml` in a language, with its placeholders filled in.

    Args:
        language: one of `LANGUAGES`.
        name: the label's name. If `count` is 1 and there is a label `NAME_one`, that one is used.
        **places: the values of the placeholders.

    Raises:
        KeyError: there is no such label, or a placeholder has no value.
    """
    texts = labels().get(f"{name}_one") if places.get("count") == 1 else None
    return (texts or labels()[name])[LANGUAGES.index(language)].format(**places)


def capitalised(text: str, name: str = "") -> str:
    """
    Return the text with a capital first letter.

    A text that begins with `name`, or whose first word has other characters than English letters
    (an address, Chinese), is returned unchanged.
    """
    first = text.split(" ", 1)[0].rstrip(",;:")
    if name and text.startswith(name):
        return text
    return text[:1].upper() + text[1:] if first.isascii() and first.isalpha() else text


def number(value: int | None) -> str:
    """Return `1,234`, or a dash for none."""
    return "–" if value is None else f"{value:,}"


def gain(value: int | None) -> str:
    """Return `+1,234`, `-1,234` after a correction, `0`, or a dash for none."""
    return "–" if value is None else f"{value:+,}" if value else "0"


def points(figures: Sequence[tuple[int, int]], width: int, height: int, last_day: int) -> list[str]:
    """
    Return the points of an SVG line, as `x,y`.

    Args:
        figures: pairs of a day, from 1 at the left edge, and a figure. No pairs give no points.
        width: the line's width in pixels.
        height: the line's height in pixels; 0 is at the bottom, the greatest figure on top.
        last_day: the day at the right edge.
    """
    most = max((figure for _, figure in figures), default=0) or 1
    step = width / max(last_day - 1, 1)
    return [f"{(day - 1) * step:.1f},{height * (1 - figure / most):.1f}" for day, figure in figures]


@cache
def _templates() -> jinja2.Environment:
    """Return the templates with their filters; an undefined variable in a template is an error."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.loader = jinja2.FileSystemLoader(_FOLDER / "templates")
    environment.filters |= {"time": clock.time_text, "sign": calendar.sign, "points": points}
    environment.filters |= {"capitalised": capitalised, "number": number, "gain": gain}
    return environment


def language(request: Request) -> str:
    """
    Return the language of the visitor: `zh-CN` for any kind of Chinese, otherwise `en`.

    The language chosen in Airflow, which a cookie has, precedes the browser's first language.
    """
    wanted = request.cookies.get(COOKIE) or request.headers.get("accept-language", "")
    return CHINESE if wanted.startswith("zh") else ENGLISH

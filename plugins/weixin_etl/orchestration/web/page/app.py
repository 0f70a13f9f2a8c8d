"""What the page answers: only GET, and nothing of the warehouse without a login."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

import jinja2
import msgspec
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import Field

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.health.alerts import Alert
from weixin_etl.health.notifications import CHINESE, ENGLISH, time_text
from weixin_etl.health.status import Status
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.orchestration.web.page import calendar, places
from weixin_etl.problem import WarehouseError
from weixin_etl.text import shown

_HERE = Path(__file__).parent
VIEWS = ("/", "/coverage", "/day", "/articles", "/article")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""Nothing from elsewhere, and nothing that stands in a page's own text is run."""
ARTICLES_PER_PAGE = 25
ACCOUNTS_WITH_TOTALS = 10
"""So many accounts are summed up above the articles."""
NEWEST = timedelta(days=30)
"""So old a listed article may be."""

LANGUAGES = (ENGLISH, CHINESE)
COOKIE = "weixin_language"
"""The language of Airflow's own switch, as the page's script found it."""
Sort = Literal["gained", "readers", "newest"]
"""The order of the articles."""
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


def readable(user: GetUserDep) -> tuple[Dataset, ...]:
    """
    The datasets whose DAGs may be read by who asks. Without a login Airflow answers 401.

    Raises:
        HTTPException: 403, when there is none.
    """
    manager = get_auth_manager()
    found = tuple(
        dataset
        for dataset in DATASETS.values()
        if manager.is_authorized_dag(method="GET", details=DagDetails(id=dataset.dag_id), user=user)
    )
    if not found:
        names = " or ".join(dataset.dag_id for dataset in DATASETS.values())
        raise HTTPException(403, f"you may not read {names}: ask an admin for can_read on one")
    return found


Readable = Annotated[tuple[Dataset, ...], Depends(readable)]


def figures(datasets: Readable, dataset: Text = "") -> Iterator[calendar.Figures]:
    """
    The figures that somebody asks for, as long as a request lasts.

    Raises:
        HTTPException: 404, when there is no such dataset, or its DAG may not be read.
    """
    found = [it for it in datasets if dataset in ("", it.name)]
    if not found:
        raise HTTPException(404, "no such dataset, or you may not read its DAG")
    with reading() as connection:
        yield calendar.Figures(connection, found[0], clock.now(), airflow_state.read())


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(readable)])
app.mount("/static", StaticFiles(directory=_HERE / "static"))
AFigures = Annotated[calendar.Figures, Depends(figures)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
Day = Annotated[
    date, Field(ge=min(it.first_day for it in DATASETS.values()), le=date(2999, 12, 31))
]
"""Days from the first that WeChat has, and far from where dates end."""


@app.middleware("http")
async def _headers(request: Request, call_next: Any) -> Response:
    """What every answer carries, refusals too; only files may be kept."""
    response: Response = await call_next(request)
    response.headers["Cache-Control"] = "no-cache" if "etag" in response.headers else "no-store"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@app.exception_handler(HTTPException)
async def _no_entry(request: Request, error: HTTPException) -> Response:
    """Whoever opens a view logged out is led to Airflow's login, and back."""
    root = request.scope["root_path"].rstrip("/")
    path = request.url.path.removeprefix(root)
    if error.status_code != 401 or path not in VIEWS:
        return await http_exception_handler(request, error)
    query = f"?{request.url.query}" if request.url.query else ""
    back = urlencode({"next": f"{root}{path}{query}"})
    return RedirectResponse(f"{root.rpartition('/')[0]}/api/v2/auth/login?{back}")


@app.exception_handler(WarehouseError)
def _trouble(request: Request, error: WarehouseError) -> Response:
    """The sentence why the warehouse can't be read now."""
    problem = settings.words(language(request)).cured(error.problem)
    sentence = f"{problem.cause}; {problem.cure}"
    return page("unread.html", request, 503, sentence=sentence)


@app.get("/")
def what_is_wrong(request: Request, datasets: Readable) -> Response:
    """What is wrong now, and the runs at work."""
    found = current(datasets)
    where = places.find_places(found.open)
    return page(
        "problems.html",
        request,
        dataset=datasets[0],
        found=found,
        places=where,
        manual_runs=airflow_state.manual_runs(datasets),
    )


@app.get("/coverage")
def coverage(
    request: Request,
    datasets: Readable,
    of: AFigures,
    last: Day | None = None,
    search: Text = "",
    offset: Offset = 0,
) -> Response:
    """Some accounts' days as a calendar."""
    view = calendar.view(of, last=last, search=search.strip(), offset=offset)
    return page("coverage.html", request, datasets=datasets, **view)


@app.get("/day")
def day_story(request: Request, of: AFigures, appid: Text, day: Day) -> Response:
    """One day's story."""
    story = calendar.story(of, appid, day)
    if story is None:
        raise HTTPException(404, "no such account")
    return page("day.html", request, **story)


@app.get("/articles")
def newest_articles(
    request: Request,
    datasets: Readable,
    of: AFigures,
    sort: Sort = "gained",
    search: Text = "",
    offset: Offset = 0,
) -> Response:
    """Return the newest articles, how each grows, and the totals of each account."""
    described = [it for it in datasets if it.name in ARTICLE_DATASETS]
    wanted = {"search": search.strip(), "since": clock.beijing_date(of.now) - NEWEST}
    shown_here = {"sort": sort, "most": ARTICLES_PER_PAGE, "offset": offset}
    is_described = of.dataset in described
    return page(
        "articles.html",
        request,
        dataset=of.dataset,
        datasets=described,
        articles=of.rows("page/articles.sql", **wanted, **shown_here) if is_described else None,
        totals=of.rows("page/account_totals.sql", **wanted, most=ACCOUNTS_WITH_TOTALS)
        if is_described
        else (),
        days=NEWEST.days,
        page_size=ARTICLES_PER_PAGE,
        sorts=get_args(Sort),
        sort=sort,
        search=search,
        offset=offset,
    )


@app.get("/article")
def article_story(request: Request, of: AFigures, appid: Text, msgid: Text) -> Response:
    """
    Return one article's totals by day.

    Raises:
        HTTPException: 404, when there is no such article in the dataset.
    """
    wanted = {"appid": appid, "msgid": msgid}
    if of.dataset.name not in ARTICLE_DATASETS or not (
        found := of.rows("page/article.sql", **wanted)
    ):
        raise HTTPException(404, "no such article")
    days = of.rows("page/article_days.sql", **wanted)
    return page("article.html", request, dataset=of.dataset, article=found[0], days=days)


@app.get("/health")
def health(datasets: Readable) -> Response:
    """For monitors: 200 when all is well, 503 when not; see docs/operating/something-is-red.md."""
    found = current(datasets)
    where = places.find_places(found.open)
    said = {
        "is_healthy": found.is_healthy,
        "is_retrying": found.is_retrying,
        "checked_at": found.checked_at,
        "problems": [
            msgspec.to_builtins(it) | {"path": place.path if place else ""}
            for it in found.open
            for place in [where.of(it)]
        ],
    }
    text = shown(msgspec.json.encode(said).decode())
    return Response(text, 200 if found.is_healthy else 503, media_type="application/json")


# ------------------------------------------------------------------------------- what is wrong now


def current(datasets: Sequence[Dataset]) -> Status:
    """How all stands; of a warehouse that can't be read, what is wrong with it."""
    now = clock.now()
    airflow = airflow_state.read()
    try:
        with reading() as connection:
            return status.read(connection, airflow, now=now, datasets=datasets)
    except WarehouseError as error:
        known = [Alert(error.problem, opened_at=now)]
        found = status.assess([], known, airflow, now=now, datasets=datasets)
        return replace(found, is_known=False)


# -------------------------------------------------------------------------------------- as HTML


def page(template: str, request: Request, status_code: int = 200, **found: Any) -> HTMLResponse:
    """What was found, by its template, in the language of who asks."""
    root = request.scope["root_path"].rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    words = settings.words(language(request))
    places = {
        "base": root,
        "airflow": root.rpartition("/")[0],
        "here": f"{request.url.path}{query}",
        "words": words,
        "t": partial(label, words.language),
        "read_at": clock.now(),
    }
    text = _templates().get_template(template).render(found, **places)
    return HTMLResponse(shown(text), status_code, headers={"Vary": "Accept-Language, Cookie"})


@cache
def labels() -> Mapping[str, Sequence[str]]:
    """Every label, in the order of `LANGUAGES`."""
    return tomllib.loads((_HERE / "labels.toml").read_text())


def label(language: str, name: str, /, **places: object) -> str:
    """A label with its places filled in; a `count` of one may have a label of its own."""
    texts = labels().get(f"{name}_one") if places.get("count") == 1 else None
    return (texts or labels()[name])[LANGUAGES.index(language)].format(**places)


def capitalised(text: str, name: str = "") -> str:
    """A sentence with its capital; what begins with a name or an address keeps it as it is."""
    first = text.split(" ", 1)[0].rstrip(",;:")
    if name and text.startswith(name):
        return text
    return text[:1].upper() + text[1:] if first.isascii() and first.isalpha() else text


def number(value: int | None) -> str:
    """`1,234`, or a dash for none."""
    return "–" if value is None else f"{value:,}"


def gain(value: int | None) -> str:
    """Return `+1,234`, or a dash for none; a correction may be below zero."""
    return "–" if value is None else f"{value:+,}" if value else "0"


def points(figures: Sequence[tuple[int, int]], width: int, height: int, last_day: int) -> list[str]:
    """The points of an SVG line of figures by day: 1 is left, 0 at the bottom, the most on top."""
    most = max((it for _, it in figures), default=0) or 1
    step = width / max(last_day - 1, 1)
    return [f"{(day - 1) * step:.1f},{height * (1 - it / most):.1f}" for day, it in figures]


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        time=time_text,
        capitalised=capitalised,
        number=number,
        gain=gain,
        points=points,
        sign=calendar.sign,
    )
    return environment


def language(request: Request) -> str:
    """The one chosen in Airflow, else the one that the browser prefers; English for others."""
    wanted = request.cookies.get(COOKIE) or request.headers.get("accept-language", "")
    return CHINESE if wanted.startswith("zh") else ENGLISH

"""What the page answers: every route behind `reader`, only GET, nothing said without a login."""

import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from pydantic import Field
from sqlalchemy.exc import DBAPIError

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.web.page import calendar, html, problems
from weixin_etl.orchestration.web.page.reader import (
    Figures,
    Reader,
    Text,
    figures,
    language,
    reader,
)
from weixin_etl.problem import WarehouseError
from weixin_etl.text import shown

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
FILES = {it.name: it for it in [*(HERE / "static").iterdir(), HERE / "htmx" / "htmx.min.js"]}
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
VIEWS = ("/", "/coverage", "/day", "/articles")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""Nothing from elsewhere, and nothing that stands in a page's own text is run."""
ARTICLES_PER_PAGE = 25
NEWEST = timedelta(days=30)
"""So old a listed article may be."""

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(reader)])
AReader = Annotated[Reader, Depends(reader)]
AFigures = Annotated[Figures, Depends(figures)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
Day = Annotated[
    date, Field(ge=min(it.first_day for it in DATASETS.values()), le=date(2999, 12, 31))
]
"""Days from the first that WeChat has, and far from where dates end."""


@app.middleware("http")
async def _headers(request: Request, call_next: Any) -> Response:
    """What every answer carries, refusals too."""
    response: Response = await call_next(request)
    response.headers.setdefault("Cache-Control", "no-store")
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
    problem = settings.words(language(request)).told(error.problem)
    sentence = f"{problem.cause}; {problem.cure}"
    return html.page("unread.html", request, 503, sentence=sentence)


@app.exception_handler(DBAPIError)
def _fault(request: Request, error: DBAPIError) -> Response:
    """A statement of ours does not work."""
    log.error("the warehouse could not be read", exc_info=error)
    sentence = "the warehouse could not be read: the log of Airflow's API server says why"
    return html.page("unread.html", request, 503, sentence=sentence)


@app.exception_handler(RequestValidationError)
def _refused(_: Request, error: RequestValidationError) -> Response:
    """Which parameter may not have its value, and why; the value is not repeated."""
    said = "; ".join(f"{it['loc'][-1]}: {it['msg']}" for it in error.errors())
    return JSONResponse({"detail": shown(said)}, 422)


@app.get("/")
def what_is_wrong(request: Request, who: AReader, dag_id: Text = "") -> Response:
    """What is wrong now, and the runs at work."""
    dataset = next((it for it in who.datasets if it.dag_id == dag_id), who.datasets[0])
    found, place = problems.current(who.datasets), problems.place_in_airflow
    return html.page("problems.html", request, dataset=dataset, found=found, place=place)


@app.get("/coverage")
def coverage(
    request: Request,
    who: AReader,
    of: AFigures,
    last: Day | None = None,
    search: Text = "",
    offset: Offset = 0,
) -> Response:
    """Some accounts' days as a calendar."""
    return html.page(
        "coverage.html",
        request,
        dataset=of.dataset,
        datasets=who.datasets,
        view=calendar.view(of, last=last, search=search, offset=offset),
        page_size=calendar.ACCOUNTS_PER_PAGE,
        search=search,
        offset=offset,
    )


@app.get("/day")
def day_story(request: Request, of: AFigures, appid: Text, day: Day) -> Response:
    """One day's story."""
    story = calendar.story(of, appid, day)
    if story is None:
        raise HTTPException(404, "no such account")
    return html.page("day.html", request, dataset=of.dataset, story=story)


@app.get("/articles")
def newest_articles(
    request: Request, who: AReader, of: AFigures, search: Text = "", offset: Offset = 0
) -> Response:
    """The newest articles and how each grows."""
    described = [it for it in who.datasets if it.name in ARTICLE_DATASETS]
    since = clock.beijing_date(of.now) - NEWEST
    asked = {"search": search.strip(), "since": since, "most": ARTICLES_PER_PAGE, "offset": offset}
    is_described = of.dataset in described
    return html.page(
        "articles.html",
        request,
        dataset=of.dataset,
        datasets=described,
        articles=of.rows("page/articles.sql", **asked) if is_described else None,
        days=NEWEST.days,
        page_size=ARTICLES_PER_PAGE,
        search=search,
        offset=offset,
    )


@app.get("/static/{name}")
def static(name: str) -> FileResponse:
    """A file of the page: by a route, as a mount would not ask who reads."""
    if name not in FILES:
        raise HTTPException(404, "no such file")
    path, kept = FILES[name], {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=kept)


@app.get("/health")
def health(who: AReader, dataset: Text = "") -> Response:
    """For monitors: 200 when all is well, 503 when not, and how fresh each account is."""
    found = problems.health([who.dataset(dataset)] if dataset else who.datasets)
    text = shown(msgspec.json.encode(found).decode())
    return Response(text, 200 if found["is_healthy"] else 503, media_type="application/json")

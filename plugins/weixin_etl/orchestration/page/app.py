"""What the page answers: every route behind `reader`, only GET, nothing said without a login."""

import json
import logging
import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import jinja2
import msgspec
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from pydantic import Field
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import DATASETS
from weixin_etl.orchestration import airflow_state
from weixin_etl.orchestration.connections.warehouse import of_reader
from weixin_etl.orchestration.page import articles, calendar, problems, runs
from weixin_etl.orchestration.page.reader import (
    Figures,
    Language,
    Name,
    Reader,
    figures,
    reader,
)
from weixin_etl.text import shown
from weixin_etl.warehouse import WarehouseError

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
FILES = {path.name: path for path in STATIC.iterdir() if path.suffix in (".css", ".js", ".svg")}
PLOTLY = Path(__file__).parent / "plotly" / "plotly-basic.min.js"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
)
"""Nothing from elsewhere, and nothing that stands in a page's own text is run."""
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _well_formed(request: Request) -> None:
    """Refuse what no parameter may be, and what would be read as something else than was asked."""
    query = request.scope["query_string"].decode("latin-1")
    try:
        asked = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise HTTPException(422, "the parameters are not UTF-8") from None
    if len(dict(asked)) < len(asked):
        raise HTTPException(422, "a parameter is given more than once")
    if any(unicodedata.category(it) == "Cc" for _, value in asked for it in value):
        raise HTTPException(422, "a parameter contains a control character")


app = FastAPI(
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    dependencies=[Depends(reader), Depends(_well_formed)],
)
AReader = Annotated[Reader, Depends(reader)]
AFigures = Annotated[Figures, Depends(figures)]
Text = Annotated[str, Query(max_length=200)]
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
    """Whoever opens the page logged out is led to Airflow's login, and back."""
    root = request.scope["root_path"].rstrip("/")
    if error.status_code != 401 or request.url.path.removeprefix(root) != "/":
        return await http_exception_handler(request, error)
    query = f"?{request.url.query}" if request.url.query else ""
    back = urlencode({"next": f"{root}/{query}"})
    return RedirectResponse(f"{root.rpartition('/')[0]}/api/v2/auth/login?{back}")


@app.exception_handler(WarehouseError)
def _trouble(_: Request, error: WarehouseError) -> Response:
    """The sentence why the warehouse can't be read now."""
    return _json({"detail": str(of_reader(error))}, 503)


@app.exception_handler(DBAPIError)
def _fault(_: Request, error: DBAPIError) -> Response:
    """A statement of ours does not work."""
    log.error("the warehouse could not be read", exc_info=error)
    sentence = "the warehouse could not be read: the log of Airflow's API server says why"
    return _json({"detail": sentence}, 503)


@app.exception_handler(RequestValidationError)
def _refused(_: Request, error: RequestValidationError) -> Response:
    """Which parameter may not have its value, and why; the value is not repeated."""
    said = "; ".join(f"{it['loc'][-1]}: {it['msg']}" for it in error.errors())
    return _json({"detail": said}, 422)


@app.get("/", response_class=HTMLResponse)
def page(who: AReader, request: Request) -> HTMLResponse:
    """The page's frame, in the browser's language; what it shows is fetched by its scripts."""
    language = preferred_language(request.headers.get("accept-language", ""))
    root = request.scope["root_path"].rstrip("/")
    labels = dictionary()
    html = _template().render(
        base=root,
        language=language,
        label=labels[language],
        configuration={
            "base": root,
            "airflow": root.rpartition("/")[0],
            "datasets": [
                {"name": it.name, "dag_id": it.dag_id, "has_articles": it.describes_articles}
                for it in who.datasets
            ],
            "labels": labels,
        },
        datasets=who.datasets,
    )
    return HTMLResponse(html, headers={"Vary": "Accept-Language"})


@app.get("/static/{name}")
def static(name: str) -> FileResponse:
    """A file of the page: by a route, as a mount would not ask who reads."""
    if name not in FILES:
        raise HTTPException(404, "no such file")
    path = FILES[name]
    return FileResponse(
        path, media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": "no-cache"}
    )


@app.get("/plotly.js")
def plotly() -> FileResponse:
    """Plotly's JavaScript, another project's file: `make plotly` fetches it."""
    kept = {"Cache-Control": "private, max-age=86400"}
    return FileResponse(PLOTLY, media_type="text/javascript", headers=kept)


@app.get("/health")
def health(who: AReader, dataset: Text = "") -> Response:
    """For monitors: 200 when all is well, 503 when not, and how fresh each account is."""
    found = problems.health([who.dataset(dataset)] if dataset else who.datasets)
    return _json(found, 200 if found.is_healthy else 503)


@app.get("/api/problems")
def api_problems(
    who: AReader, search: Text = "", offset: Offset = 0, language: Language = "en"
) -> Response:
    """What is wrong now, what was lately, and how each account stands."""
    return _json(problems.view(who.datasets, search, offset, language))


@app.get("/api/calendar")
def api_calendar(
    of: AFigures,
    last: Day | None = None,
    days: Annotated[int, Query(ge=1, le=120)] = 35,
    search: Text = "",
    offset: Offset = 0,
    only_trouble: bool = False,
) -> Response:
    """The states of some accounts' pairs on some days."""
    return _json(
        calendar.view(
            of,
            airflow_state.read([of.dataset]),
            last=last,
            days=days,
            search=search,
            offset=offset,
            only_trouble=only_trouble,
        )
    )


@app.get("/api/pair")
def api_pair(of: AFigures, appid: Name, day: Day) -> Response:
    """One pair's story."""
    story = calendar.story(of, appid, day)
    if story is None:
        raise HTTPException(404, "no such account")
    return _json(story)


@app.get("/api/runs")
def api_runs(of: AFigures, offset: Offset = 0) -> Response:
    """What came of the newest runs."""
    return _json(runs.view(of, airflow_state.read([of.dataset]), airflow_state.runs, offset))


@app.get("/api/run")
def api_run(of: AFigures, run_id: Name) -> Response:
    """What came of one run by account, those that are not in first."""
    return _json(runs.accounts(of, airflow_state.runs, run_id))


@app.get("/api/accounts")
def api_accounts(of: AFigures) -> Response:
    """The accounts that have articles, by name, for the choice of one."""
    return _json(of.rows("page/article_accounts.sql"))


@app.get("/api/articles")
def api_articles(of: AFigures, who: AReader, appid: Name) -> Response:
    """An account's latest articles beside what is usual for it."""
    if not of.dataset.describes_articles:
        raise HTTPException(404, "this dataset has no articles that grow")
    return _json(articles.view(of, who.datasets, appid))


@app.get("/api/article")
def api_article(of: AFigures, appid: Name, msgid: Name) -> Response:
    """Where an article's readers came from by the end of its latest day, most first."""
    return _json(of.rows("page/article_sources.sql", appid=appid, msgid=msgid))


@cache
def dictionary() -> Mapping[str, Mapping[str, str]]:
    """Every label by language: the one file that holds them."""
    labels: dict[str, dict[str, str]] = json.loads((STATIC / "labels.json").read_text())
    return labels


def preferred_language(header: str) -> str:
    """The first language of an Accept-Language header that the page speaks; else English."""
    spoken = {it.split("-")[0]: it for it in dictionary()}
    weighted = []
    for n, part in enumerate(header.split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weighted.append((-float(quality or 1), n, name.split("-")[0].lower()))
        except ValueError:
            continue
    return next((spoken[name] for _, _, name in sorted(weighted) if name in spoken), "en")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _json(content: Any, status_code: int = 200) -> Response:
    # its texts in order of reading; others than these characters are escaped in JSON
    text = shown(msgspec.json.encode(content).decode())
    return Response(text, status_code, media_type="application/json")

"""The page as HTML: its templates, its labels in two languages, and how figures are written."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from weixin_etl import clock
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.web.page.reader import LANGUAGES, language
from weixin_etl.text import shown

HERE = Path(__file__).parent


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
    return tomllib.loads((HERE / "labels.toml").read_text())


def label(language: str, name: str, /, **places: object) -> str:
    """A label with its places filled in; a `count` of one may have a label of its own."""
    texts = labels().get(f"{name}_one") if places.get("count") == 1 else None
    return (texts or labels()[name])[LANGUAGES.index(language)].format(**places)


def time_text(instant: datetime) -> str:
    """`2026-11-24 08:30`, in Beijing."""
    return f"{instant.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M}"


def sentence(text: str) -> str:
    """A sentence with its capital; what begins with a name or an address keeps it as it is."""
    first = text.split(" ", 1)[0].rstrip(",;:")
    return text[:1].upper() + text[1:] if first.isascii() and first.isalpha() else text


def number(value: int | None) -> str:
    """`1,234`, or a dash for none."""
    return "–" if value is None else f"{value:,}"


def points(figures: Sequence[tuple[int, int]], width: int, height: int, last_day: int) -> list[str]:
    """The points of an SVG line of figures by day: 1 is left, 0 at the bottom, the most on top."""
    most = max((it for _, it in figures), default=0) or 1
    step = width / max(last_day - 1, 1)
    return [f"{(day - 1) * step:.1f},{height * (1 - it / most):.1f}" for day, it in figures]


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(time=time_text, sentence=sentence, number=number, points=points)
    return environment

"""
The page "WeChat articles" in Airflow: problems, coverage, runs, articles.

Behind Airflow's login; it reads and never writes. `app` answers, the modules beside it read the
warehouse, `static` is what the browser gets.
"""

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf

from weixin_etl.orchestration.page.app import app

TITLE = "WeChat articles"
PREFIX = "/weixin"
_HREF = f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PREFIX}/"
"""Airflow may be served below a path."""

FASTAPI_APPS: list[dict[str, Any]] = [{"app": app, "url_prefix": PREFIX, "name": TITLE}]
EXTERNAL_VIEWS: list[dict[str, Any]] = [
    {
        "name": TITLE,
        "href": _HREF,
        "url_route": "weixin",
        "destination": "nav",
        "icon": f"{_HREF}static/icon.svg",
        "icon_dark_mode": f"{_HREF}static/icon_dark.svg",
    },
    {
        "name": TITLE,
        "href": f"{_HREF}?dag_id={{DAG_ID}}",
        "url_route": "weixin_dag",
        "destination": "dag",
    },
]

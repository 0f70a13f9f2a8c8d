"""What Airflow's web server, with our page and middleware in it, answers to hostile calls."""

from collections.abc import Iterator

import page_world
import pytest
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.orchestration.web.page.app import app as page

TEST = "/api/v2/connections/test"


@pytest.fixture(scope="module")
def web(metadata_url: str) -> Iterator[TestClient]:
    """Airflow's own app, with the plugin as Airflow finds it."""
    from airflow.api_fastapi.app import create_app

    with TestClient(create_app(apps="core"), raise_server_exceptions=False) as client:
        yield client


def token(role: str) -> str:
    """What somebody of this role got when they logged in."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username=role, role=role)
    return get_auth_manager().generate_jwt(user)


@pytest.mark.parametrize(
    ("headers", "status", "detail"),
    [
        ({}, 401, "Not authenticated"),
        ({"Authorization": "Bearer no.token.atall"}, 403, "Invalid JWT token"),
        ({"Cookie": "_token=no.token.atall"}, 403, "Invalid JWT token"),
        ("viewer", 403, "Forbidden"),
    ],
)
def test_who_may_not_gets_airflows_own_answer(
    web: TestClient, headers: dict[str, str] | str, status: int, detail: str
) -> None:
    """Though the button's call passes through our middleware first."""
    if isinstance(headers, str):
        headers = {"Authorization": f"Bearer {token(headers)}"}

    answer = web.post(TEST, json={"conn_type": "weixin", "port": 0}, headers=headers)

    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


GOOD = {
    "dataset": ARTICLE_TOTAL.name,
    "appid": "wx0001",
    "msgid": "1_1",
    "run_id": "none",
    "day": "2026-11-20",
    "begin": "2026-11-20",
    "end": "2026-11-20",
    "accounts": "wx0001",
}
"""What is given to a parameter that has to be given."""
NEVER = [
    *("x" * 5000, "9" * 5000),
    *("%00", "a%00b", "%1B[2J", "%C2%9B"),  # control characters
]
"""What no parameter may be."""
TEXTS = ["", "%FF%FE", "%ED%A0%80", "0001-01-01", "9999-12-31", "-1", str(2**70), "1e300", "nan"]
"""What is no number, day or switch; an optional text may be all of it, one that is needed a few."""


@pytest.mark.parametrize(
    "route", [it for it in page.routes if isinstance(it, APIRoute)], ids=lambda it: it.path
)
@pytest.mark.usefixtures("airflow")
def test_an_odd_value_is_refused(web: TestClient, warehouse: Engine, route: APIRoute) -> None:
    """In each parameter of each route: never 500, and never that the warehouse can't be read."""
    with warehouse.begin() as connection:
        page_world.fill(connection, ARTICLE_TOTAL, 1, 8, clock.now())
    headers = {"Authorization": f"Bearer {token('viewer')}"}
    fields = get_flat_dependant(route.dependant).query_params
    good = {it.alias: GOOD[it.alias] for it in fields if it.field_info.is_required()}

    def said(**odd: str) -> int:
        query = "&".join(f"{name}={value}" for name, value in (good | odd).items())
        return web.get(f"/weixin{route.path}?{query}", headers=headers).status_code

    status = said()
    assert status in (200, 503)
    for field in fields:
        is_text = field.field_info.annotation is str
        for value in [*NEVER, *TEXTS]:
            fits = is_text and value in TEXTS
            answered = said(**{field.alias: value})
            assert answered in ({status, 404} if fits else {422}), (field.alias, value)

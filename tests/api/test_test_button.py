"""Tests of the middleware that corrects the call of the connection form's button *Test*."""

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weixin_etl.orchestration.web.test_button import LONGEST_BODY_BYTES, with_readable_test

TEST = "/api/v2/connections/test"
WITHOUT_PORT = {"connection_id": "a", "conn_type": "weixin", "extra": "春"}
WITH_PORT = WITHOUT_PORT | {"port": 0}
UNCHANGED = (WITH_PORT | {"port": 8077}, WITH_PORT | {"conn_type": "a"}, [1])
"""Bodies of the call that the middleware must not change."""


async def airflow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body, as the application behind the middleware."""
    request = Request(scope, receive)
    body = await request.body()
    assert request.headers["content-length"] == str(len(body))
    await Response(body)(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "method", "asked", "passed"),
    [
        (TEST, "POST", WITH_PORT, WITHOUT_PORT),
        (f"/airflow{TEST}", "POST", WITH_PORT, WITHOUT_PORT),
        (TEST, "POST", long := WITH_PORT | {"x": "x" * LONGEST_BODY_BYTES}, long),
        ("/api/v2/dags/weixin_article_total/dagRuns", "POST", WITH_PORT, WITH_PORT),
        (TEST, "PUT", WITH_PORT, WITH_PORT),
        *((TEST, "POST", body, body) for body in UNCHANGED),
    ],
)
def test_only_port_0_of_a_weixin_connection_is_removed(
    path: str, method: str, asked: object, passed: object
) -> None:
    """Airflow may be served under any path. Every other request is passed on unchanged."""
    assert (
        TestClient(with_readable_test(airflow)).request(method, path, json=asked).json() == passed
    )

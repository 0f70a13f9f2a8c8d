"""The button *Test*: what the API server mends in its call, and that it leaves others alone."""

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weixin_etl.orchestration.web.test_button import LONGEST_BODY_BYTES, with_readable_test

TEST = "/api/v2/connections/test"
MENDED = {"connection_id": "a", "conn_type": "weixin", "extra": "春"}
OURS = MENDED | {"port": 0}


async def airflow(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind a middleware: answers what it is asked."""
    request = Request(scope, receive)
    body = await request.body()
    assert request.headers["content-length"] == str(len(body))
    await Response(body)(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "method", "asked", "passed"),
    [
        (TEST, "POST", OURS, MENDED),
        (f"/airflow{TEST}", "POST", OURS, MENDED),
        (TEST, "POST", long := OURS | {"x": "x" * LONGEST_BODY_BYTES}, long),
        ("/api/v2/dags/weixin_article_total/dagRuns", "POST", OURS, OURS),
        (TEST, "PUT", OURS, OURS),
        *((TEST, "POST", it, it) for it in (OURS | {"port": 8077}, OURS | {"conn_type": "a"}, [1])),
    ],
)
def test_only_port_0_of_ours_is_left_out(
    path: str, method: str, asked: object, passed: object
) -> None:
    """At whatever path Airflow is served; all else is passed on as it is."""
    assert (
        TestClient(with_readable_test(airflow)).request(method, path, json=asked).json() == passed
    )

"""The button *Test*: what the API server mends in its call, and that it leaves others alone."""

import json

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from weixin_etl.orchestration.web.test_button import LONGEST_BODY_BYTES, mending

TEST = "/api/v2/connections/test"
OURS = {"connection_id": "a", "conn_type": "weixin", "port": 0, "extra": "春"}


async def airflow(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind a middleware: answers what it is asked."""
    request = Request(scope, receive)
    body = await request.body()
    assert request.headers["content-length"] == str(len(body))
    await JSONResponse({"asked": body.decode()})(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "method", "asked", "is_mended"),
    [
        (TEST, "POST", OURS, True),
        (f"/airflow{TEST}", "POST", OURS, True),
        (TEST, "POST", OURS | {"x": "x" * LONGEST_BODY_BYTES}, False),
        ("/api/v2/dags/weixin_article_total/dagRuns", "POST", OURS, False),
        (TEST, "PUT", OURS, False),
        (TEST, "POST", OURS | {"port": 8077}, False),
        (TEST, "POST", OURS | {"conn_type": "postgres"}, False),
        (TEST, "POST", {"connection_id": "a", "port": 0}, False),
        (TEST, "POST", ["weixin"], False),
    ],
)
def test_only_port_0_of_ours_is_left_out(
    path: str, method: str, asked: object, is_mended: bool
) -> None:
    """At whatever path Airflow is served; all else is passed on as it is."""
    text = json.dumps(asked)

    passed = TestClient(mending(airflow)).request(method, path, content=text.encode()).json()

    expected = {key: OURS[key] for key in OURS if key != "port"}
    assert (json.loads(passed["asked"]) == expected) if is_mended else (passed["asked"] == text)

"""The button *Test*: what the API server mends in its call, and that it leaves others alone."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import tested_conn_id
from weixin_etl.orchestration.web.test_button import LONGEST_BODY_BYTES, TestButton

TEST = "/api/v2/connections/test"
OURS = {"connection_id": "weixin_spring", "conn_type": "weixin", "port": 0, "extra": "春"}


@dataclass
class Airflow:
    """What is behind a middleware: keeps what it is asked."""

    bodies: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    received_before: int = 0
    """How much was received of the last call before this was asked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.received_before = scope["received"]()
        request = Request(scope, receive)
        self.bodies.append(await request.body())
        self.lengths.append(int(request.headers["content-length"]))
        self.tested.append(tested_conn_id.get())
        await JSONResponse({"detail": "Airflow's answer"})(scope, receive, send)


def post(app: ASGIApp, path: str, body: object, *, method: str = "POST") -> tuple[int, str]:
    """The status and detail of the answer; the body comes in two parts, as a server gives it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    half = len(data) // 2
    parts: list[Message] = [
        {"type": "http.request", "body": data[:half], "more_body": True},
        {"type": "http.request", "body": data[half:], "more_body": False},
    ]
    coming, sent = iter([*parts, {"type": "http.disconnect"}]), []
    count = 0

    async def receive() -> Message:
        nonlocal count
        count += 1
        return next(coming)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"content-length", str(len(data)).encode())],
        "received": lambda: count,
    }

    async def call() -> None:
        await app(scope, receive, send)
        assert tested_conn_id.get() == ""  # the next call of this task is another one

    anyio.run(call)
    return sent[0]["status"], json.loads(sent[1]["body"])["detail"]


PASSED_ON = (200, "Airflow's answer")


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        (TEST, "POST", OURS | {"x": "x" * LONGEST_BODY_BYTES}),
        ("/api/v2/dags/weixin_article_total/dagRuns", "POST", {"conf": {}}),
        (TEST, "PUT", OURS),
    ],
)
def test_other_calls_are_passed_on_unread(path: str, method: str, body: object) -> None:
    """And a long one: no more of it is held than what is bounded."""
    airflow = Airflow()

    assert post(TestButton(airflow), path, body, method=method) == PASSED_ON
    assert airflow.received_before == 0
    assert airflow.bodies == [json.dumps(body).encode()]


@pytest.mark.parametrize("below", ["", "/airflow"])
def test_port_0_of_the_list_is_left_out_and_the_hook_knows_the_connection(below: str) -> None:
    """For this call alone, at whatever path Airflow is served."""
    airflow = Airflow()

    assert post(TestButton(airflow), f"{below}{TEST}", OURS) == PASSED_ON

    (body,) = airflow.bodies
    assert json.loads(body) == {key: OURS[key] for key in OURS if key != "port"}
    assert airflow.lengths == [len(body)]
    assert airflow.tested == ["weixin_spring"]


@pytest.mark.parametrize(
    ("asked", "tested"),
    [
        ({"connection_id": "a", "conn_type": "weixin", "port": 8077}, "a"),
        ({"connection_id": "a", "conn_type": "weixin"}, "a"),
        ({"connection_id": ["a"], "conn_type": "weixin"}, ""),
        ({"connection_id": "a", "conn_type": "postgres", "port": 0}, ""),
        ({"connection_id": "a", "port": 0}, ""),
        (["weixin"], ""),
    ],
)
def test_other_connections_are_tested_as_they_are(asked: Iterable[str], tested: str) -> None:
    """Those of other types, and a port that is one."""
    airflow = Airflow()

    assert post(TestButton(airflow), TEST, asked) == PASSED_ON
    assert airflow.bodies == [json.dumps(asked).encode()]
    assert airflow.tested == [tested]

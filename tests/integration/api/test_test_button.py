"""The button *Test*: what the API server mends in its call, and that it leaves others alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import tested_conn_id
from weixin_etl.orchestration.web.test_button import LONGEST_BODY_BYTES, TestButton

TEST = "/api/v2/connections/test"
OURS = {"connection_id": "a", "conn_type": "weixin", "port": 0, "extra": "春"}


@dataclass
class Airflow:
    """What is behind a middleware: keeps what it is asked."""

    bodies: list[bytes] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.bodies.append(await request.body())
        assert request.headers["content-length"] == str(len(self.bodies[-1]))
        self.tested.append(tested_conn_id.get())
        await JSONResponse({"detail": "Airflow's answer"})(scope, receive, send)


def passed_on(path: str, asked: object, method: str = "POST") -> tuple[bytes, str]:
    """What Airflow gets of a call, and which connection the hook is told of."""
    airflow = Airflow()
    client = TestClient(TestButton(airflow))
    answer = client.request(method, path, content=json.dumps(asked).encode())

    assert answer.json() == {"detail": "Airflow's answer"}
    assert tested_conn_id.get() == ""  # the next call is another one
    return airflow.bodies[0], airflow.tested[0]


@pytest.mark.parametrize("below", ["", "/airflow"])
def test_port_0_of_the_list_is_left_out_and_the_hook_knows_the_connection(below: str) -> None:
    """For this call alone, at whatever path Airflow is served."""
    body, tested = passed_on(f"{below}{TEST}", OURS)

    assert json.loads(body) == {key: OURS[key] for key in OURS if key != "port"}
    assert tested == "a"


@pytest.mark.parametrize(
    ("path", "method", "asked", "tested"),
    [
        (TEST, "POST", OURS | {"x": "x" * LONGEST_BODY_BYTES}, ""),
        ("/api/v2/dags/weixin_article_total/dagRuns", "POST", {"conf": {}}, ""),
        (TEST, "PUT", OURS, ""),
        (TEST, "POST", OURS | {"port": 8077}, "a"),
        (TEST, "POST", {"connection_id": "a", "conn_type": "weixin"}, "a"),
        (TEST, "POST", OURS | {"connection_id": ["a"], "port": 1}, ""),
        (TEST, "POST", OURS | {"conn_type": "postgres"}, ""),
        (TEST, "POST", {"connection_id": "a", "port": 0}, ""),
        (TEST, "POST", ["weixin"], ""),
    ],
)
def test_other_calls_are_passed_on_as_they_are(
    path: str, method: str, asked: Mapping[str, object], tested: str
) -> None:
    """Long ones, those of other types, and with a port that is one."""
    assert passed_on(path, asked, method) == (json.dumps(asked).encode(), tested)

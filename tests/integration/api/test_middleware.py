"""What Airflow's API server does differently for two calls, and that it leaves all others alone."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import USER_INJECTED_BY_TRUSTED_MIDDLEWARE
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.hook import tested_conn_id
from weixin_etl.orchestration.middleware import LONGEST_BODY_BYTES, OurCalls

RUNS = "/api/v2/dags/weixin_article_total/dagRuns"
TEST = "/api/v2/connections/test"
MISTYPED = {"logical_date": None, "conf": {"acounts": ["a1"], "dryrun": True}}


@pytest.fixture(autouse=True)
def auth_manager() -> None:
    """Airflow's simple one decides what a role may."""
    create_auth_manager()


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


def post(
    app: ASGIApp,
    path: str,
    body: object,
    *,
    root_path: str = "",
    method: str = "POST",
    role: str = "admin",
) -> tuple[int, str]:
    """
    The status and detail of the answer; the body comes in two parts, as a server gives it.

    Airflow's own middleware has read the cookie; without a role there was none.
    """
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
        "root_path": root_path,
        "headers": [(b"content-length", str(len(data)).encode())],
        "received": lambda: count,
        "state": {},
    }
    if role:
        scope["state"] = {
            "user": SimpleAuthManagerUser(username="somebody", role=role),
            "user_authenticated_via": USER_INJECTED_BY_TRUSTED_MIDDLEWARE,
        }

    async def call() -> None:
        await app(scope, receive, send)
        assert tested_conn_id.get() == ""  # the next call of this task is another one

    anyio.run(call)
    return sent[0]["status"], json.loads(sent[1]["body"])["detail"]


PASSED_ON = (200, "Airflow's answer")


@pytest.mark.parametrize(
    ("conf", "detail"),
    [
        (
            MISTYPED["conf"],
            "acounts is no parameter: did you mean accounts? "
            "dryrun is no parameter: did you mean dry_run?",
        ),
        (
            {"zz": 1},
            "zz is no parameter; there are begin_date, end_date, accounts, refetch, dry_run.",
        ),
        ({"Dry_Run": 1}, "Dry_Run is no parameter: did you mean dry_run?"),
        (
            {"a" * 100: 1},
            f"{'a' * 40}… is no parameter; there are begin_date, end_date, accounts, refetch, "
            "dry_run.",
        ),
    ],
)
def test_a_mistyped_parameter_is_refused(conf: dict[str, object], detail: str) -> None:
    """With the one that was meant, or all names when none is near; no run: Airflow is not asked."""
    airflow = Airflow()

    assert post(OurCalls(airflow), RUNS, {"conf": conf}) == (400, detail)
    assert airflow.bodies == []


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        (f"/airflow{RUNS}", "/airflow"),  # as it comes
        (RUNS, "/airflow"),  # a proxy has cut the path off
        (f"/a/b{RUNS}", "/a/b/"),
    ],
)
def test_a_base_url_with_a_path_makes_no_difference(path: str, root_path: str) -> None:
    """`[api] base_url` may be `https://example.org/airflow`."""
    assert post(OurCalls(Airflow()), path, MISTYPED, root_path=root_path)[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {"logical_date": None},
        {"conf": {"accounts": ["a1"], "dry_run": True}},
        {"conf": ["acounts"]},
        ["conf"],
        b'{"conf": {"acounts": 1}',
        b'\xff{"conf": {"acounts": 1}}',
        b"[" * 100_000,
        b"",
    ],
)
def test_what_is_not_mistyped_is_airflows_to_judge(body: object) -> None:
    """A good call, and one that is no JSON object: the bytes are passed on as they came."""
    airflow = Airflow()

    assert post(OurCalls(airflow), RUNS, body) == PASSED_ON
    assert airflow.bodies == [body if isinstance(body, bytes) else json.dumps(body).encode()]


@pytest.mark.parametrize(
    ("path", "method", "role"),
    [
        ("/api/v2/dags/somebody_elses/dagRuns", "POST", "admin"),
        (RUNS, "PATCH", "admin"),
        ("/api/v2/connections", "POST", "admin"),
        (TEST, "PUT", "admin"),
        (RUNS, "POST", "viewer"),
        (RUNS, "POST", ""),
        (TEST, "POST", "viewer"),
        (TEST, "POST", ""),
    ],
)
def test_other_calls_are_not_read(path: str, method: str, role: str) -> None:
    """Airflow receives them itself, piece by piece; so it does those of who may not make them."""
    airflow = Airflow()

    answer = post(OurCalls(airflow), path, MISTYPED, method=method, role=role)

    assert answer == PASSED_ON
    assert airflow.received_before == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RUNS, {"conf": {"acounts": "x" * 2 * LONGEST_BODY_BYTES}}),
        (TEST, {"conn_type": "weixin", "port": 0, "x": "x" * LONGEST_BODY_BYTES}),
    ],
)
def test_a_long_body_is_passed_on_unread(path: str, body: object) -> None:
    """No more of it is held than what is bounded; the first task refuses what was mistyped."""
    airflow = Airflow()

    assert post(OurCalls(airflow), path, body) == PASSED_ON
    assert airflow.bodies == [json.dumps(body).encode()]


def test_port_0_of_the_list_is_left_out_and_the_hook_knows_the_connection() -> None:
    """For this call alone."""
    airflow = Airflow()
    asked = {"connection_id": "weixin_spring", "conn_type": "weixin", "port": 0, "extra": "春"}

    assert post(OurCalls(airflow), TEST, asked) == PASSED_ON

    (body,) = airflow.bodies
    assert json.loads(body) == {key: asked[key] for key in asked if key != "port"}
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

    assert post(OurCalls(airflow), TEST, asked) == PASSED_ON
    assert airflow.bodies == [json.dumps(asked).encode()]
    assert airflow.tested == [tested]

"""What Airflow's API server does differently for some calls, and that it leaves others alone."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import USER_INJECTED_BY_TRUSTED_MIDDLEWARE
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import tested_conn_id
from weixin_etl.orchestration.middleware import LONGEST_BODY_BYTES, OurCalls
from weixin_local.environment import postgres_connection

RUNS = "/api/v2/dags/weixin_article_total/dagRuns"
BACKFILLS = "/api/v2/backfills"
TEST = "/api/v2/connections/test"
MISTYPED = {"logical_date": None, "conf": {"acounts": ["a1"], "dryrun": True}}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's simple auth manager decides what a role may; two accounts, and a platform."""
    create_auth_manager()
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T08:30:00+08:00")
    monkeypatch.setenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS", '["a1", "a2"]')
    for conn_id, appid in (("a1", "wx1"), ("a2", "wx2"), ("p", "wxp")):
        fields = {"conn_type": "weixin", "login": appid, "password": "secret"}
        extra = {"name": f"号{conn_id}"} | ({"mode": "platform"} if conn_id == "p" else {})
        value = json.dumps(fields | {"extra": extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)


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


DAYS = "getarticletotal has days from 2014-12-01 to yesterday in Beijing, 2026-11-23"
TOO_LATE = f"end_date 2026-11-24 is too late: {DAYS}"
IN_A_BACKFILL = (
    "leave begin_date and end_date empty in a backfill: its dates are mornings of runs; "
    "for publication days, trigger a single run"
)


@pytest.mark.parametrize(
    ("conf", "detail"),
    [
        (
            {"begin_date": "2026-11-12", "end_date": "2026-11-11"},
            "begin_date 2026-11-12 is after end_date 2026-11-11",
        ),
        ({"begin_date": "2026-11-12", "end_date": "2026-11-24"}, TOO_LATE),
        (
            {"begin_date": "2014-11-30", "end_date": "2026-11-11"},
            f"begin_date 2014-11-30 is too early: {DAYS}",
        ),
        ({"begin_date": "2026-11-12"}, "give both begin_date and end_date, or neither"),
        (
            {"begin_date": "2026-02-29", "end_date": "2026-11-11"},
            "begin_date '2026-02-29' is not a date; write it like 2026-11-24",
        ),
        (
            {"accounts": ["a1", "a22"]},
            "accounts: weixin_accounts has no connection id or appid a22; there are "
            "号a2 (a2, wx2), 号a1 (a1, wx1)",
        ),
        (
            {"accounts": ["x" * 900_000]},
            f"accounts: weixin_accounts has no connection id or appid {'x' * 64}…; there are "
            "号a1 (a1, wx1), 号a2 (a2, wx2)",
        ),
    ],
)
def test_what_the_run_would_refuse_is_refused(conf: dict[str, object], detail: str) -> None:
    """In the run's words, for a run and in a backfill, where days are refused whatever they are."""
    in_backfill = {"dag_id": "weixin_article_total", "dag_run_conf": conf}

    assert post(OurCalls(Airflow()), RUNS, {"conf": conf}) == (400, detail)
    for path in (BACKFILLS, f"{BACKFILLS}/dry_run"):
        refusal = detail if "accounts" in conf else IN_A_BACKFILL
        assert post(OurCalls(Airflow()), path, in_backfill) == (400, refusal)


@pytest.mark.parametrize(
    ("conf", "listed"),
    [
        ({"begin_date": "2026-11-23", "end_date": "2026-11-23"}, '["a1"]'),
        ({"begin_date": None, "end_date": "", "accounts": None}, '["a1"]'),
        ({"begin_date": 20261124, "end_date": "2026-11-11"}, '["a1"]'),  # Airflow's to judge
        ({"accounts": "a1"}, '["a1"]'),
        ({"accounts": ["a2", "wx1"]}, '["a1", "a2"]'),
        ({"accounts": ["wx9"]}, '["a1", "only_tasks_find_it"]'),
        ({"accounts": ["wx9", "p/wx8"]}, '["p"]'),
        ({"accounts": ["b"]}, None),  # nor may this process find the tasks' list
    ],
)
def test_what_may_be_right_is_not_refused(
    conf: dict[str, object], listed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run judges what it alone can: it asks WeChat, and tasks may find more connections."""
    if listed:
        monkeypatch.setenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS", listed)
    else:
        monkeypatch.delenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS")

    assert post(OurCalls(Airflow()), RUNS, {"conf": conf}) == PASSED_ON


def test_a_name_that_no_account_of_a_platform_has_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside a platform, which may have any AppID and entries of its own, as without one."""
    monkeypatch.setenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS", '["p", "a1"]')

    status, detail = post(OurCalls(Airflow()), RUNS, {"conf": {"accounts": ["a22"]}})

    assert status == 400
    assert detail.startswith("accounts: weixin_accounts has no connection id or appid a22;")


def test_without_a_variable_the_one_account_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """If its connection is found here, so would the list of accounts be."""
    monkeypatch.delenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS")
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_DEFAULT", "weixin://wx1:secret@")

    assert post(OurCalls(Airflow()), RUNS, {"conf": {"accounts": ["weixin_defalt"]}}) == (
        400,
        "accounts: weixin_accounts has no connection id or appid weixin_defalt; "
        "there are weixin_default (wx1)",
    )


@pytest.mark.parametrize(
    ("conf", "answer"),
    [
        (
            {"begin_date": "2026-11-12", "end_date": "2026-11-11"},
            (400, "begin_date 2026-11-12 is after end_date 2026-11-11"),
        ),
        (
            {"accounts": ["wx1", "a9"]},
            (400, "no account of the warehouse is called a9; there are: 号a1"),
        ),
        ({"accounts": ["wx1", "a1", "号a1"], "begin_date": "2026-11-12"}, PASSED_ON),
        ({"dataset": "article", "accounts": ["a9"]}, PASSED_ON),  # Airflow's to judge
    ],
)
def test_what_a_replay_would_refuse_is_refused(
    conf: dict[str, object],
    answer: tuple[int, str],
    warehouse: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the warehouse that has the accounts; if it can't be read here, the run judges them."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at) "
            "VALUES ('wx1', '号a1', 'a1', now())"
        )
    replays = "/api/v2/dags/weixin_replay/dagRuns"
    in_the_dark = answer if "end_date" in conf else PASSED_ON

    assert post(OurCalls(Airflow()), replays, {"conf": conf}) == in_the_dark
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(warehouse.url))
    assert post(OurCalls(Airflow()), replays, {"conf": conf}) == answer


def test_days_for_a_later_run_are_judged_then() -> None:
    """They may be over by then."""
    conf = {"begin_date": "2026-11-24", "end_date": "2026-11-24"}
    later = {"conf": conf, "run_after": "2026-11-25T00:00:00Z"}

    assert post(OurCalls(Airflow()), RUNS, {"conf": conf}) == (400, TOO_LATE)
    assert post(OurCalls(Airflow()), RUNS, later) == PASSED_ON


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
        (BACKFILLS, "GET", "admin"),
        (BACKFILLS, "POST", ""),
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


def test_who_may_not_make_a_backfill_is_told_nothing() -> None:
    """Its DAG is in the body, which is read as soon as it is known who asks."""
    asked = {"dag_id": "weixin_article_total", "dag_run_conf": MISTYPED["conf"]}

    assert post(OurCalls(Airflow()), BACKFILLS, asked, role="user")[0] == 400
    assert post(OurCalls(Airflow()), BACKFILLS, asked, role="viewer") == PASSED_ON
    assert post(OurCalls(Airflow()), BACKFILLS, asked | {"dag_id": "another"}) == PASSED_ON


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

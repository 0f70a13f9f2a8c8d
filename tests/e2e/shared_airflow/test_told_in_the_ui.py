"""
What can go wrong, provoked in a running Airflow, and read as its UI reads it: from the log API.

A red task's log ends with a line per account and cause, what to change first, and one sentence.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from people import Person
from rest import PATIENCE_SECONDS, Rest
from sqlalchemy import make_url

from weixin_etl.api.errors import BY_CODE, WHAT_TO_CHANGE
from weixin_etl.warehouse.errors import BY_SQLSTATE
from weixin_local import machine
from weixin_local.environment import admin_password
from weixin_local.home import SANDBOX_DATABASE, Home
from weixin_sandbox import Account, Sandbox, Scenario

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"
LONGEST_LINE = 160


@dataclass(frozen=True)
class Stack:
    """A running Airflow whose accounts the sandbox of this process answers."""

    home: Home
    rest: Rest
    sandbox: Sandbox
    base_url: str

    def connect(self, conn_id: str, conn_type: str = "weixin", **fields: Any) -> None:
        """Make the connection anew, as somebody does in the UI."""
        body = {"connection_id": conn_id, "conn_type": conn_type, **fields}
        existing = self.rest("GET", "connections?limit=200")["connections"]
        if any(it["connection_id"] == conn_id for it in existing):
            self.rest("DELETE", f"connections/{conn_id}")
        self.rest("POST", "connections", body)

    def connect_warehouse(self, url: str) -> None:
        """Point the warehouse's connection at a database."""
        parts = make_url(url)
        self.connect(
            "weixin_warehouse",
            "postgres",
            host=parts.host,
            port=parts.port,
            login=parts.username,
            password=parts.password,
            schema=parts.database,
        )

    def collect(self, accounts: Sequence[str]) -> None:
        """Have the runs collect these connections, and no others."""
        self.rest("PATCH", "variables/weixin_accounts", variable(accounts))

    def account(self, conn_id: str, *scenarios: str) -> Account:
        """An account of the sandbox whose calls meet the scenarios, connected."""
        number = len(self.sandbox.accounts) + 1
        account = Account(f"wx{number:016x}", f"{number:032x}", f"号{conn_id}")
        self.sandbox.accounts[account.appid] = account
        self.sandbox.scenarios.extend(Scenario(it, account=account.appid) for it in scenarios)
        self.connect(
            conn_id,
            login=account.appid,
            password=account.secret,
            host=self.base_url,
            extra=json.dumps({"name": account.name}),
        )
        return account

    def wait_for_the_scheduled_run(self) -> None:
        """Airflow makes one as soon as it can: it would ask the accounts of the tests as well."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        path = f"dags/{DAG}/dagRuns?run_type=scheduled"
        while not (runs := self.rest("GET", path)["dag_runs"]):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        self.rest.ended(DAG, runs[0]["dag_run_id"])

    def red(self, **conf: Any) -> "Red":
        """A run that ends red."""
        run = self.rest.run(DAG, conf)
        assert run["state"] == "failed"
        return Red(self.rest, run["dag_run_id"])


@dataclass(frozen=True)
class Red:
    """A red run, as the UI shows it."""

    rest: Rest
    run_id: str

    def log(self, task_id: str) -> list[dict[str, Any]]:
        """The lines of the last try of each of the task's instances."""
        instances = self.rest("GET", f"dags/{DAG}/dagRuns/{self.run_id}/taskInstances?limit=100")
        lines: list[dict[str, Any]] = []
        for it in instances["task_instances"]:
            if it["task_id"] == task_id and it["try_number"]:
                path = f"dags/{DAG}/dagRuns/{self.run_id}/taskInstances/{task_id}/logs"
                answer = self.rest(
                    "GET",
                    f"{path}/{it['try_number']}?map_index={it['map_index']}&full_content=true",
                )
                lines += [line for line in answer["content"] if isinstance(line, dict)]
        return lines

    def errors(self, task_id: str) -> list[str]:
        """
        The lines of level ERROR, in order, but for the last one of each instance.

        Every one is short, and none has a traceback.
        """
        found = [line for line in self.log(task_id) if line.get("level") == "error"]
        assert all("error_detail" not in line for line in found)
        said = [line["event"] for line in found if not line["event"].startswith("Task exited")]
        assert [line for line in said if len(line) > LONGEST_LINE] == []
        return said

    def ends_with(self, task_id: str) -> list[str]:
        """The sentences its instances end with."""
        return [str(it["exit_code"]) for it in self.log(task_id) if it["event"] == "Task exited"]


def variable(accounts: Sequence[str]) -> dict[str, str]:
    """The Variable that names the accounts."""
    return {"key": "weixin_accounts", "value": json.dumps(list(accounts))}


@pytest.fixture(scope="module")
def stack(person: Person) -> Iterator[Stack]:
    """An Airflow without retries, whose connections are made in its UI."""
    sandbox = Sandbox()
    sandbox.accounts.clear()
    port = machine.choose_port()
    with sandbox.serve() as base_url:
        said = person.weixin(
            "up",
            "--port",
            str(port),
            AIRFLOW_CONN_WEIXIN_WAREHOUSE="",  # so that the one made in the UI is used
            AIRFLOW__WEIXIN__RETRIES="0",
            AIRFLOW__WEIXIN__BACKOFF_SECONDS="0.01",
            AIRFLOW__WEIXIN__MINUTE_QUOTA_WAIT_SECONDS="0.01",
            AIRFLOW__WEIXIN__READ_TIMEOUT_SECONDS="1",
        )
        assert said.returncode == 0, said.stderr
        stack = Stack(person.home, Rest(port, admin_password(person.home)), sandbox, base_url)
        stack.connect_warehouse(person.home.server.url(SANDBOX_DATABASE))
        stack.rest("POST", "variables", variable(["weixin_default"]))
        stack.wait_for_the_scheduled_run()
        yield stack


@pytest.fixture
def warehouse(stack: Stack) -> Iterator[Callable[[str], None]]:
    """Executes a statement in the warehouse, whose connection is set right afterwards."""
    url = stack.home.server.url(SANDBOX_DATABASE).replace("+psycopg2", "")

    def execute(sql: str) -> None:
        connection = psycopg2.connect(url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()

    yield execute
    stack.connect_warehouse(url)


TOKEN_CODES = sorted(set(WHAT_TO_CHANGE) - {61502})
DATA_CODES = sorted({*BY_CODE, 48001, 61502, 41001} - {61503})
"""Whose refusal makes a run red; a withdrawn authorisation does not."""


def test_every_refusal_says_what_to_change(stack: Stack) -> None:
    """One line per account and cause, in `ingest` and again in `check`; then one sentence."""
    refused = {f"t{code}": f"token-call:errcode:{code}" for code in TOKEN_CODES}
    refused |= {f"d{abs(code)}": f"errcode:{code}" for code in DATA_CODES}
    refused |= {it: it for it in ("http-500", "cut-answer", "bad-json", "clock-skew")}
    accounts = {conn_id: stack.account(conn_id, name) for conn_id, name in refused.items()}
    stack.collect([*refused, "nobody"])

    red = stack.red()

    told = red.errors("ingest")
    for conn_id, account in accounts.items():
        code = re.fullmatch(r"[td](\d+)", conn_id)
        lines = [line for line in told if line.startswith(f"{account.name}: ")]
        assert len(lines) == 1, (conn_id, lines)
        assert [
            line for line in red.errors("check") if line.startswith(f"{account.name}: ")
        ] == lines
        for line in lines:
            assert f" · {conn_id}" in line
            if code:
                assert re.search(rf"errcode -?{code[1]}\b", line)
    nobody = (
        "nobody: create it with type weixin, or use weixin_default (environment) or one of "
        "Admin → Connections (there is no such Airflow connection)"
    )
    assert [line for line in red.errors("check") if line.startswith("nobody")] == [nobody]
    assert red.errors("refresh_access_token") != []
    count = len(accounts) + 1
    assert red.ends_with("check") == [f"{count} accounts are not in: see the lines above"]


def test_days_that_cannot_be_asked_for(stack: Stack) -> None:
    """`plan` says what to enter; `check` says it too, and whom it concerns."""
    account = stack.account("form")
    stack.collect(["form"])

    red = stack.red(begin_date="2026-11-20", end_date="2026-11-19")

    line = "begin_date 2026-11-20 is after end_date 2026-11-19"
    assert red.errors("plan") == [line]
    assert red.ends_with("plan") == ["see the ERROR line above"]
    first, second = red.errors("check")
    assert first == line
    assert second.startswith(f"{account.name}: trigger a new run, with days that can be asked for")
    assert red.ends_with("check") == ["failed: plan; see the lines above and the log of each"]


def test_accounts_that_are_not_configured(stack: Stack) -> None:
    """The line names those that are."""
    account = stack.account("chunfeng1")
    stack.collect(["chunfeng1"])

    red = stack.red(accounts=["chunfeng"])

    (line,) = red.errors("refresh_access_token")
    assert line == (
        "accounts: weixin_accounts has no connection id or appid chunfeng; "
        f"there are {account.name} (chunfeng1, {account.appid})"
    )


def test_a_variable_that_names_no_accounts(stack: Stack) -> None:
    """The line says how to write it."""
    stack.collect([])

    red = stack.red()

    assert red.errors("refresh_access_token") == red.errors("check")
    (line,) = red.errors("check")
    assert line.endswith('write it like ["weixin_default"]')


def test_connections_that_cannot_be_used(stack: Stack) -> None:
    """Each says which field of which connection to correct; nothing was planned for it."""
    stack.connect("no_login", password="x", host=stack.base_url)
    stack.connect("no_password", login="wx1", host=stack.base_url)
    stack.connect("no_https", login="wx2", password="x", host="http://example.com")
    stack.connect("no_address", login="wx3", password="x", host="http://a b")
    names = ["no_login", "no_password", "no_https", "no_address"]
    stack.collect(names)

    red = stack.red()

    assert [line.split(" (")[0] for line in red.errors("check")] == [
        "no_login: fill in the login",
        "no_password: fill in the password",
        "no_https: use https, or set allow_http in the connection's extra",
        "no_address: correct the connection's host or leave it empty",
    ]
    assert red.ends_with("check") == ["4 accounts are not in: see the lines above"]


def test_no_api_behind_the_address(stack: Stack) -> None:
    """Nobody listens: the line says that it is asked again, and why."""
    account = stack.account("nobody_listens")
    stack.connect(
        "nobody_listens",
        login=account.appid,
        password=account.secret,
        host=f"http://127.0.0.1:{machine.choose_port()}",
        extra=json.dumps({"name": account.name}),
    )
    stack.collect(["nobody_listens"])

    red = stack.red()

    (line,) = red.errors("check")
    assert line.startswith(f"{account.name}: wait; if it persists")
    assert "Connection refused" in line


def test_figures_that_are_not_ready(stack: Stack) -> None:
    """It is no error but a warning, and the run is red: it says when to come back."""
    account = stack.account("not_ready", "not-ready-code")
    stack.collect(["not_ready"])

    red = stack.red()

    assert red.errors("check") == []
    warnings = [it["event"] for it in red.log("check") if it.get("level") == "warning"]
    assert warnings[-1].startswith(f"{account.name}: run again after 10:00 Beijing time")
    assert red.ends_with("check") == ["1 account is not in: see the lines above"]


FAULTS = {"".join(state).ljust(5, "0"): state for state in BY_SQLSTATE}
"""A whole SQLSTATE for each that has advice."""


def test_every_trouble_of_the_warehouse(stack: Stack, warehouse: Callable[[str], None]) -> None:
    """Whatever Postgres refuses a load with: what to do is first in the line."""
    accounts = {state: stack.account(f"pg{state}".lower()) for state in FAULTS}
    cases = " ".join(
        f"WHEN '{account.appid}' THEN '{state}'" for state, account in accounts.items()
    )
    warehouse(
        f"""
        CREATE FUNCTION weixin.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'as if' USING ERRCODE = CASE new.appid {cases} ELSE '23514' END;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON weixin.raw_response
        FOR EACH ROW EXECUTE FUNCTION weixin.refuse();
        """
    )
    faulty = stack.account("faulty")
    stack.collect([*(f"pg{state}".lower() for state in FAULTS), "faulty"])
    try:
        red = stack.red()
    finally:
        warehouse("DROP FUNCTION weixin.refuse CASCADE")

    told = red.errors("ingest")
    for state, beginning in FAULTS.items():
        happened, advice = BY_SQLSTATE[beginning]
        assert any(advice in line and happened in line for line in told), (state, told)
    fault = [line for line in told if line.startswith(f"{faulty.name}: report it")]
    assert len(fault) == 1
    assert "CheckViolation: as if" in fault[0]
    events = [line["event"] for line in red.log("ingest")]
    frames = next(at for at, event in enumerate(events) if event.startswith("Traceback"))
    assert events[frames - 1].startswith("::group::")
    assert events[frames + 1] == "::endgroup::"


@pytest.mark.parametrize(
    ("database", "line"),
    [
        (None, "create it with type postgres (there is no Airflow connection weixin_warehouse)"),
        ("nowhere", "start Postgres, or correct the connection weixin_warehouse"),
        ("postgres", "run `weixin-etl migrate` (the warehouse lacks the migrations 0001"),
    ],
    ids=["no connection", "unreachable", "not migrated"],
)
@pytest.mark.usefixtures("warehouse")
def test_a_warehouse_that_cannot_be_used(stack: Stack, database: str | None, line: str) -> None:
    """`plan` says what to do, and `check` repeats it with the accounts it concerns."""
    account = stack.account(f"warehouse_{database}")
    stack.collect([f"warehouse_{database}"])
    stack.rest("DELETE", "connections/weixin_warehouse")
    if database:
        stack.connect_warehouse(stack.home.server.url(database))

    red = stack.red()

    assert [said for said in red.errors("plan") if said.startswith(line)] == red.errors("plan")
    first, second = red.errors("check")
    assert first.startswith(line)
    assert second.startswith(f"{account.name}: ")

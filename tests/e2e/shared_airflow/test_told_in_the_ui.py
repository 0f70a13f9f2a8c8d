"""
What can go wrong, provoked in a running Airflow, and read as its UI reads it: from the log API.

A red task's log ends with a line per account and cause, what to change first, and one sentence.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from rest import Rest
from support import choose_port

from weixin_etl.problem import ROWS, ProblemKind, filled
from weixin_local import machine
from weixin_local.home import WAREHOUSE_DATABASE

from .running import DAG, Stack

CODES = {
    int(code): row.kind
    for row in reversed(ROWS)
    if not row.kind.is_of_warehouse
    for code in row.codes
    if code.lstrip("-").isdigit()
}
TOKEN_CODES = sorted(
    {code for code, kind in CODES.items() if kind is ProblemKind.CONFIGURATION} - {61502} | {40001}
)
DATA_CODES = sorted(
    {code for code, kind in CODES.items() if kind is not ProblemKind.CONFIGURATION} - {61503}
    | {48001, 61502, 41001}
)
"""Whose refusal makes a run red."""
FAULTS = {
    state.ljust(5, "0"): row
    for row in ROWS
    if row.kind.is_of_warehouse
    for state in row.codes
    if state[0].isdigit()
}
"""A whole SQLSTATE for each that has advice."""


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

        None has a traceback.
        """
        found = [line for line in self.log(task_id) if line.get("level") == "error"]
        assert all("error_detail" not in line for line in found)
        return [line["event"] for line in found if not line["event"].startswith("Task exited")]

    def ends_with(self, task_id: str) -> list[str]:
        """The sentences its instances end with."""
        return [str(it["exit_code"]) for it in self.log(task_id) if it["event"] == "Task exited"]


def red_run(stack: Stack, accounts: Sequence[str]) -> Red:
    """A run of these connections that ends red."""
    stack.collect(accounts)
    run = stack.rest.run(DAG)
    assert run["state"] == "failed"
    return Red(stack.rest, run["dag_run_id"])


def test_a_mistyped_parameter_is_refused_by_the_first_task(stack: Stack) -> None:
    """Airflow creates the run, whoever asks for it; nothing is asked of WeChat."""
    stack.account("in_the_form")
    stack.collect(["in_the_form"])
    run = stack.rest.run(DAG, {"acounts": ["in_the_form"]})

    red = Red(stack.rest, run["dag_run_id"])
    sentence = "acounts is no parameter: did you mean accounts?"
    assert run["state"] == "failed"
    assert red.errors("refresh_access_token") == [sentence]
    assert sentence in red.errors("check")


def test_every_refusal_says_what_to_change(stack: Stack) -> None:
    """
    One line per account and cause, in `ingest` and again in `check`; then one sentence.

    A connection that can't be used says which of its fields to correct; nothing is planned for it.
    Figures that are not ready are no error but a warning, which says when to come back.
    """
    refused = {f"t{code}": f"token-call:errcode:{code}" for code in TOKEN_CODES}
    refused |= {f"d{abs(code)}": f"errcode:{code}" for code in DATA_CODES}
    refused |= {it: it for it in ("http-500", "cut-answer", "bad-json")}
    accounts = {conn_id: stack.account(conn_id, name) for conn_id, name in refused.items()}
    nowhere = f"http://{machine.LOOPBACK}:{choose_port()}"
    accounts["nobody_listens"] = stack.account("nobody_listens", host=nowhere)
    not_ready = stack.account("not_ready", "not-ready-code")
    stack.connect("no_login", password="x")
    stack.connect("no_password", login="wx1")
    stack.connect("no_https", login="wx2", password="x", host="http://example.com")
    stack.connect("no_address", login="wx3", password="x", host="http://a b")
    unusable = {
        "no_login": "fill in the login",
        "no_password": "fill in the password",
        "no_https": "use https, or set allow_http in the connection's extra",
        "no_address": "correct the connection's host or leave it empty",
        "nobody": "create the connection nobody with type weixin, or correct it",
    }
    collected = [*accounts, "not_ready", *unusable]

    red = red_run(stack, collected)

    told, checked = red.errors("ingest"), red.errors("check")
    for conn_id, account in accounts.items():
        code = re.fullmatch(r"[td](\d+)", conn_id)
        (line,) = [line for line in told if line.startswith(f"{account.name}: ")]
        (judged,) = [line for line in checked if line.startswith(f"{account.name}: ")]
        assert judged == line
        assert f" · {conn_id}" in line
        if code:
            assert re.search(rf"errcode -?{code[1]}\b", line)
    (of_nobody,) = [line for line in told if "Connection refused" in line]
    assert of_nobody.startswith("号nobody_listens: wait; if it persists")
    for conn_id, cure in unusable.items():
        (line,) = [line for line in checked if line.startswith(f"{conn_id}: ")]
        assert line.startswith(f"{conn_id}: {cure}")
    assert red.errors("refresh_access_token") != []
    assert red.ends_with("check") == [f"{len(collected)} accounts are not in: see the lines above"]
    warnings = [it["event"] for it in red.log("check") if it.get("level") == "warning"]
    assert [it for it in warnings if it.startswith(f"{not_ready.name}: nothing to do")]
    assert [line for line in checked if line.startswith(not_ready.name)] == []


@contextmanager
def refusing(stack: Stack, cases: str) -> Iterator[None]:
    """The warehouse raises these SQLSTATEs, `WHEN appid THEN state`, and else a broken check."""
    url = stack.home.server.libpq_url(WAREHOUSE_DATABASE)
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION weixin.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'as if' USING ERRCODE = CASE new.appid {cases} ELSE '23514' END;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON weixin.raw_response
            FOR EACH ROW EXECUTE FUNCTION weixin.refuse();
            """
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION weixin.refuse CASCADE")
            connection.close()


def test_every_trouble_of_the_warehouse(stack: Stack) -> None:
    """Whatever Postgres refuses a load with: what to do is first in the line."""
    accounts = {state: stack.account(f"pg{state}".lower()) for state in FAULTS}
    cases = " ".join(
        f"WHEN '{account.appid}' THEN '{state}'" for state, account in accounts.items()
    )
    faulty = stack.account("faulty")
    with refusing(stack, cases):
        red = red_run(stack, [*(f"pg{state}".lower() for state in FAULTS), "faulty"])

    told = red.errors("ingest")
    for state, row in FAULTS.items():
        cause, cure = row.cause, filled(row.cure, "weixin_warehouse", "")
        begins = " ".join(cause.split()[:3])  # after a long cure, the line ends before the rest
        assert any(cure in line and begins in line for line in told), (state, told)
    fault = [line for line in told if line.startswith(f"{faulty.name}: report it")]
    assert len(fault) == 1
    assert "CheckViolation: as if" in fault[0]
    events = [line["event"] for line in red.log("ingest")]
    frames = next(at for at, event in enumerate(events) if event.startswith("Traceback"))
    assert events[frames - 1].startswith("::group::")
    assert events[frames + 1] == "::endgroup::"

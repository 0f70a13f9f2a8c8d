"""Where Airflow finds a connection, as far as a task can tell."""

import json

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ConnectionResult, ErrorResponse, GetConnection

from weixin_etl.orchestration.connections import ignored_connection

USED = {"conn_type": "weixin", "login": "wx01", "password": "used"}


class ApiServer:
    """What a task's supervisor says the API server has: asked over the channel of every task."""

    def __init__(self, login: str | None) -> None:
        self.login = login

    def send(self, asked: GetConnection) -> ConnectionResult | ErrorResponse:
        """The answer to the one question."""
        if self.login is None:
            return ErrorResponse()
        return ConnectionResult(
            conn_id=asked.conn_id,
            conn_type="weixin",
            login=self.login,
            password="used",
            host="",
            port=None,
            schema=None,
            extra=None,
        )


@pytest.mark.parametrize(
    ("in_environment", "login_in_ui", "is_told"),
    [
        (True, "wx02", True),
        (True, "wx01", False),  # the same one: the API server has the variable as well
        (True, None, False),
        (False, "wx02", False),
    ],
)
def test_a_connection_of_the_ui_that_a_variable_hides_is_told(
    monkeypatch: pytest.MonkeyPatch, in_environment: bool, login_in_ui: str | None, is_told: bool
) -> None:
    """Somebody corrected it there, and nothing changed."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", ApiServer(login_in_ui), raising=False)
    if in_environment:
        monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_DEFAULT", json.dumps(USED))

    warning = ignored_connection("weixin_default")

    assert warning == (
        "Airflow's UI has another connection weixin_default, which is ignored: "
        "the environment variable AIRFLOW_CONN_WEIXIN_DEFAULT comes first"
        if is_told
        else ""
    )


def test_outside_a_task_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """`weixin-etl plan` has nobody to ask."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_DEFAULT", json.dumps(USED))

    assert ignored_connection("weixin_default") == ""

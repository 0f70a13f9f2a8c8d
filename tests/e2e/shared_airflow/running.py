"""The Airflow that the tests of this folder share: its stack, and a second server with FAB."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from receivers import Receiver
from rest import PATIENCE_SECONDS, Rest, until

from weixin_local import machine
from weixin_local.home import METADATA_DATABASE, Home, airflow_url
from weixin_sandbox import Account, Sandbox, Scenario

DAG = "weixin_article_total"
PASSWORD = "of-the-test"
"""Of everybody who logs in to the server with FAB."""
COMPONENT = Account("wxc0mp0nent", "5ecret-of-the-component")
BEARER = "b3arer-of-the-service"
"""What the sandbox's token service wants."""


@dataclass(frozen=True)
class Stack:
    """A running Airflow, the WeChat it asks, and who is told."""

    home: Home
    rest: Rest
    sandbox: Sandbox
    base_url: str
    receiver: Receiver

    def about(self, text: str) -> list[dict[str, Any]]:
        """The messages with a line about the DAG's dataset that says so."""
        return [
            message
            for message in self.receiver.messages
            for line in message["message"].splitlines()
            if line.startswith("article_total: ") and text in line
        ]

    def metadata(self, statement: str) -> Any:
        """The first value that a statement returns of Airflow's own database."""
        return self.home.server.ask(METADATA_DATABASE, statement)

    def scheduled(self) -> dict[str, str]:
        """The run that Airflow made by itself, as soon as it could."""
        runs = self.rest("GET", f"dags/{DAG}/dagRuns?run_type=scheduled")["dag_runs"]
        return runs[0] if runs else {"state": ""}

    def collect(self, accounts: Sequence[str]) -> None:
        """Have the runs collect these connections, and no others."""
        variable = {"key": "weixin_accounts", "value": json.dumps(list(accounts))}
        self.rest("PATCH", "variables/weixin_accounts", variable)

    def connect(self, conn_id: str, **fields: Any) -> None:
        """Make the connection."""
        body = {"connection_id": conn_id, "conn_type": "weixin", "host": self.base_url, **fields}
        self.rest("POST", "connections", body)

    def account(self, conn_id: str, *scenarios: str, **fields: Any) -> Account:
        """An account of the sandbox whose calls meet the scenarios, connected."""
        number = len(self.sandbox.accounts) + 1
        account = Account(f"wx{number:016x}", f"{number:032x}", f"号{conn_id}")
        self.sandbox.accounts[account.appid] = account
        self.sandbox.scenarios.extend(Scenario(it, account=account.appid) for it in scenarios)
        extra = json.dumps({"name": account.name})
        self.connect(
            conn_id, **{"login": account.appid, "password": account.secret, "extra": extra} | fields
        )
        return account


@dataclass(frozen=True)
class FabServer:
    """Airflow's API server with FAB, which may still be starting; its warehouse is the page's."""

    environment: dict[str, str]
    warehouse_url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.environment["AIRFLOW__API__PORT"])

    def origin(self) -> str:
        """Where people open it, once it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return machine.answers(self.port)

        until(answers, self.log.read_text)
        return airflow_url(self.port)


def log_in(origin: str, name: str) -> dict[str, str]:
    """The headers of somebody who has logged in to the server with FAB."""
    answer = requests.post(
        f"{origin}/auth/token",
        json={"username": name, "password": PASSWORD},
        timeout=PATIENCE_SECONDS,
    )
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def start_fab(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start the server."""
    program = str(Path(__file__).with_name("fab_server.py"))
    command = [sys.executable, program, environment["AIRFLOW__API__PORT"]]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

"""The Airflow that the tests of this folder share: its stack, and a second server with FAB."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from receivers import Receiver
from rest import Rest, until

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

    def told(self, text: str) -> list[dict[str, Any]]:
        """The messages that say so, as soon as there is one."""
        line, messages = re.compile(f"^article_total: .*{text}", re.M), self.receiver.messages
        found: list[dict[str, Any]] = until(
            lambda: [it for it in messages if line.search(it["message"])], lambda: messages
        )
        return found

    def metadata(self, statement: str) -> Any:
        return self.home.server.ask(METADATA_DATABASE, statement)

    def scheduled(self) -> str:
        """The state of the run that Airflow made by itself, as soon as it could."""
        runs = self.rest("GET", f"dags/{DAG}/dagRuns?run_type=scheduled")["dag_runs"]
        return str(runs[0]["state"]) if runs else ""

    def slow_run(self) -> str:
        """A run that is waiting for WeChat's answer."""
        self.sandbox.calls.clear()
        self.sandbox.scenarios[:] = [Scenario("slow")]
        run = self.rest.trigger(DAG)
        until(lambda: any(it.path.startswith("/datacube/") for it in [*self.sandbox.calls]))
        return run


@dataclass(frozen=True)
class FabServer:
    """Airflow's API server with FAB, which may still be starting; its warehouse is the page's."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def origin(self) -> str:
        """Where people open it, once it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return machine.answers(self.port)

        until(answers, self.log.read_text)
        return airflow_url(self.port)


class LoggedIn:
    """Somebody who has logged in to the server with FAB."""

    def __init__(self, origin: str, name: str) -> None:
        self.origin, who = origin, {"username": name, "password": PASSWORD}
        answer = requests.post(f"{origin}/auth/token", json=who, timeout=300)
        answer.raise_for_status()
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to a call."""
        url = f"{self.origin}/{path}"
        return requests.request(
            method, url, json=body, headers=self.headers, timeout=300, allow_redirects=False
        )

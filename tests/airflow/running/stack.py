"""The running Airflow that the tests of this folder share, and its constants."""

import re
from dataclasses import dataclass
from typing import Any

from support.receivers import Receiver, StatisticsReceiver
from support.rest import Rest, until

from weixin_local.home import Home
from weixin_local.postgres import METADATA_DATABASE
from weixin_sandbox import Account, Sandbox, Scenario

DAG = "weixin_article_total"
PASSWORD = "of-the-test"
"""The password of all users of the server with FAB."""
COMPONENT = Account("wxc0mp0nent", "5ecret-of-the-component")
BEARER = "b3arer-of-the-service"
"""The bearer token that the sandbox's token service requires."""
DEADLINES = "deadline JOIN dag_run ON dagrun_id = dag_run.id"
"""The tables of Airflow's database that join each deadline with its run."""


@dataclass(frozen=True)
class Stack:
    """A running Airflow, the sandbox that it calls, and the receiver of its messages."""

    home: Home
    rest: Rest
    sandbox: Sandbox
    base_url: str
    receiver: Receiver
    statistics: StatisticsReceiver

    def messages(self, text: str) -> list[dict[str, Any]]:
        """Wait for a message about `article_total` with the text, and return all of them."""
        line, messages = re.compile(f"^article_total: .*{text}", re.M), self.receiver.messages
        matching: list[dict[str, Any]] = until(
            lambda: [sent for sent in messages if line.search(sent["message"])], lambda: messages
        )
        return matching

    def metadata(self, statement: str) -> Any:
        return self.home.server.ask(METADATA_DATABASE, statement)

    def scheduled(self) -> str:
        """Return the state of the run that Airflow scheduled itself, or an empty text."""
        runs = self.rest("GET", f"dags/{DAG}/dagRuns?run_type=scheduled")["dag_runs"]
        return str(runs[0]["state"]) if runs else ""

    def slow_run(self) -> str:
        """Start a run, wait until it waits for WeChat's answer, and return its id."""
        self.sandbox.calls.clear()
        self.sandbox.scenarios[:] = [Scenario("slow")]
        run = self.rest.trigger(DAG)
        until(lambda: any(call.path.startswith("/datacube/") for call in [*self.sandbox.calls]))
        return run

"""The Airflow that the tests of this folder share."""

import re
from dataclasses import dataclass
from typing import Any

from support.receivers import Receiver
from support.rest import Rest, until

from weixin_local.home import METADATA_DATABASE, Home
from weixin_sandbox import Account, Sandbox, Scenario

DAG = "weixin_article_total"
PASSWORD = "of-the-test"
"""Of everybody who logs in to the server with FAB."""
COMPONENT = Account("wxc0mp0nent", "5ecret-of-the-component")
BEARER = "b3arer-of-the-service"
"""What the sandbox's token service wants."""
DEADLINES = "deadline JOIN dag_run ON dagrun_id = dag_run.id"
"""The deadlines in Airflow's database, each with its run."""


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

"""What `up` started: whether it runs, and how to end it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from weixin_local import processes
from weixin_local.errors import LocalError
from weixin_local.files import write_private
from weixin_local.home import Home

SCHEDULER = "scheduler"
AIRFLOW_COMMANDS = {
    "api-server": ["api-server"],
    SCHEDULER: ["scheduler", "--skip-serve-logs"],  # the API server reads the same disk
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
SANDBOX = "sandbox"
TASK_PATIENCE_SECONDS = 15
"""How long the scheduler may wait for its tasks; one that is killed can be done again."""

STOP_PATIENCE_SECONDS = 4
"""The triggerer, which has no work here, would take ten seconds to say goodbye."""


@dataclass(frozen=True)
class Stack:
    """A running stack, for the commands that come after the one that started it."""

    port: int
    warehouse_url: str
    account: str
    """`fingerprint` of what it collects."""

    @property
    def is_on_sandbox(self) -> bool:
        """Whether its figures are made up."""
        return self.account == SANDBOX

    def refuse_other_account(self, connection: str | None) -> None:
        """
        Make sure that it collects what is configured now.

        Raises:
            LocalError: it was started for something else.

        """
        if self.account != fingerprint(connection):
            raise LocalError(
                "The Airflow that runs was started for another account than the one configured "
                "now: `make down`, then try again."
            )

    def save(self, home: Home) -> None:
        """Write it down."""
        write_private(home.state / "stack.json", json.dumps(asdict(self)))


def fingerprint(connection: str | None) -> str:
    """The account's connection, unreadable, or `sandbox`: to notice that `.env` has changed."""
    return sha256(connection.encode()).hexdigest() if connection else SANDBOX


def running(home: Home) -> Stack | None:
    """The stack, if every process of it is at work."""
    record = home.state / "stack.json"
    if not record.exists():
        return None
    stack = Stack(**json.loads(record.read_text()))
    needed = {*AIRFLOW_COMMANDS, *([SANDBOX] if stack.is_on_sandbox else [])}
    return stack if needed <= {*survivors(home)} and home.server.is_running() else None


def survivors(home: Home) -> list[str]:
    """The names of the processes at work, also of a stack of which a part has died."""
    return [process.name for process in processes.recorded(home.processes) if process.is_alive()]


def stop(home: Home) -> Sequence[str]:
    """
    End every process of this home: the scheduler, what its tasks ask, and Postgres.

    Returns:
        the names of those that were running.

    """
    recorded = processes.recorded(home.processes)
    first = [process for process in recorded if process.name == SCHEDULER]
    others = [process for process in recorded if process.name != SCHEDULER]
    stopped = processes.stop(first, TASK_PATIENCE_SECONDS)
    stopped += processes.stop(others, STOP_PATIENCE_SECONDS)
    if home.server.stop():
        stopped.append("Postgres")
    (home.state / "stack.json").unlink(missing_ok=True)
    return stopped

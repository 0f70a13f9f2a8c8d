"""What the person typing sees while a command works: its steps, and a run's stages."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from weixin_etl.warehouse import statement
from weixin_local.machine import LocalError

STAGES = ("refresh_access_token", "plan", "ingest", "report", "check")
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
POLL_SECONDS = 0.3


class Steps:
    """One line per finished step, and on a terminal a spinner for the one at work."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show the step; a step that raises leaves no line: its error says what happened."""
        began_at = time.monotonic()
        with self.console.status(escape(doing)):
            yield
        self.line("✓", doing, time.monotonic() - began_at)

    def line(self, mark: str, what: str, seconds: float | None = None) -> None:
        """Say how something ended."""
        colour = {"✓": "green", "✗": "red"}.get(mark, "yellow")
        took = "" if seconds is None else f" [dim]({seconds:.1f} s)[/dim]"
        self.console.print(
            f"[{colour}]{mark}[/{colour}] {escape(what)}{took}", highlight=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """Say something, as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class Wanted:
    """The run to follow: known by its id, or by its logical date."""

    dag_id: str
    run_id: str | None = None
    logical_date: datetime | None = None


@dataclass(frozen=True)
class Seen:
    """A run as its metadata show it."""

    run_id: str | None
    state: str | None
    tasks: Mapping[str, Counter[str]]
    """How many instances of each task are in which state."""

    @property
    def has_ended(self) -> bool:
        """Whether Airflow is done with it."""
        return self.state in ("success", "failed")


def follow(metadata: Engine, wanted: Wanted, is_over: Callable[[Seen], bool], steps: Steps) -> Seen:
    """
    Show a line per ended stage until the run is over; the run as it was then.

    Raises:
        LocalError: Postgres went away.
    """
    shown: list[str] = []
    try:
        with steps.console.status("Airflow starts") as status:
            while not is_over(seen := look(metadata, wanted)):
                _show_ended(seen, shown, steps)
                if len(shown) < len(STAGES) and seen.tasks:
                    status.update(_describe(STAGES[len(shown)], seen))
                time.sleep(POLL_SECONDS)
        seen = look(metadata, wanted)
    except OperationalError as error:
        reason = str(error.orig).strip()
        raise LocalError(f"Postgres went away during the run, so run again ({reason}).") from None
    _show_ended(seen, shown, steps)
    return seen


def look(metadata: Engine, wanted: Wanted) -> Seen:
    """The run as it is now."""
    with metadata.connect() as connection:
        rows = connection.execute(statement("local/run_states.sql"), vars(wanted)).all()
    tasks: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        tasks[row.task_id][row.state or "waiting"] += row.instances
    return Seen(rows[0].run_id if rows else None, rows[0].run_state if rows else None, tasks)


def _show_ended(seen: Seen, shown: list[str], steps: Steps) -> None:
    """A line for each stage that has ended since, in the order of the flow."""
    for stage in STAGES[len(shown) :]:
        states = seen.tasks.get(stage)
        if not states or not states.keys() <= ENDED:
            return
        mark = "✓" if set(states) == {"success"} else "✗" if states["failed"] else "–"
        steps.line(mark, _describe(stage, seen))
        shown.append(stage)


def _describe(stage: str, seen: Seen) -> str:
    """`ingest 3/5`, and what is unusual about its instances."""
    states = seen.tasks[stage]
    counted = f" {states['success']}/{states.total()}" if stage == "ingest" else ""
    unusual = sorted(set(states) & {"failed", "skipped", "upstream_failed", "up_for_retry"})
    return f"{stage}{counted}" + (f": {', '.join(unusual)}" if unusual else "")

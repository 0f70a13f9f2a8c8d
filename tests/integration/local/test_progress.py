"""A run is followed stage by stage in Airflow's metadata."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.console import Console
from sqlalchemy import Engine, text

from weixin_etl import warehouse
from weixin_local import progress
from weixin_local.machine import LocalError
from weixin_local.postgres import Server
from weixin_local.progress import Steps, Wanted

DAG = "weixin_article_total"
RUN = "manual__1"
DATE = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


@pytest.fixture
def metadata(embedded_server: Server) -> Iterator[Engine]:
    """The two tables of Airflow's that are read, with the columns that are read."""
    embedded_server.create_database("watched")
    engine = warehouse.engine(embedded_server.url("watched"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TABLE IF EXISTS dag_run, task_instance;"
            "CREATE TABLE dag_run (dag_id text, run_id text, logical_date timestamptz, state text);"
            "CREATE TABLE task_instance (dag_id text, run_id text, task_id text, state text)"
        )
    yield engine
    engine.dispose()


def write(metadata: Engine, run_state: str, **tasks: list[str | None]) -> None:
    """Replace the run by one in these states; each task has an instance per state."""
    with metadata.begin() as connection:
        connection.exec_driver_sql("TRUNCATE dag_run, task_instance")
        connection.execute(
            text("INSERT INTO dag_run VALUES (:dag, :run, :date, :state)"),
            {"dag": DAG, "run": RUN, "date": DATE, "state": run_state},
        )
        for task, states in tasks.items():
            for state in states:
                connection.execute(
                    text("INSERT INTO task_instance VALUES (:dag, :run, :task, :state)"),
                    {"dag": DAG, "run": RUN, "task": task, "state": state},
                )


def followed(metadata: Engine, wanted: Wanted) -> tuple[progress.Seen, list[str]]:
    """The run as it ended, and the lines that were printed."""
    console = Console(file=io.StringIO(), width=80)
    seen = progress.follow(metadata, wanted, lambda seen: seen.has_ended, Steps(console))
    assert isinstance(console.file, io.StringIO)
    return seen, console.file.getvalue().splitlines()


DONE = ["success"]
BEGUN = {"refresh_access_token": DONE, "plan": DONE}


@pytest.mark.parametrize(
    ("state", "tasks", "expected"),
    [
        (
            "success",
            {"check": DONE, **BEGUN, "ingest": DONE * 3, "report": DONE},
            ["✓ ingest 3/3", "✓ report", "✓ check"],
        ),
        (
            "failed",
            {**BEGUN, "ingest": ["success", "failed"], "report": ["skipped"], "check": ["failed"]},
            ["✗ ingest 1/2: failed", "– report: skipped", "✗ check: failed"],
        ),
        ("failed", {**BEGUN, "ingest": ["success", "running", None], "report": DONE}, []),
    ],
    ids=["green", "red", "an instance at work"],
)
def test_a_run_has_a_line_per_stage(
    metadata: Engine, state: str, tasks: dict[str, list[str | None]], expected: list[str]
) -> None:
    """In the order of the flow, up to a stage that is still at work; however the run is known."""
    write(metadata, state, **tasks)

    for wanted in (Wanted(DAG, run_id=RUN), Wanted(DAG, logical_date=DATE)):
        seen, lines = followed(metadata, wanted)

        assert (seen.run_id, seen.state) == (RUN, state)
        assert lines == ["✓ refresh_access_token", "✓ plan", *expected]


def test_another_run_is_not_this_one(metadata: Engine) -> None:
    """A run of yesterday says nothing about today's."""
    write(metadata, "success", plan=["success"])

    seen = progress.look(metadata, Wanted(DAG, logical_date=datetime(2026, 11, 23, tzinfo=UTC)))

    assert (seen.run_id, seen.state, seen.tasks) == (None, None, {})


def test_a_database_that_went_away_is_a_sentence(embedded_server: Server) -> None:
    """Somebody stopped everything during the run."""
    gone = warehouse.engine(embedded_server.url("gone"))

    with pytest.raises(LocalError, match="Postgres went away during the run, so run again"):
        progress.follow(gone, Wanted(DAG, run_id=RUN), lambda _: True, Steps(Console()))

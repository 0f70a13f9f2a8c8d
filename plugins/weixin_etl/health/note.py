"""What a task has found is written down, and what is wrong by then becomes incidents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl.health import incidents
from weixin_etl.health.at_work import Airflow, progress
from weixin_etl.health.incidents import Incident
from weixin_etl.health.status import read_accounts, read_findings
from weixin_etl.health.troubles import AccountFacts, Severity, Trouble, judge
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import lock_incidents
from weixin_etl.warehouse.statements import as_json


@dataclass(frozen=True, slots=True)
class Note:
    """What a task has found."""

    run: Run
    at: datetime
    found: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    """What coverage does not say, instead of what each of these sources found before."""
    looked: Collection[str] | None = None
    """The accounts and connections that it has looked at; None: all."""
    is_judged: bool = False
    """Whether it has asked WeChat, or waited for it, so that what it does not find has ended."""
    is_at_work: bool = False
    """Whether the run goes on asking: what it tries again, or waits for, is nothing to tell."""
    once: Sequence[Problem] = ()
    """What is told once and never again."""
    airflow: Airflow | None = None
    """What only Airflow knows of it, if that was asked."""


_LOCK_WAIT = "SET LOCAL lock_timeout = '60s'"


def record(warehouse: Engine, note: Note) -> None:
    """Write down what a task has found, and what that changes for people; one process at a time."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(_LOCK_WAIT)
        lock_incidents(connection, note.run.dataset.name)
        for source, problems in note.found.items():
            _replace(connection, note, source, problems)
        troubles, collected = _judged(connection, note)
        found = [*troubles, *(_told_once(note, problem) for problem in note.once)]
        incidents.record(
            connection,
            note.run.dataset,
            found,
            now=note.at,
            ends=lambda incident: _ends(note, incident),
            collected=collected,
        )


def _replace(connection: Connection, note: Note, source: str, problems: Sequence[Problem]) -> None:
    values = {
        "dataset": note.run.dataset.name,
        "source": source,
        "looked": None if note.looked is None else [*note.looked],
        "run_id": note.run.run_id,
        "found_at": note.at,
        "rows": as_json([msgspec.to_builtins(problem) for problem in problems]),
    }
    connection.execute(statement("finding/replace.sql"), values)


def _judged(connection: Connection, note: Note) -> tuple[list[Trouble], Collection[str]]:
    """What is wrong now of what the note shows, and the accounts of which that is known."""
    found = read_findings(connection, [note.run.dataset])
    facts = _facts(connection, note) if note.is_judged else []
    troubles = judge(facts, found, note.airflow, now=note.at, datasets=[note.run.dataset])
    return troubles, {it.appid for it in facts}


def _facts(connection: Connection, note: Note) -> list[AccountFacts]:
    dataset = note.run.dataset
    at_work = progress(connection, dataset, [note.run.run_id] if note.is_at_work else [])
    return read_accounts(connection, [dataset], {dataset.name: at_work}, note.at, note.looked)


def _told_once(note: Note, problem: Problem) -> Trouble:
    return Trouble(problem, note.run.dataset.name, Severity.WARNING)


def _ends(note: Note, incident: Incident) -> bool:
    """Whether the note shows that an incident is over, if its trouble was not found."""
    problem = incident.problem
    is_ours = note.looked is None or (not problem.kind.is_common and problem.appid in note.looked)
    return note.is_judged and is_ours


def ended_by_airflow(task_id: str) -> Problem:
    """A failed task that left no word: it was killed, or ran longer than Airflow lets it."""
    return Problem.of_kind(ProblemKind.TASK_KILLED, subject=task_id)

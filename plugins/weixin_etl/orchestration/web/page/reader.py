"""Who may read the page, whoever may read one of the DAGs, in which language, and what it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, Query, Request
from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import chinese
from weixin_etl.orchestration.connections.warehouse import open_reader, reading
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement

Name = Annotated[str, Query(min_length=1, max_length=300)]
Language = Literal["en", "zh-CN"]
LANGUAGES = get_args(Language)
COOKIE = "weixin_language"
"""The language of Airflow's own switch, as the page's script found it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who is logged in and may read."""

    datasets: tuple[Dataset, ...]
    """The datasets whose DAGs they may read; at least one."""

    def dataset(self, name: str) -> Dataset:
        """
        The dataset of a name.

        Raises:
            HTTPException: 404, when there is none, or they may not read its DAG.
        """
        for dataset in self.datasets:
            if dataset.name == name:
                return dataset
        raise HTTPException(404, "no such dataset, or you may not read its DAG")


@dataclass(frozen=True, slots=True)
class Figures:
    """A dataset's figures in the warehouse, as they are now."""

    connection: Connection
    dataset: Dataset
    now: datetime
    language: Language = "en"

    def rows(self, path: str, **values: object) -> tuple[dict[str, Any], ...]:
        """The rows of the dataset that a statement finds."""
        rows = self.connection.execute(
            statement(path, self.dataset), {"dataset": self.dataset.name, **values}
        )
        return tuple(dict(row) for row in rows.mappings())


def reader(user: GetUserDep) -> Reader:
    """
    Who asks. Without a login Airflow answers 401.

    Raises:
        HTTPException: 403, when they may read none of the DAGs.
    """
    manager = get_auth_manager()
    readable = tuple(
        dataset
        for dataset in DATASETS.values()
        if manager.is_authorized_dag(method="GET", details=DagDetails(id=dataset.dag_id), user=user)
    )
    if not readable:
        names = " or ".join(dataset.dag_id for dataset in DATASETS.values())
        raise HTTPException(403, f"you may not read {names}: ask an admin for can_read on one")
    return Reader(readable)


def told(problem: Problem, language: Language) -> Problem:
    """A problem with its texts in a language."""
    return chinese.told(problem) if language == chinese.LANGUAGE else problem


def title(problem: Problem, language: Language) -> str:
    """A problem in a few words of a language."""
    return chinese.title(problem) if language == chinese.LANGUAGE else problem.title


def language(request: Request) -> Language:
    """The one chosen in Airflow; else the first that the browser prefers and the page speaks."""
    chosen = request.cookies.get(COOKIE, "")
    return preferred_language(chosen or request.headers.get("accept-language", ""))


def preferred_language(header: str) -> Language:
    """The first language of an Accept-Language header that the page speaks; else English."""
    weighted = []
    for n, part in enumerate(header.split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weighted.append((-float(quality or 1), n, name.split("-")[0].lower()))
        except ValueError:
            continue
    spoken = {it.split("-")[0]: it for it in LANGUAGES}
    return next((spoken[name] for *_, name in sorted(weighted) if name in spoken), "en")


def figures(
    who: Annotated[Reader, Depends(reader)],
    spoken: Annotated[Language, Depends(language)],
    dataset: Annotated[str, Query(max_length=200)] = "",
) -> Iterator[Figures]:
    """The figures that somebody asks for, as long as a request lasts."""
    chosen = who.dataset(dataset) if dataset else who.datasets[0]
    with reading(open_reader()) as connection:
        yield Figures(connection, chosen, clock.now(), spoken)

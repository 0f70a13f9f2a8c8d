"""Who may read the page, whoever may read one of the DAGs, and what its views read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, Query
from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.orchestration.connections.warehouse import open_reader, reading
from weixin_etl.problem import Problem
from weixin_etl.trouble import chinese
from weixin_etl.warehouse import statement

Name = Annotated[str, Query(min_length=1, max_length=300)]
Language = Literal["en", "zh-CN"]


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

    @property
    def said(self) -> Callable[[str], str]:
        """What makes a sentence one of the reader's language."""
        return in_language(self.language)

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


def in_language(language: Language) -> Callable[[str], str]:
    """What makes a sentence, which is kept in English, one of a language."""
    return chinese.of if language == chinese.LANGUAGE else str


def told(problem: Problem, language: Language) -> Problem:
    """A problem with its texts in a language."""
    return chinese.told(problem) if language == chinese.LANGUAGE else problem


def figures(
    who: Annotated[Reader, Depends(reader)], dataset: Name, language: Language = "en"
) -> Iterator[Figures]:
    """The figures that somebody asks for, as long as a request lasts."""
    chosen = who.dataset(dataset)
    with reading(open_reader()) as connection:
        yield Figures(connection, chosen, clock.now(), language)

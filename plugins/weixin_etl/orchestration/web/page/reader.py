"""Who may read the page, whoever may read one of the DAGs, in which language, and what it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, Query, Request
from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.words import CHINESE, ENGLISH
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.warehouse import statement

Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
LANGUAGES = (ENGLISH, CHINESE)
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


def language(request: Request) -> str:
    """The one chosen in Airflow; else the first that the browser prefers and the page speaks."""
    chosen = request.cookies.get(COOKIE, "")
    return preferred_language(chosen or request.headers.get("accept-language", ""))


def preferred_language(header: str) -> str:
    """The first language of an Accept-Language header that the page speaks; else English."""
    weighted = []
    for n, part in enumerate(header.split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weighted.append((-float(quality or 1), n, name.split("-")[0].lower()))
        except ValueError:
            continue
    spoken = {it.split("-")[0]: it for it in LANGUAGES}
    return next((spoken[name] for *_, name in sorted(weighted) if name in spoken), ENGLISH)


def figures(who: Annotated[Reader, Depends(reader)], dataset: Text = "") -> Iterator[Figures]:
    """The figures that somebody asks for, as long as a request lasts."""
    chosen = who.dataset(dataset) if dataset else who.datasets[0]
    with reading() as connection:
        yield Figures(connection, chosen, clock.now())

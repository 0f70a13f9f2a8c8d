"""Who may read the page: whoever may read one of the DAGs, and of these DAGs the figures."""

from dataclasses import dataclass

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException

from weixin_etl.datasets import DATASETS, Dataset


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who is logged in and may read."""

    datasets: tuple[Dataset, ...]
    """Those whose DAGs they may read; at least one."""


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
        names = " or ".join(it.dag_id for it in DATASETS.values())
        raise HTTPException(403, f"you may not read {names}: ask an admin for can_read on one")
    return Reader(readable)

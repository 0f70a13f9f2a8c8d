"""
Everything that the product imports from the inside of Airflow.

Airflow keeps its public interface from one release to the next: `airflow.sdk`, plugins, listeners,
`airflow.configuration` and the providers. All other modules may change in any release, so only this
module imports them, and a test finds an import elsewhere. The page, `weixin-etl` and the listener
use it. Tasks don't: Airflow gives them no access to its database.

- **Models and states.** The page and `status` show queued runs, tasks that wait for their next try,
  and the XComs of failed tasks, and the listener asks whether a run was reported. They could ask
  Airflow's REST API, once a plugin gets a token for it without a user's password.
- **The scheduler's health.** `GET /api/v2/monitor/health` gives the same; it waits for that token.
- **Airflow's engine.** `weixin-etl` asks whether Airflow has a database before it reads connections
  from there. It waits for a public way to read connections outside of a task.
- **The login.** The page asks who its user is and which DAGs the user may read. It waits for a
  dependency for plugins' own FastAPI applications.

Airflow 3.4.0b2 needs the same imports, and the workarounds for 3.3.2's faults in
`web/test_button.py` and, for `airflow dags test`, `tasks/declared.py`. Look at both when the lowest
release of Airflow changes.
"""

from collections.abc import Callable
from typing import Any

from airflow.api.common.airflow_health import get_airflow_health as get_airflow_health
from airflow.models import Connection as Connection
from airflow.models import DagModel as DagModel
from airflow.models import DagRun as DagRun
from airflow.models import TaskInstance as TaskInstance
from airflow.models.serialized_dag import SerializedDagModel as SerializedDagModel
from airflow.models.taskreschedule import TaskReschedule as TaskReschedule
from airflow.models.xcom import XComModel as XComModel
from airflow.settings import get_engine as get_engine
from airflow.utils.session import create_session as create_session
from airflow.utils.state import State as State
from airflow.utils.types import DagRunType as DagRunType


def login() -> Callable[..., Any]:
    """
    Return the FastAPI dependency that gives the user of a request, or answers 401.

    The web server has imported this part of Airflow already; a command would wait a second for it.
    """
    from airflow.api_fastapi.core_api.security import get_user

    return get_user


def may_read_dag(user: Any, dag_id: str) -> bool:
    """Return whether a user, as `login` gives one, may read a DAG."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails

    details = DagDetails(id=dag_id)
    return get_auth_manager().is_authorized_dag(method="GET", details=details, user=user)

"""The local Airflow's REST API, as its user `admin`."""

from datetime import datetime
from typing import Any

import requests

from weixin_local import machine
from weixin_local.environment import ADMIN

TIMEOUT_SECONDS = 30
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class AirflowApi:
    """A session with the API server on a port of this machine."""

    def __init__(self, port: int, password: str) -> None:
        self.origin = f"http://{machine.LOOPBACK}:{port}"
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business on loopback

    def unhealthy(self, since: datetime) -> list[str]:
        """The components that are not healthy, or last were before `since`."""
        try:
            health = self._json("GET", "/api/v2/monitor/health")
        except requests.RequestException:
            return ["api-server"]
        return [name for name in COMPONENTS if not _is_healthy(name, health[name], since)]

    def log_in(self) -> None:
        """Get a token for the calls below."""
        answer = self._json("POST", "/auth/token", {"username": ADMIN, "password": self._password})
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def dag_ids(self) -> set[str]:
        """The DAGs Airflow has read."""
        return {dag["dag_id"] for dag in self._json("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[str]:
        """Why it could not read a DAG file: one text per file."""
        errors = self._json("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def is_paused(self, dag_id: str) -> bool:
        """Whether runs of the DAG would wait for ever."""
        return bool(self._json("GET", f"/api/v2/dags/{dag_id}")["is_paused"])

    def trigger(self, dag_id: str) -> str:
        """Start a run of the DAG; its run id."""
        run = self._json("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        run_id: str = run["dag_run_id"]
        return run_id

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._session.request(
            method, self.origin + path, json=body, timeout=TIMEOUT_SECONDS
        )
        answer.raise_for_status()
        return answer.json()


def _is_healthy(name: str, state: dict[str, Any], since: datetime) -> bool:
    if state["status"] != "healthy":
        return False
    heartbeat = state.get(f"latest_{name}_heartbeat")
    return heartbeat is None or datetime.fromisoformat(heartbeat) > since

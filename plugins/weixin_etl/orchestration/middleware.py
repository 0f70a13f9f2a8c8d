"""What Airflow's API server does differently for two calls that concern us; see decision 0023."""

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.form import FORMS, unknown_parameters
from weixin_etl.orchestration.hook import WeixinHook, tested_conn_id

LONGEST_BODY_BYTES = 1 << 20
"""A longer body is passed on unread."""


class ConnectionTest:
    """
    Makes the button *Test* work for connections of type `weixin`.

    The list sends port 0 for a connection without one, which Airflow takes for another server, and
    the hook is handed a random id in place of the connection's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, mended where it is the button's."""
        if _posted_to(scope) != "/api/v2/connections/test" or not await _may(
            scope, lambda manager, user: manager.is_authorized_connection(method="POST", user=user)
        ):
            return await self._app(scope, receive, send)
        read = await _ReadAhead.of(receive)
        asked = read.json_object()
        if asked.get("conn_type") != WeixinHook.conn_type:
            return await self._app(scope, read.receive, send)
        if asked.get("port") == 0:
            del asked["port"]
            scope = read.replace(json.dumps(asked).encode(), scope)
        conn_id = asked.get("connection_id")
        tested = tested_conn_id.set(conn_id if isinstance(conn_id, str) else "")
        try:
            return await self._app(scope, read.receive, send)
        finally:
            tested_conn_id.reset(tested)


class KnownParameters:
    """Refuses a run with a parameter that its form does not have, before the run is created."""

    _RUNS = re.compile(r"/api/v2/dags/([^/]+)/dagRuns")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or answer 400 as Airflow does for a parameter of the wrong type."""
        runs = self._RUNS.fullmatch(_posted_to(scope))
        dag_id = runs[1] if runs else ""
        if dag_id not in FORMS or not await _may(
            scope,
            lambda manager, user: manager.is_authorized_dag(
                method="POST",
                access_entity=DagAccessEntity.RUN,
                details=DagDetails(id=dag_id),
                user=user,
            ),
        ):
            return await self._app(scope, receive, send)
        read = await _ReadAhead.of(receive)
        conf = read.json_object().get("conf")
        refusal = unknown_parameters(conf, FORMS[dag_id]) if isinstance(conf, dict) else ""
        if refusal:
            return await JSONResponse({"detail": refusal}, 400)(scope, read.receive, send)
        return await self._app(scope, read.receive, send)


def _posted_to(scope: Scope) -> str:
    """The path of a POST below `[api] base_url`, whether a proxy cut that off or not; else ""."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return ""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


async def _may(scope: Scope, allows: Callable[[BaseAuthManager[Any], BaseUser], bool]) -> bool:
    """Whether Airflow knows who asks, and lets them; if not, its own answer says so."""
    request = Request(scope)
    try:
        user = await get_user(request, None, await bearer_scheme(request))
    except HTTPException:
        return False
    return await run_in_threadpool(allows, get_auth_manager(), user)


@dataclass
class _ReadAhead:
    """What was received of a call, to look at and to be received again."""

    messages: deque[Message]
    is_whole: bool
    """Whether the body ended within what may be read."""
    _receive: Receive

    @classmethod
    async def of(cls, receive: Receive) -> Self:
        """Read the body, as far as it may be read."""
        messages: deque[Message] = deque()
        size, goes_on = 0, True
        while goes_on and size <= LONGEST_BODY_BYTES:
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            goes_on = messages[-1].get("more_body", False)
        return cls(messages, not goes_on and size <= LONGEST_BODY_BYTES, receive)

    def json_object(self) -> dict[str, Any]:
        """As Airflow reads it; what is no JSON object is empty here, for Airflow to refuse."""
        body = b"".join(it.get("body", b"") for it in self.messages) if self.is_whole else b""
        try:
            read = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}

    def replace(self, body: bytes, scope: Scope) -> Scope:
        """Let another body be received; the call that goes with it."""
        self.messages = deque([{"type": "http.request", "body": body, "more_body": False}])
        length = (b"content-length", str(len(body)).encode())
        headers = [header for header in scope["headers"] if header[0] != b"content-length"]
        return {**scope, "headers": [*headers, length]}

    async def receive(self) -> Message:
        """The messages again, then those that follow."""
        return self.messages.popleft() if self.messages else await self._receive()

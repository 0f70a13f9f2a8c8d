"""What Airflow's API server does differently for two calls that concern us; see decision 0023."""

import json
import re
from collections.abc import Callable
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.form import FORMS, unknown_parameters
from weixin_etl.orchestration.hook import WeixinHook, tested_conn_id

LONGEST_BODY_BYTES = 1 << 20
"""A body that is longer, or of unknown length, is passed on unread."""


class OurCalls:
    """Answers two calls that concern us, and passes on all others unread."""

    _TEST = "/api/v2/connections/test"
    _RUNS = re.compile(r"/api/v2/dags/([^/]+)/dagRuns")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call, or pass it on."""
        path = _posted_to(scope)
        runs = self._RUNS.fullmatch(path)
        dag_id = runs[1] if runs else ""
        if path == self._TEST and await _may(
            scope, lambda manager, user: manager.is_authorized_connection(method="POST", user=user)
        ):
            await self._test(scope, receive, send)
        elif dag_id in FORMS and await _may(
            scope,
            lambda manager, user: manager.is_authorized_dag(
                method="POST",
                access_entity=DagAccessEntity.RUN,
                details=DagDetails(id=dag_id),
                user=user,
            ),
        ):
            await self._create_run(dag_id, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _test(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Make the button *Test* work for connections of type `weixin`.

        The list sends port 0 for a connection without one, which Airflow takes for another server,
        and the hook is handed a random id in place of the connection's.
        """
        asked, receive = await _read(scope, receive)
        is_ours = asked.get("conn_type") == WeixinHook.conn_type
        if is_ours and asked.get("port") == 0:
            del asked["port"]
            scope, receive = _replaced(json.dumps(asked).encode(), scope, receive)
        conn_id = asked.get("connection_id")
        tested = tested_conn_id.set(conn_id if is_ours and isinstance(conn_id, str) else "")
        try:
            await self._app(scope, receive, send)
        finally:
            tested_conn_id.reset(tested)

    async def _create_run(self, dag_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a parameter that the form does not have, as Airflow does one of a wrong type."""
        asked, receive = await _read(scope, receive)
        conf = asked.get("conf")
        refusal = unknown_parameters(conf, FORMS[dag_id]) if isinstance(conf, dict) else ""
        answer = JSONResponse({"detail": refusal}, 400) if refusal else self._app
        await answer(scope, receive, send)


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


async def _read(scope: Scope, receive: Receive) -> tuple[dict[str, Any], Receive]:
    """
    The JSON object that is posted, and a way to receive it again.

    What is no JSON object, or longer than may be read, is empty here: Airflow judges it.
    """
    length = Headers(scope=scope).get("content-length", "")
    if not length.isdecimal() or int(length) > LONGEST_BODY_BYTES:
        return {}, receive
    body = await Request(scope, receive).body()
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError):
        posted = None
    return posted if isinstance(posted, dict) else {}, _again(body, receive)


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive this body, then what follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _replaced(body: bytes, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The call with another body."""
    headers = [header for header in scope["headers"] if header[0] != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": headers}, _again(body, receive)

"""What Airflow's API server does differently for calls that concern us; see decision 0023."""

import json
import logging
import re
from collections.abc import Callable, Mapping
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

from weixin_etl import clock
from weixin_etl.accounts.known import appid_of
from weixin_etl.datasets import DATASETS
from weixin_etl.model import ParameterError
from weixin_etl.orchestration.connections import accounts
from weixin_etl.orchestration.connections.hook import WeixinHook, tested_conn_id
from weixin_etl.orchestration.connections.warehouse import open_reader, reading
from weixin_etl.orchestration.form import FORMS, require_known
from weixin_etl.orchestration.tasks import run_context
from weixin_etl.text import one_line

log = logging.getLogger(__name__)

LONGEST_BODY_BYTES = 1 << 20
"""A body that is longer, or of unknown length, is passed on unread."""
_DATASETS = {it.dag_id: it for it in DATASETS.values()}


class OurCalls:
    """Answers calls that concern us, and passes on all others unread."""

    _TEST = "/api/v2/connections/test"
    _RUNS = re.compile(r"/api/v2/dags/([^/]+)/dagRuns")
    _BACKFILLS = ("/api/v2/backfills", "/api/v2/backfills/dry_run")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _posted_to(scope)
        runs = self._RUNS.fullmatch(path)
        if path == self._TEST and await _may(
            scope, lambda manager, user: manager.is_authorized_connection(method="POST", user=user)
        ):
            await self._test(scope, receive, send)
        elif runs and await _may_trigger(scope, runs[1]):
            await self._create_run(runs[1], scope, receive, send)
        elif path in self._BACKFILLS and await _may(scope, lambda *_: True):
            await self._create_backfill(scope, receive, send)
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
        """Refuse what the run would refuse, as Airflow does a parameter of a wrong type."""
        asked, receive = await _read(scope, receive)
        is_for_now = not asked.get("run_after")
        refusal = await _refusal(dag_id, asked.get("conf"), is_for_now=is_for_now)
        answer = JSONResponse({"detail": refusal}, 400) if refusal else self._app
        await answer(scope, receive, send)

    async def _create_backfill(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As for a run. Which DAG it is, and so who may make it, is in the body."""
        asked, receive = await _read(scope, receive)
        dag_id, refusal = str(asked.get("dag_id")), ""
        if await _may_trigger(scope, dag_id):
            refusal = await _refusal(dag_id, asked.get("dag_run_conf"), is_backfill=True)
        answer = JSONResponse({"detail": refusal}, 400) if refusal else self._app
        await answer(scope, receive, send)


async def _refusal(
    dag_id: str, entered: object, *, is_backfill: bool = False, is_for_now: bool = True
) -> str:
    """
    Why a run with these parameters can only be red, in the words of its first tasks; else "".

    What can't be looked up here is left to the run, and what has a wrong type to Airflow.
    """
    if not isinstance(entered, dict):
        return ""
    try:
        await run_in_threadpool(_require_possible, dag_id, entered, is_backfill, is_for_now)
    except ParameterError as error:
        return one_line(str(error))
    except Exception as error:
        log.info("%s: the run judges what was entered (%s here)", dag_id, type(error).__name__)
    return ""


def _require_possible(
    dag_id: str, entered: Mapping[str, Any], is_backfill: bool, is_for_now: bool
) -> None:
    require_known(entered, FORMS[dag_id], is_backfill=is_backfill)
    if not is_for_now:
        return
    if dag_id in _DATASETS:
        today = clock.beijing_date(clock.now())
        run = run_context.asked_for(_DATASETS[dag_id], entered, today)
        run.dated(today)
        if run.accounts:
            accounts.require_listed(run.accounts)
        return
    selection = run_context.selected_by(entered)
    if selection.accounts:
        with reading(open_reader()) as connection:
            for name in dict.fromkeys(selection.accounts):
                appid_of(connection, name)


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


async def _may_trigger(scope: Scope, dag_id: str) -> bool:
    """Whether it is a DAG of ours, and who asks may make runs of it."""
    return dag_id in FORMS and await _may(
        scope,
        lambda manager, user: manager.is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id),
            user=user,
        ),
    )


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

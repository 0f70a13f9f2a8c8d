"""
The button *Test* in Airflow's list of connections, mended for connections of type `weixin`.

Airflow 3.3.2 sends port 0 for a connection without a port, which makes it another server (mended by
apache/airflow#73298), and hands the hook a random id in place of the connection's. Once a release
does neither, this file goes.
"""

import json
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import WeixinHook, tested_conn_id

LONGEST_BODY_BYTES = 1 << 20
"""A body that is longer, or of unknown length, is passed on unread."""
_PATH = "/api/v2/connections/test"


class TestButton:
    """Mends what the button posts, and passes on all other calls unread."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_readable_test(scope):
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        mended, conn_id = _mended(body)
        tested = tested_conn_id.set(conn_id)
        try:
            await self._app(_of_length(len(mended), scope), _again(mended, receive), send)
        finally:
            tested_conn_id.reset(tested)


def _is_readable_test(scope: Scope) -> bool:
    """Whether it is such a call, at whatever path Airflow is served, and not too long."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(_PATH):
        return False
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) <= LONGEST_BODY_BYTES


def _mended(body: bytes) -> tuple[bytes, str]:
    """The body without port 0, and the connection's id; as it is and "" if it is none of ours."""
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body, ""
    if not isinstance(asked, dict) or asked.get("conn_type") != WeixinHook.conn_type:
        return body, ""
    conn_id = asked.get("connection_id")
    if asked.get("port") == 0:
        del asked["port"]
        body = json.dumps(asked).encode()
    return body, conn_id if isinstance(conn_id, str) else ""


def _of_length(length: int, scope: Scope) -> Scope:
    """The call with a body of another length."""
    headers = [header for header in scope["headers"] if header[0] != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive this body, then what follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again

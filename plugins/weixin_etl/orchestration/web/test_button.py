"""
The button *Test* in Airflow's list of connections, mended for connections of type `weixin`.

Airflow 3.3.2 sends port 0 for a connection without a port, which makes it another server (mended by
apache/airflow#73298), and hands the hook a random id in place of the connection's. Once a release
does neither, this file goes.
"""

import json

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import WeixinHook, tested_conn_id

LONGEST_BODY_BYTES = 1 << 20
"""A body that is longer, or of unknown length, is passed on unread."""
_PATH = "/api/v2/connections/test"


def mending(app: ASGIApp) -> ASGIApp:
    """Mends what the button posts, and passes on all other calls unread."""

    async def mended(scope: Scope, receive: Receive, send: Send) -> None:
        if _is_readable_test(scope):
            body = _mended(await Request(scope, receive).body())
            headers = {**dict(scope["headers"]), b"content-length": str(len(body)).encode()}
            scope, receive = {**scope, "headers": [*headers.items()]}, _again(body, receive)
        await app(scope, receive, send)

    return mended


def _is_readable_test(scope: Scope) -> bool:
    """Whether it is such a call, at whatever path Airflow is served, and not too long."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(_PATH):
        return False
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) <= LONGEST_BODY_BYTES


def _mended(body: bytes) -> bytes:
    """The body without port 0, as the hook learns the connection's id; another's as it is."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return body
    is_ours = isinstance(asked, dict) and asked.get("conn_type") == WeixinHook.conn_type
    if not is_ours:
        return body
    tested_conn_id.set(str(asked.get("connection_id") or ""))
    if asked.get("port") == 0:
        del asked["port"]
    return json.dumps(asked).encode()


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive this body, then what follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again

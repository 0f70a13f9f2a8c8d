"""
A workaround for the button *Test* in Airflow's list of connections, for the type `weixin`.

Airflow 3.3.2 has two faults. It sends port 0 for a connection without a port, which names another
server; apache/airflow#73298 fixes this. It also hands the hook a random id instead of the
connection's id. The plugin wraps Airflow's web app in `with_readable_test`, which corrects both.
Delete this file once the oldest supported release has neither fault.
"""

import json

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weixin_etl.orchestration.connections.hook import WeixinHook, tested_conn_id

LONGEST_BODY_BYTES = 1 << 20
"""The longest body to correct. A longer body, or one of unknown length, is passed on unread."""
_PATH = "/api/v2/connections/test"


def with_readable_test(app: ASGIApp) -> ASGIApp:
    """
    Return an ASGI app that corrects the requests of the button *Test* and passes them to `app`.

    Every other request, and one of the button with a long body or of unknown length, passes unread.
    """

    async def corrected_app(scope: Scope, receive: Receive, send: Send) -> None:
        if _is_readable_test(scope):
            body = _corrected_body(await Request(scope, receive).body())
            headers = {**dict(scope["headers"]), b"content-length": str(len(body)).encode()}
            scope, receive = {**scope, "headers": [*headers.items()]}, _replay_body(body, receive)
        await app(scope, receive, send)

    return corrected_app


def _is_readable_test(scope: Scope) -> bool:
    """Return whether a request comes from the button and its body is short enough to read."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(_PATH):
        return False
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) <= LONGEST_BODY_BYTES


def _corrected_body(body: bytes) -> bytes:
    """
    Return the body without port 0, and set `tested_conn_id` to the connection's id for the hook.

    A body that is no JSON object, or of a connection of another type, is returned unchanged, and
    `tested_conn_id` stays unset.
    """
    try:
        connection = json.loads(body)
    except (ValueError, RecursionError):
        return body
    is_ours = isinstance(connection, dict) and connection.get("conn_type") == WeixinHook.conn_type
    if not is_ours:
        return body
    tested_conn_id.set(str(connection.get("connection_id") or ""))
    if connection.get("port") == 0:
        del connection["port"]
    return json.dumps(connection).encode()


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that returns the whole body first, then each message of `receive`."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed

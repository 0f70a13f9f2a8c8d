"""The sandbox over HTTP."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weixin_sandbox import calls
from weixin_sandbox.answers import Answer, RefusedError, refusal
from weixin_sandbox.endpoints import ENDPOINTS
from weixin_sandbox.wechat import Call, WeChat

_LOOPBACK = "127.0.0.1"
_COMPONENT = {
    "api_component_token": calls.component_token,
    "api_authorizer_token": calls.authorizer_token,
    "api_get_authorizer_list": calls.authorizer_list,
    "api_get_authorizer_info": calls.authorizer_info,
}
_POSTED: dict[str, calls.Decide] = {
    "/cgi-bin/stable_token": calls.stable_token,
    "/cgi-bin/openapi/quota/get": calls.quota,
    **dict.fromkeys(ENDPOINTS, calls.data),
    **{f"/cgi-bin/component/{name}": decide for name, decide in _COMPONENT.items()},
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Sandbox(WeChat):
    """A WeChat API on loopback; see `WeChat` for what it is made from and what it remembers."""

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """
        Serve it on 127.0.0.1 in a thread, for the block; port 0 takes a free one.

        No access log is written: the URLs carry tokens. The value is the base URL.
        """
        with socket.create_server((_LOOPBACK, port)) as listener:
            config = uvicorn.Config(
                build_app(self),
                lifespan="off",
                access_log=False,
                date_header=False,  # the answers say their own time
                log_config=None,
                log_level="error",
                timeout_graceful_shutdown=1,
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
            thread.start()
            try:
                while not server.started and thread.is_alive():
                    time.sleep(0.005)
                yield f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()


def build_app(wechat: WeChat) -> Starlette:
    """The application that answers as WeChat does; unknown paths are a 404."""
    posted = [_route(wechat, path, "POST", decide) for path, decide in _POSTED.items()]
    service = _route(wechat, "/token-service", "GET", calls.token_service)
    unknown = partial(_unknown_path, wechat)
    app = Starlette(routes=[*posted, service], exception_handlers={404: unknown})
    app.router.redirect_slashes = False
    return app


class _Delivery(Response):
    """
    One answer on its way, without a charset, with the real time in its Date.

    A held answer is dropped when its client hangs up or the server stops first.
    """

    def __init__(self, answer: Answer) -> None:
        date = formatdate(time.time() + answer.clock_ahead_seconds, usegmt=True)
        headers = {"content-type": answer.content_type, "date": date}
        super().__init__(answer.body, answer.status, headers)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or the first half of it."""
        if self._answer.hold_seconds and await _hangs_up(receive, self._answer.hold_seconds):
            return
        if not self._answer.is_cut:
            await super().__call__(scope, receive, send)
            return
        start = {"status": self.status_code, "headers": self.raw_headers}
        half = self._answer.body[: len(self._answer.body) // 2]
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": half, "more_body": True})


def _route(wechat: WeChat, path: str, method: str, decide: calls.Decide) -> Route:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(wechat.latency_seconds)
        authorization = request.headers.get("authorization", "")
        asked = calls.Asked(path, request.query_params, body, authorization)
        try:
            if request.method != method:
                raise RefusedError(43001 if method == "GET" else 43002)
            answer = decide(wechat, asked)
        except RefusedError as refused:
            answer = refusal(refused.errcode, refused.reason)
        return await _delivery(wechat, asked, answer)

    return Route(path, endpoint, methods=_METHODS)


async def _hangs_up(receive: Receive, seconds: float) -> bool:
    """Wait, and say whether the client went away or the server stopped first."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return False
    except asyncio.CancelledError:
        pass
    return True


async def _unknown_path(wechat: WeChat, request: Request, _error: Exception) -> Response:
    asked = calls.Asked(request.url.path, request.query_params, body=b"")
    return await _delivery(wechat, asked, refusal(40066, status=404))


async def _delivery(wechat: WeChat, asked: calls.Asked, answer: Answer) -> _Delivery:
    """Remember the call and let `before_delivery` run, while other calls are served."""
    token = asked.query.get("access_token") or asked.query.get("component_access_token")
    call = Call(asked.path, asked.appid, asked.publication_date, answer.errcode, token)
    wechat.remember(call, answer.body)
    if wechat.before_delivery is not None:
        await asyncio.to_thread(wechat.before_delivery, call)
    return _Delivery(answer)

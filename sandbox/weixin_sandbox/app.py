"""The platform over HTTP."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weixin_sandbox import calls
from weixin_sandbox.answers import Answer, refusal
from weixin_sandbox.endpoints import ENDPOINTS
from weixin_sandbox.errcodes import RefusedError
from weixin_sandbox.platform import Call, Platform

_LOOPBACK = "127.0.0.1"


class Sandbox(Platform):
    """A WeChat API on loopback; see `Platform` for what it is made from and what it remembers."""

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """
        Serve it on 127.0.0.1 in a thread, for the block; port 0 takes a free one.

        No access log is written: the URLs carry tokens. The value is the base URL.

        Raises:
            OSError: the port cannot be bound.
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


def build_app(platform: Platform) -> Starlette:
    """The application that answers as the platform does; unknown paths are a 404."""
    app = Starlette(
        routes=[
            _route(platform, "/cgi-bin/stable_token", "POST", calls.stable_token),
            _route(platform, "/cgi-bin/openapi/quota/get", "POST", calls.quota),
            *(_route(platform, path, "POST", calls.data) for path in ENDPOINTS),
            *(
                _route(platform, f"/cgi-bin/component/{name}", "POST", decide)
                for name, decide in [
                    ("api_component_token", calls.component_token),
                    ("api_authorizer_token", calls.authorizer_token),
                    ("api_get_authorizer_list", calls.authorizer_list),
                    ("api_get_authorizer_info", calls.authorizer_info),
                ]
            ),
            _route(platform, "/token-service", "GET", calls.token_service),
        ],
        exception_handlers={404: _unknown_path(platform)},
    )
    app.router.redirect_slashes = False
    return app


class _Delivery(Response):
    """
    One answer on its way, without a charset, with the real time in its Date.

    A held answer is dropped when its client hangs up or the server stops first.
    """

    def __init__(self, answer: Answer) -> None:
        date = formatdate(time.time() + answer.clock_ahead_seconds, usegmt=True)
        super().__init__(
            answer.body,
            status_code=answer.status,
            headers={"content-type": answer.content_type, "date": date},
        )
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or the first half of it."""
        if self._answer.hold_seconds and await _hangs_up(receive, self._answer.hold_seconds):
            return
        if not self._answer.is_cut:
            await super().__call__(scope, receive, send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        half = self._answer.body[: len(self._answer.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def _route(platform: Platform, path: str, method: str, decide: calls.Decide) -> Route:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(platform.latency_seconds)
        authorization = request.headers.get("authorization", "")
        asked = calls.Asked(path, request.query_params, body, authorization)
        try:
            if request.method != method:
                raise RefusedError(43001 if method == "GET" else 43002)
            answer = decide(platform, asked)
        except RefusedError as refused:
            answer = refusal(refused.errcode, refused.reason)
        return await _delivery(platform, asked, answer)

    return Route(path, endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


async def _hangs_up(receive: Receive, seconds: float) -> bool:
    """Wait, and say whether the client went away or the server stopped first."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return False
    except asyncio.CancelledError:
        pass
    return True


def _unknown_path(platform: Platform) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(request: Request, _error: Exception) -> Response:
        answer = refusal(40066, status=404)
        asked = calls.Asked(request.url.path, request.query_params, body=b"")
        return await _delivery(platform, asked, answer)

    return endpoint


async def _delivery(platform: Platform, asked: calls.Asked, answer: Answer) -> _Delivery:
    """Remember the call and let `before_delivery` run, while other calls are served."""
    call = Call(
        path=asked.path,
        appid=asked.appid,
        publication_date=asked.publication_date,
        errcode=answer.errcode,
        access_token=asked.query.get("access_token") or asked.query.get("component_access_token"),
    )
    platform.remember(call, answer.body)
    if platform.before_delivery is not None:
        await asyncio.to_thread(platform.before_delivery, call)
    return _Delivery(answer)

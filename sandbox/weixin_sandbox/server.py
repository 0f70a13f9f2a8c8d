"""An application on a port of this machine, for as long as a `with` block lasts."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 60


@contextmanager
def serve(app: Starlette, port: int) -> Iterator[str]:
    """
    Serve on loopback, never on another interface; port 0 takes a free one.

    No access log is written: the URLs carry tokens.

    Yields:
        the base URL.

    Raises:
        OSError: the port cannot be bound.
    """
    with socket.create_server((_LOOPBACK, port)) as listener:
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            date_header=False,  # the answers say their own time
            log_config=None,
            log_level="error",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="weixin-sandbox", daemon=True
        )
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The sandbox's HTTP server did not start.")
        time.sleep(0.005)

"""
A deadline by the wall clock: at it a call is given up, whatever it waits for.

Timeouts of sockets are for each read: a server that sends a byte now and then, or one line after
the other, keeps every parser reading. So the call runs in a thread of its own, which is left at the
deadline, and its sockets are shut down, so that the thread ends as well. One that waits for the
address of a host ends by itself: nothing can interrupt that.
"""

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from requests.adapters import HTTPAdapter

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """
    What the call returns, if that is in time.

    Raises:
        TimeoutError: it is not.
    """
    sockets = _Sockets()
    came: Future[T] = Future()

    def run() -> None:
        _this_thread.sockets = sockets
        try:
            came.set_result(call())
        except BaseException as error:
            came.set_exception(error)

    threading.Thread(target=run, name="call", daemon=True).start()
    try:
        return came.result(seconds)
    finally:
        sockets.let_go(is_over=not came.done())


class _Sockets:
    """The sockets that a call uses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self._is_over = False

    def hold(self, used: socket.socket) -> None:
        """Use one; at once it is the call's, or the call has been given up."""
        with self._lock:
            if self._is_over:
                raise TimeoutError
            # of its own: the other one moves into the TLS connection, and may be closed
            self._held.append(socket.socket(fileno=os.dup(used.fileno())))

    def let_go(self, *, is_over: bool) -> None:
        """Use none any more, in this call; when it `is_over`, nobody reads from them either."""
        with self._lock:
            self._is_over = True
            for held in self._held:
                if is_over:
                    with suppress(OSError):
                        held.shutdown(socket.SHUT_RDWR)
                held.close()


class _ThisThread(threading.local):
    sockets: _Sockets | None = None


_this_thread = _ThisThread()


class _Held:
    """A connection whose socket belongs to the call that uses it."""

    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc] # of the class beside it
        _hold(made)
        return made

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is not None:
            _hold(self.sock)
        super().request(*args, **options)  # type: ignore[misc] # of the class beside it


def _hold(used: socket.socket) -> None:
    if _this_thread.sockets is not None:
        try:
            _this_thread.sockets.hold(used)
        except TimeoutError:
            used.close()
            raise


@cache
def _held(connection: type[Any]) -> type[Any]:
    if issubclass(connection, _Held):
        return connection
    return type(connection.__name__, (_Held, connection), {})


class Adapter(HTTPAdapter):
    """Its connections end at the deadline of the call that uses them. No cookie is looked at."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool of a proxy has the class as well, though its connections have another one."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _held(pool.ConnectionCls)
        return pool

    def build_response(self, request: Any, response: Any) -> Any:
        """No cookies are kept: requests would read six megabytes of them in twenty seconds."""
        original = response._original_response  # where requests looks for them
        for name in ("Set-Cookie", "Set-Cookie2"):
            del original.msg[name]
        return super().build_response(request, response)

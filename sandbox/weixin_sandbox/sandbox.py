"""The sandbox: a platform that can be served."""

from contextlib import AbstractContextManager

from weixin_sandbox.app import build_app
from weixin_sandbox.platform import Platform
from weixin_sandbox.server import serve


class Sandbox(Platform):
    """A WeChat API on loopback; see `Platform` for what it is made from and what it remembers."""

    def serve(self, port: int = 0) -> AbstractContextManager[str]:
        """
        Serve it on 127.0.0.1 in a thread; port 0 takes a free one. The value is the base URL.

        Raises:
            OSError: the port cannot be bound.

        """
        return serve(build_app(self), port)
